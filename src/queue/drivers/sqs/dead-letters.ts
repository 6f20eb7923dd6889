import { sleep, type Clock } from "../../../clock.ts";
import { HooklineError } from "../../../errors.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import type { JobBody } from "../../../jobs/job.ts";
import type { DeadLetter, RedriveSelection } from "../../driver.ts";
import type { Message, OutgoingMessage, SqsApi } from "./api.ts";
import { inBatches } from "./batch.ts";
import { decodeBody, encodeBody, messageBytes, packBody } from "./body.ts";
import { unavailable } from "./errors.ts";
import { readMessage, type HeldMessage } from "./message.ts";
import { decodeMeta, encodeMeta, metaAttribute, readMeta, type DeadMeta } from "./meta.ts";
import type { SqsQueue } from "./queue.ts";
import { sendAll } from "./send.ts";

/** What was listed stays ours so long; then SQS shows it to others again. */
const listedMs = 30_000;
/** Longest that giving back what is held may take: it is part of the shutdown. */
const releaseMs = 2_000;
/** A page is a sample: SQS can only be looked at by receiving. */
const maxListed = 100;

/** Dead letters of one queue: in SQS they can be received, not read, so that a page is what we hold for 30 s. */
export interface DeadLetters {
  /** @param maxBytes Most bytes of bodies in the answer; one letter is always in it. Absent: `limit` alone counts. */
  list(limit: number, maxBytes?: number): Promise<DeadLetter[]>;
  /** @throws HooklineError `list_first` for an id that this process has not listed in the last 30 s. */
  redrive(which: RedriveSelection): Promise<number>;
  remove(id: string): Promise<boolean>;
  /** Shows what is held again at once; within two seconds, or it stays hidden for the rest of its 30 s. */
  release(): Promise<void>;
}

interface Listed {
  readonly letter: DeadLetter;
  readonly message: HeldMessage;
  readonly group: string | null;
}

export function createDeadLetters(queue: SqsQueue, api: SqsApi, clock: Clock): DeadLetters {
  const listed = new Map<string, Listed>();
  const removed = new Map<string, number>();

  const sweep = (): void => {
    const now = clock.monotonic();
    for (const [id, { message }] of listed) if (message.hiddenUntil - 1_000 <= now) listed.delete(id);
    for (const [id, until] of removed) if (until <= now) removed.delete(id);
  };

  /**
   * Receives up to `count` more and holds them; stops when two looks in a row find nothing, and at the first look
   * that brings the bodies to `maxBytes`.
   */
  const fetch = async (count: number, maxBytes = Infinity): Promise<Listed[]> => {
    const found: Listed[] = [];
    const foreign: HeldMessage[] = [];
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
        bytes += bodyBytes(held.body);
        if (originOf(message, queue.name) === queue.name) found.push(read(message, held, listed));
        else foreign.push(held);
        const last = found.at(-1);
        if (last?.message === held) listed.set(last.letter.id, last);
      }
    }
    // Of other queues that share this dead letter queue: shown again at once.
    await show(foreign);
    return found;
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

  /** Sends copies back, then deletes the dead letters whose copy is confirmed. */
  const sendBack = async (entries: readonly Listed[]): Promise<number> => {
    const sent = await sendAll(
      api,
      queue,
      entries.map((entry) => revived(queue, entry)),
      queue.fifo,
    );
    const unknown = sent.find((result) => result.status === "unknown");
    const done = entries.filter((_, index) => sent[index]?.status === "ok");
    await inBatches(done, (batch) =>
      api.remove(
        queue.dead,
        batch.map(({ message }) => message.handle),
      ),
    );
    for (const { letter } of done) listed.delete(letter.id);
    if (done.length === 0 && unknown?.status === "unknown") throw unavailable(unknown.error);
    return done.length;
  };

  return {
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
      if ("ids" in which) return sendBack(which.ids.map(named));
      let count = 0;
      const held = [...listed.values()].slice(0, which.max);
      if (held.length > 0) count += await sendBack(held);
      while (count < which.max) {
        const next = await fetch(Math.min(maxListed, which.max - count));
        if (next.length === 0) break;
        const moved = await sendBack(next);
        count += moved;
        // What could not be sent stays listed, so that the loop cannot go round on it.
        if (moved < next.length) break;
      }
      return count;
    },

    async remove(id) {
      sweep();
      if (removed.has(id)) return false;
      const { message } = named(id);
      const [result] = await inBatches([message.handle], (batch) => api.remove(queue.dead, batch));
      if (result?.status === "unknown") throw unavailable(result.error);
      listed.delete(id);
      removed.set(id, clock.monotonic() + listedMs);
      return result?.status === "ok";
    },

    async release() {
      sweep();
      const held = [...listed.values()].map(({ message }) => message);
      listed.clear();
      if (held.length === 0) return;
      const late = new AbortController();
      await Promise.race([show(held), sleep(releaseMs, late.signal)]);
      late.abort();
    },
  };
}

/** Name of the queue a dead letter came from: hookline's word, else SQS's own; else this one. */
function originOf(message: Message, otherwise: string): string {
  const { dead } = metaOf(message);
  const source = message.Attributes?.["DeadLetterQueueSourceArn"];
  return dead?.queue ?? source?.split(":").pop() ?? otherwise;
}

/** What hookline wrote of it, in the attribute or around the body; `body` is the job's own text then. */
function metaOf(message: Message) {
  const own = decodeMeta(message.MessageAttributes?.[metaAttribute]?.StringValue);
  if (own.dead !== null || message.Body?.startsWith('{"hookline_dead":') !== true) {
    return { ...own, wrapped: null };
  }
  try {
    const { hookline_dead, body } = JSON.parse(message.Body) as { hookline_dead: unknown; body: unknown };
    const meta = readMeta(hookline_dead);
    return { ...meta, wrapped: typeof body === "string" ? body : null };
  } catch {
    // Somebody else's body that begins alike.
    return { ...own, wrapped: null };
  }
}

function read(message: Message, held: HeldMessage, taken: ReadonlyMap<string, unknown>): Listed {
  const { id, dead, encoding, wrapped } = metaOf(message);
  const jobId = id ?? held.jobId;
  let letterId = jobId;
  for (let n = 2; taken.has(letterId); n += 1) letterId = `${jobId}.${n}`;
  const body: JobBody = wrapped === null ? held.body : decodeBody(wrapped, encoding);
  // Without a word of ours, the queue's RedrivePolicy moved it; its count is all that is known.
  const native: DeadMeta = {
    reason: "max_receive_count",
    detail: "moved by the queue's RedrivePolicy",
    endpoint: null,
    attempts: held.receiveCount,
    failedAt: held.firstReceivedAt ?? held.sentAt ?? 0,
    enqueuedAt: held.sentAt,
    queue: "",
    group: held.group,
  };
  const { reason, detail, endpoint, attempts, failedAt, enqueuedAt, group } = dead ?? native;
  return {
    letter: { id: letterId, jobId, reason, detail, endpoint, attempts, failedAt, enqueuedAt, body },
    message: held,
    group,
  };
}

/**
 * A dead letter as a live message again: its id, bytes and attributes, and on FIFO its group.
 *
 * The deduplication id is fresh: with the first one SQS would swallow it for five minutes.
 */
function revived(queue: SqsQueue, { letter, message, group }: Listed): OutgoingMessage {
  const attributesOf = (encoding: ReturnType<typeof encodeBody>["encoding"]) =>
    Object.keys(message.attributes).length < 10
      ? { ...message.attributes, [metaAttribute]: encodeMeta({ id: letter.jobId, encoding, dead: null }) }
      : message.attributes;
  let encoded = encodeBody(letter.body);
  if (messageBytes(encoded.text, attributesOf(encoded.encoding)) > queue.maxBytes)
    encoded = packBody(letter.body);
  return {
    body: encoded.text,
    attributes: attributesOf(encoded.encoding),
    group: queue.fifo ? (group ?? message.group ?? "default") : null,
    deduplicationId: queue.fifo ? crypto.randomUUID() : null,
    delaySeconds: null,
  };
}
