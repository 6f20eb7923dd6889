import type { Clock } from "../../../clock.ts";
import { PayloadTooLargeError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { DriverEvents, OwnDeadLetter, Settlement, SettleResult } from "../../driver.ts";
import type { SqsApi } from "./api.ts";
import type { AttemptMemory, Memory } from "./attempts.ts";
import { inBatches, type BatchResult } from "./batch.ts";
import type { Consumer } from "./consumer.ts";
import { SqsCallError, unavailable } from "./errors.ts";
import type { Line } from "./lines.ts";
import type { HeldMessage } from "./message.ts";
import type { Copy, Planner } from "./plan.ts";
import { sendAll, sendError } from "./send.ts";

export interface SettleOptions {
  readonly api: () => SqsApi;
  readonly planner: Planner;
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
}

/** The end of leases on one SQS queue. */
export interface Settling {
  /** As QueueDriver.settle; safe to call again with the same leases after it threw. */
  settle(consumer: Consumer, settlements: readonly Settlement[]): Promise<SettleResult[]>;
  /** Makes a dead letter of a head that was received too often to be tried once more. */
  bury(consumer: Consumer, line: Line): void;
}

/** One head on its way out of our hands, and where its result goes. */
interface Leaving {
  readonly line: Line;
  readonly head: HeldMessage;
  readonly tell: (result: SettleResult) => void;
  /** SQS has not said what became of it, and why. */
  readonly doubt: (error: unknown) => void;
}

type Ending = Leaving & {
  /** The configured queue it was leased from. */
  readonly queue: string;
  readonly copies: readonly Copy[];
  readonly own: readonly OwnDeadLetter[];
};
type Hiding = Leaving & { readonly forMs: number; readonly change: Partial<Memory> | null };

/** Results kept for settlements that are repeated; older ones belong to workers that gave up. */
const maxTold = 10_000;

export function createSettling(options: SettleOptions): Settling {
  const { planner, memory, clock, log, events } = options;
  /** Results of a call that threw for its other entries: told when the same leases are settled again. */
  const told = new Map<string, SettleResult>();

  /** What an entry that was not confirmed means: unknown leaves the lease as it is; anything else ends it here. */
  const fail = (consumer: Consumer, { line, head, tell, doubt }: Leaving, result: BatchResult): void => {
    if (result.status === "unknown") doubt(result.error);
    if (result.status === "unknown" || result.status === "ok") return consumer.lines.revert(line);
    if (line.state !== "gone") {
      // The head may come again: what waits behind it goes back unsent, and comes after it.
      memory.remember(head.id, { attempts: memory.recall(head.id).attempts + 1 });
      consumer.keeper.abandon([line], new Set([head.id]));
    }
    tell(result.status === "gone" ? { status: "lost" } : { status: "failed", error: sendError(result) });
  };

  /** Writes the copies that go to one queue. Returns the endings of which one was not confirmed. */
  const writeCopies = async (
    consumer: Consumer,
    endings: readonly Ending[],
    to: Copy["to"],
  ): Promise<Map<Ending, BatchResult>> => {
    const failures = new Map<Ending, BatchResult>();
    const copies = endings.flatMap((ending) =>
      ending.copies
        .filter(
          ({ key, to: target }) => target === to && !memory.recall(ending.head.id).childrenSent.has(key),
        )
        .map((copy) => ({ ending, copy })),
    );
    const sent = await sendAll(
      options.api(),
      to === "dead" ? consumer.queue.dead : consumer.queue,
      copies.map(({ copy }) => copy.message),
      consumer.queue.fifo,
    );
    for (const [at, { ending, copy }] of copies.entries()) {
      const result = sent[at] as BatchResult;
      if (result.status !== "ok") failures.set(ending, result);
      else {
        const { childrenSent } = memory.recall(ending.head.id);
        // Kept until the head is deleted, so that a second try does not send the first ones again.
        memory.remember(ending.head.id, { childrenSent: new Set([...childrenSent, copy.key]) });
      }
    }
    return failures;
  };

  /** Writes copies, then deletes those heads whose copies are all confirmed: never the other way round. */
  const end = async (consumer: Consumer, endings: readonly Ending[]): Promise<void> => {
    if (endings.length === 0) return;
    const failures = new Map([
      ...(await writeCopies(consumer, endings, "own")),
      ...(await writeCopies(consumer, endings, "dead")),
    ]);
    const complete = endings.filter((ending) => !failures.has(ending));
    const deleted = await inBatches(complete, (batch) =>
      options.api().remove(
        consumer.queue,
        batch.map(({ head }) => head.handle),
      ),
    );
    for (const [at, ending] of complete.entries()) {
      const result = deleted[at] as BatchResult;
      if (result.status !== "ok") {
        fail(consumer, ending, result);
        continue;
      }
      memory.forget(ending.head.id);
      consumer.lines.next(ending.line, clock.monotonic());
      ending.tell({ status: "settled" });
      for (const letter of ending.own) events.deadLettered?.(ending.queue, letter);
    }
    for (const [ending, result] of failures) fail(consumer, ending, result);
  };

  /**
   * Lets heads be received again now or later, after what waits behind them: while the head is hidden its
   * group is locked, so that nothing can overtake it.
   */
  const hide = async (consumer: Consumer, hidings: readonly Hiding[]): Promise<void> => {
    if (hidings.length === 0) return;
    // Cut off the line, so that a repetition does not give them back a second time.
    const behind = hidings.flatMap(({ line }) => line.messages.splice(1));
    if (behind.length > 0) await consumer.keeper.giveBack(behind);
    const results = await consumer.keeper.hide(hidings.map(({ head, forMs }) => ({ message: head, forMs })));
    for (const [at, hiding] of hidings.entries()) {
      const result = results[at] as BatchResult;
      if (result.status !== "ok") {
        fail(consumer, hiding, result);
        continue;
      }
      if (hiding.change !== null) memory.remember(hiding.head.id, hiding.change);
      // Unless the long poll was faster, and the line holds the next receive already.
      if (hiding.line.messages[0] === hiding.head) consumer.lines.drop(hiding.line);
      hiding.tell({ status: "settled" });
    }
  };

  /** Nothing may be lost: it stays in its queue, and is tried again when its visibility ends. */
  const leaveStuck = (consumer: Consumer, { line, head, tell }: Leaving): void => {
    const error = new PayloadTooLargeError(
      `job ${head.jobId} does not fit into the dead letter queue ${consumer.queue.dead.name}: raise its MaximumMessageSize`,
    );
    log.error("a dead letter does not fit; the job stays in its queue", {
      queue: consumer.queue.name,
      error,
    });
    consumer.keeper.abandon([line], new Set([head.id]));
    tell({ status: "failed", error });
  };

  const settle: Settling["settle"] = async (consumer, settlements) => {
    const results: (SettleResult | null)[] = settlements.map(() => null);
    const endings: Ending[] = [];
    const hidings: Hiding[] = [];
    const doubts: unknown[] = [];
    const now = clock.monotonic();
    for (const [index, settlement] of settlements.entries()) {
      const { token, queue } = settlement.lease;
      const tell = (result: SettleResult): void => void (results[index] = result);
      const before = told.get(token);
      const line = consumer.lines.leased(token, now);
      const head = line?.messages[0];
      if (before !== undefined) {
        told.delete(token);
        tell(before);
      } else if (line === null || head === undefined) tell({ status: "lost" });
      else {
        const plan = planner.plan(consumer, settlement, head, now);
        consumer.lines.settling(line, now);
        const leaving = { line, head, tell, doubt: (error: unknown) => void doubts.push(error) };
        if (plan.kind === "end") endings.push({ ...leaving, queue, copies: plan.copies, own: plan.own });
        else if (plan.kind === "hide") hidings.push({ ...leaving, forMs: plan.forMs, change: plan.change });
        else if (plan.kind === "stuck") leaveStuck(consumer, leaving);
        else {
          if (plan.kind === "park") consumer.lines.park(line, plan.key, now);
          else {
            memory.remember(head.id, plan.change);
            consumer.lines.delay(line, plan.dueAt, now);
          }
          tell({ status: "settled" });
        }
      }
    }
    await Promise.all([end(consumer, endings), hide(consumer, hidings)]);
    consumer.wake();
    return conclude(consumer, settlements, results, doubts);
  };

  /** Throws when any fate is unknown, and keeps what is known for the next call. */
  const conclude = (
    consumer: Consumer,
    settlements: readonly Settlement[],
    results: readonly (SettleResult | null)[],
    doubts: readonly unknown[],
  ): SettleResult[] => {
    const known = results.filter((result) => result !== null);
    if (known.length === results.length) return known;
    for (const [index, result] of results.entries()) {
      if (result !== null && result.status !== "lost")
        told.set(settlements[index]?.lease.token ?? "", result);
    }
    while (told.size > maxTold) told.delete(told.keys().next().value ?? "");
    throw unavailable(
      // What only an operator can change comes first: an outage ends by itself.
      doubts.find((error) => error instanceof SqsCallError && error.kind !== "unavailable") ??
        doubts[0] ??
        new Error(`settlements on queue ${consumer.queue.name} were not confirmed`),
    );
  };

  return {
    settle,
    bury(consumer, line) {
      const head = line.messages[0] as HeldMessage;
      log.error("a message was received too often without an end; it becomes a dead letter", {
        queue: consumer.queue.name,
        job_id: head.jobId,
        receives: head.receiveCount,
      });
      const plan = planner.bury(consumer, head);
      consumer.lines.settling(line, clock.monotonic());
      const queue = consumer.queue.logical[0] ?? consumer.queue.name;
      const doubt = (error: unknown): void => log.warn("a dead letter was not written", { queue, error });
      const leaving = { line, head, tell: () => undefined, doubt };
      if (plan.kind !== "end") return leaveStuck(consumer, leaving);
      void end(consumer, [{ ...leaving, queue, copies: plan.copies, own: plan.own }])
        .catch((error: unknown) => log.debug("a dead letter was not written", { error }))
        // Not confirmed: its visibility ends, and it comes again.
        .then(() => line.messages[0] === head && consumer.keeper.abandon([line], new Set([head.id])));
    },
  };
}
