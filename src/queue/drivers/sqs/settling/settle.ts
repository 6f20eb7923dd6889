import type { Clock } from "../../../../clock.ts";
import { DriverUnavailableError, PayloadTooLargeError } from "../../../../errors.ts";
import type { Logger } from "../../../../log.ts";
import type { DriverEvents, Settlement, SettleResult } from "../../../driver.ts";
import type { SqsApi } from "../api.ts";
import type { AttemptMemory } from "../attempts.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { createEndings, type Ending } from "./endings.ts";
import { unavailable } from "../errors.ts";
import { createHidings, type Hiding } from "./hidings.ts";
import type { Leaving } from "./leaving.ts";
import type { MessageLine } from "../consumer/message-line.ts";
import type { HeldMessage } from "../message.ts";
import type { Actions } from "./action.ts";

export interface SettleOptions {
  readonly api: () => SqsApi;
  readonly actions: Actions;
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
}

/** The end of leases on one SQS queue. */
export interface Settling {
  /** As QueueDriver.settle, but answers `unknown` also for all. */
  settle(consumer: Consumer, settlements: readonly Settlement[]): Promise<SettleResult[]>;
  /** Makes a dead letter of a head that was received too often to be tried once more. */
  giveUp(consumer: Consumer, line: MessageLine): void;
}

/** Leases that are remembered because they may be settled again; older ones belong to workers that gave up. */
const maxDoubted = 10_000;

const unconfirmed: SettleResult = {
  status: "unknown",
  error: new DriverUnavailableError("sqs: the settlement was not confirmed"),
};

export function createSettling(options: SettleOptions): Settling {
  const { actions, memory, clock, log, events } = options;
  /** MessageIds of leases whose fate was not known: their jobs may have ended all the same. */
  const doubted = new Map<string, string>();

  const end = createEndings({ api: options.api, memory, clock, events });
  const hide = createHidings({ memory, clock });

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
    const results: SettleResult[] = settlements.map(() => unconfirmed);
    const endings: Ending[] = [];
    const hidings: Hiding[] = [];
    const now = clock.monotonic();
    for (const [index, settlement] of settlements.entries()) {
      const { token, queue } = settlement.lease;
      const tell = (result: SettleResult): void => void (results[index] = result);
      const line = consumer.lines.leased(token, now);
      const head = line?.messages[0];
      if (line === null || head === undefined) {
        // Its lease ran out while it was asked for again and again: it is deleted without the worker now.
        const hasEnded = consumer.ended.has(doubted.get(token) ?? "");
        tell({ status: hasEnded ? "settled" : "lost" });
      } else {
        const action = actions.choose(consumer, settlement, line, now);
        consumer.lines.settling(line, now);
        const doubt = (error: unknown): void => {
          tell({ status: "unknown", error: unavailable(error) });
          doubted.set(token, head.id);
          if (doubted.size > maxDoubted) doubted.delete(doubted.keys().next().value ?? "");
        };
        const leaving = { line, head, tell, doubt };
        if (action.kind === "end")
          endings.push({ ...leaving, queue, copies: action.copies, own: action.own });
        else if (action.kind === "hide")
          hidings.push({ ...leaving, forMs: action.forMs, change: action.change });
        else if (action.kind === "stuck") leaveStuck(consumer, leaving);
        else {
          if (action.kind === "park") consumer.lines.park(line, action.key, now);
          else {
            memory.remember(head.id, action.change);
            consumer.lines.delay(line, action.dueAt, now);
          }
          tell({ status: "settled" });
        }
      }
    }
    await Promise.all([end(consumer, endings), hide(consumer, hidings)]);
    consumer.wake();
    return results;
  };

  return {
    settle,
    giveUp(consumer, line) {
      const head = line.messages[0] as HeldMessage;
      log.error("a message was received too often without an end; it becomes a dead letter", {
        queue: consumer.queue.name,
        job_id: head.jobId,
        receives: head.receiveCount,
      });
      const action = actions.giveUp(consumer, head);
      consumer.lines.settling(line, clock.monotonic());
      const queue = consumer.queue.logical[0] ?? consumer.queue.name;
      const doubt = (error: unknown): void => log.warn("a dead letter was not written", { queue, error });
      const leaving = { line, head, tell: () => undefined, doubt };
      if (action.kind !== "end") return leaveStuck(consumer, leaving);
      void end(consumer, [{ ...leaving, queue, copies: action.copies, own: action.own }])
        .catch((error: unknown) => log.debug("a dead letter was not written", { error }))
        // Not confirmed: its visibility ends, and it comes again.
        .then(() => line.messages[0] === head && consumer.keeper.abandon([line], new Set([head.id])));
    },
  };
}
