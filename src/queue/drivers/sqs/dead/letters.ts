import type { Clock } from "../../../../clock.ts";
import { orLate } from "../../../../wait.ts";
import { HooklineError } from "../../../../errors.ts";
import { bodyBytes } from "../../../../jobs/body.ts";
import type { DeadLetter, RedriveSelection, RewrittenJob } from "../../../driver.ts";
import type { SqsApi } from "../api.ts";
import { inBatches } from "../batch.ts";
import { originOf, readDeadLetter, revived, type Listed } from "./reading.ts";
import { createEnded, type Ended } from "../consumer/ended.ts";
import { unavailable } from "../errors.ts";
import { readMessage, type HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";
import { notDeleted, nothing, sum, type Failure, type Redriven } from "./redriven.ts";
import { createOrderedSend } from "../ordered-send.ts";
import { sendError } from "../send.ts";

/** What was listed stays ours so long; then SQS shows it to others again. */
const listedMs = 30_000;
/** Longest that giving back what is held may take: it is part of the shutdown. */
const releaseMs = 2_000;
/** A page is a sample: SQS can only be looked at by receiving. */
const maxListed = 100;
/** Other queues' dead letters that are told apart. */
const maxMet = 10_000;

/** Dead letters of one queue: in SQS they can be received, not read, so that a page is what we hold for 30 s. */
export interface DeadLetters {
  /** @param maxBytes Most bytes of bodies in the answer; one letter is always in it. Absent: `limit` alone counts. */
  list(limit: number, maxBytes?: number): Promise<DeadLetter[]>;
  /**
   * Sends dead letters back to their queue. One that is sent and not deleted is not sent again by this process: it is
   * deleted when it is received next.
   *
   * @throws HooklineError `list_first` for an id that this process has not listed in the last 30 s.
   * @throws DriverUnavailableError when nothing could be sent back of what was there.
   */
  redrive(which: RedriveSelection): Promise<Redriven>;
  /** @throws DriverUnavailableError when SQS does not delete it. */
  remove(id: string): Promise<boolean>;
  /** Sent back, and not deleted yet. */
  readonly ended: Ended;
  /** Shows what is held again at once; within two seconds, or it stays hidden for the rest of its 30 s. */
  release(): Promise<void>;
}

export function createDeadLetters(queue: SqsQueue, api: SqsApi, clock: Clock): DeadLetters {
  const listed = new Map<string, Listed>();
  const removed = new Map<string, number>();
  const ended = createEnded(clock);
  /** Those of which we hold a handle. */
  const undeleted = new Map<string, HeldMessage>();
  /** MessageIds of other queues' dead letters. */
  const met = new Set<string>();

  const sweep = (): void => {
    const now = clock.monotonic();
    for (const [id, { message }] of listed) if (message.hiddenUntil - 1_000 <= now) listed.delete(id);
    for (const [id, { hiddenUntil }] of undeleted) if (hiddenUntil <= now) undeleted.delete(id);
    for (const [id, until] of removed) if (until <= now) removed.delete(id);
  };

  /**
   * Receives up to `count` more and holds them; stops when two looks in a row find nothing, and at the first look
   * that brings the bodies to `maxBytes`.
   */
  const fetch = async (count: number, maxBytes = Infinity): Promise<Listed[]> => {
    const found: Listed[] = [];
    // While one is hidden and not deleted, no other of its FIFO group is shown.
    if (undeleted.size > 0) await erase([...undeleted.values()]);
    const foreign: HeldMessage[] = [];
    const over: HeldMessage[] = [];
    let bytes = 0;
    for (let empty = 0; found.length < count && bytes < maxBytes && empty < 2;) {
      const max = Math.min(10, count - found.length);
      const at = clock.monotonic();
      const received = await call(() =>
        api.receive(queue.dead, {
          max,
          waitSeconds: 0,
          visibilitySeconds: listedMs / 1000,
          fifo: queue.fifo,
        }),
      );
      empty = received.length === 0 ? empty + 1 : 0;
      for (const message of received) {
        const held = readMessage(message, at, listedMs);
        if (ended.has(held.id)) over.push(held);
        else if (originOf(message, queue.name) !== queue.name) foreign.push(held);
        else {
          const one = readDeadLetter(message, held, listed);
          bytes += bodyBytes(held.body);
          listed.set(one.letter.id, one);
          found.push(one);
        }
      }
    }
    if (met.size > maxMet) met.clear();
    for (const { id } of foreign) met.add(id);
    // Of other queues that share this dead letter queue: shown again at once.
    await Promise.all([show(foreign), erase(over)]);
    return found;
  };

  /** Deletes what was sent back; resolves with how many SQS did not delete. */
  const erase = async (messages: readonly HeldMessage[]): Promise<number> => {
    for (const { id } of messages) ended.add(id);
    const results = await inBatches(messages, (batch) =>
      api.remove(
        queue.dead,
        batch.map(({ handle }) => handle),
      ),
    );
    let failed = 0;
    for (const [at, { id }] of messages.entries()) {
      undeleted.delete(id);
      if (results[at]?.status === "ok") ended.deleted(id);
      else {
        ended.failed(id);
        failed += 1;
        if (results[at]?.status !== "gone") undeleted.set(id, messages[at] as HeldMessage);
      }
    }
    return failed;
  };

  const show = async (messages: readonly HeldMessage[]): Promise<void> => {
    await inBatches(messages, (batch) =>
      api.hide(
        queue.dead,
        batch.map(({ handle }) => ({ handle, seconds: 0 })),
      ),
    );
  };

  const call = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw unavailable(error);
    }
  };

  const named = (id: string): Listed => {
    const entry = listed.get(id);
    if (entry !== undefined) return entry;
    throw new HooklineError(
      "list_first",
      `SQS finds no dead letter by its id: list the dead letters of ${queue.name} and name within 30 s what was listed, or redrive {"max": n}`,
    );
  };

  /**
   * Sends copies back, then deletes the dead letters whose copy is confirmed. On FIFO those of a group behind one that
   * could not be sent stay too.
   */
  const sendBack = async (
    entries: readonly Listed[],
    rewritten?: ReadonlyMap<string, RewrittenJob>,
  ): Promise<Redriven> => {
    const asRewritten = (entry: Listed): Listed => {
      const job = rewritten?.get(entry.letter.id);
      if (job === undefined) return entry;
      return { ...entry, letter: { ...entry.letter, jobId: job.id, body: job.body } };
    };
    const revive = createOrderedSend(api, queue);
    const sent = await revive(entries.map((entry) => revived(queue, asRewritten(entry))));
    const done = entries.filter((_, index) => sent[index]?.status === "ok");
    const left = await erase(done.map(({ message }) => message));
    for (const { letter } of done) listed.delete(letter.id);
    const unsent = sent.filter(({ status }) => status !== "ok");
    const failures = unsent.filter((result): result is Failure => result.status !== "behind");
    const why = failures.find(({ status }) => status === "unknown") ?? failures[0];
    return {
      redriven: done.length,
      undeleted: left,
      failed: unsent.length,
      why: why === undefined ? null : sendError(why),
      others: 0,
    };
  };

  /** A FIFO queue shows its letters in order; whoever names some of them may name the newest first. */
  const inListedOrder = (entries: readonly Listed[]): Listed[] => {
    const named = new Set(entries);
    return [...listed.values()].filter((entry) => named.has(entry));
  };

  /** Throws when nothing could be sent of what there was. */
  const orThrow = (outcome: Redriven): Redriven => {
    if (outcome.redriven === 0 && outcome.why !== null) throw unavailable(outcome.why);
    return outcome;
  };

  return {
    ended,

    async list(limit, maxBytes = Infinity) {
      sweep();
      const most = Math.min(limit, maxListed);
      const held = [...listed.values()].reduce((sum, { letter }) => sum + bodyBytes(letter.body), 0);
      if (listed.size < most) await fetch(most - listed.size, maxBytes - held);
      const letters = [...listed.values()].map(({ letter }) => letter);
      const newest = letters.sort((a, b) => b.failedAt - a.failedAt).slice(0, most);
      let bytes = 0;
      const end = newest.findIndex(({ body }, at) => (bytes += bodyBytes(body)) > maxBytes && at > 0);
      return end === -1 ? newest : newest.slice(0, end);
    },

    async redrive(which) {
      sweep();
      if ("ids" in which) {
        const entries = inListedOrder(which.ids.map(named));
        return orThrow(await sendBack(entries, which.rewritten));
      }
      let all = nothing;
      const began = clock.now();
      const redriven = new Set<string>();
      // What dies again meanwhile stays listed: redriven again, it would go round as often as `max` allows.
      const isNew = ({ letter }: Listed): boolean => letter.failedAt >= began && redriven.has(letter.jobId);
      let found = [...listed.values()].slice(0, which.max);
      if (found.length === 0) found = await fetch(Math.min(maxListed, which.max));
      while (found.length > 0) {
        const next = found.filter((one) => !isNew(one));
        all = sum(all, await sendBack(next));
        for (const { letter } of next) redriven.add(letter.jobId);
        // What could not be sent stays listed, so that the loop cannot go round on it.
        if (all.failed > 0 || all.redriven >= which.max) break;
        found = await fetch(Math.min(maxListed, which.max - all.redriven));
      }
      return { ...orThrow(all), others: met.size };
    },

    async remove(id) {
      sweep();
      if (removed.has(id)) return false;
      const { message } = named(id);
      const [result] = await inBatches([message.handle], (batch) => api.remove(queue.dead, batch));
      // A handle without power: somebody else has it, or it is gone.
      if (result?.status !== "ok" && result?.status !== "gone") throw unavailable(notDeleted(result));
      listed.delete(id);
      removed.set(id, clock.monotonic() + listedMs);
      return result.status === "ok";
    },

    async release() {
      sweep();
      const held = [...listed.values()].map(({ message }) => message);
      listed.clear();
      if (held.length === 0) return;
      await orLate(show(held), releaseMs);
    },
  };
}
