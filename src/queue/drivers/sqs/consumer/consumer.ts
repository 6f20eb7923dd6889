import type { Clock } from "../../../../clock.ts";
import type { Logger } from "../../../../log.ts";
import type { DriverEvents, ExtendResult, Lease, LeaseOptions } from "../../../driver.ts";
import type { SqsApi } from "../api.ts";
import type { AttemptMemory } from "../attempts.ts";
import { createDemand } from "./demand.ts";
import { createDeletions, type Deletions } from "./deletions.ts";
import { createEnded, type Ended } from "./ended.ts";
import { unavailable } from "../errors.ts";
import { createExtend } from "./extend.ts";
import { createKeeper, type Keeper } from "./keeper.ts";
import { createHandOut } from "./hand-out.ts";
import type { MessageLine } from "./message-line.ts";
import { createMessageLines, type MessageLines } from "./message-lines.ts";
import type { HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";
import { createGroupRate, unlimitedRate } from "./rate.ts";
import { createReceiver } from "./receive.ts";
import { createTakeIn } from "./take-in.ts";
import { orAborted } from "../../../../wait.ts";

/** What one SQS queue gives this process: one consumer per URL, also when several queues share it. */
export interface Consumer {
  readonly queue: SqsQueue;
  readonly lines: MessageLines;
  readonly keeper: Keeper;
  readonly ended: Ended;
  readonly deletions: Deletions;
  lease(queue: string, options: LeaseOptions): Promise<Lease[]>;
  extend(tokens: readonly string[], leaseMs: number): Promise<ExtendResult[]>;
  /** Lets waiting lease calls look again. */
  wake(): void;
  /** A first receive that proves the permission; what it brings waits for the first lease call. */
  prime(): Promise<void>;
  pause(queue: string): void;
  resume(queue: string): void;
  isPaused(queue: string): boolean;
  /** Stops polling, then gives back what is held and not leased; delays are kept. */
  close(): Promise<void>;
}

export interface ConsumerOptions {
  readonly queue: SqsQueue;
  readonly api: SqsApi;
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  readonly maxMessages: number;
  readonly waitTimeSeconds: number;
  readonly pollingWaitTimeMs: number;
  readonly visibilityTimeoutSeconds: number;
  readonly groupRate: number | null;
  /** A message that has been received this often without an end is given up; see settling/action.ts. */
  readonly isReceivedTooOften: (message: HeldMessage) => boolean;
  /** Makes a dead letter of the head of an offered line. */
  readonly giveUp: (consumer: Consumer, line: MessageLine) => void;
}

export function createConsumer(options: ConsumerOptions): Consumer {
  const { queue, api, memory, clock, log } = options;
  const lines = createMessageLines({
    fifo: queue.fifo,
    rate: options.groupRate === null ? unlimitedRate : createGroupRate(options.groupRate),
  });
  const ended = createEnded(clock);
  const paused = new Set<string>();
  let leaseMs = options.visibilityTimeoutSeconds * 1000;
  let closed = false;
  let lastError: { error: unknown; at: number } | null = null;

  const demand = createDemand({
    lines,
    clock,
    nextPollAt: () => receiver.nextPollAt,
    ask(count, waitMs) {
      if (!deletions.isFull) receiver.pump(count, waitMs, leaseMs);
    },
  });
  const { wake } = demand;

  const keeper = createKeeper({
    queue,
    api,
    lines,
    memory,
    clock,
    log,
    events: options.events,
    ended,
    deletions: () => deletions,
    leaseMs: () => leaseMs,
    wanted: () => demand.isThere && paused.size < queue.logical.length,
    onReady: wake,
    onSurplus: () => receiver.beModest(),
  });

  const deletions = createDeletions({
    queue,
    api,
    lines,
    memory,
    ended,
    clock,
    log,
    abandon: (line, head) => keeper.abandon([line], new Set([head.id])),
    onDeleted: wake,
  });

  const receiver = createReceiver({
    queue,
    api,
    clock,
    maxMessages: options.maxMessages,
    waitTimeSeconds: options.waitTimeSeconds,
    pollingWaitTimeMs: options.pollingWaitTimeMs,
    onMessages(messages) {
      lastError = null;
      if (messages.length > 0) takeIn(messages);
      wake();
    },
    onError(error) {
      lastError = { error, at: clock.monotonic() };
      wake();
    },
  });

  const takeIn = createTakeIn({
    lines,
    keeper,
    memory,
    ended,
    deletions,
    clock,
    events: options.events,
    leaseMs: () => leaseMs,
    isShut: () => closed || paused.size === queue.logical.length,
  });
  const handOut = createHandOut({
    lines,
    keeper,
    memory,
    ended,
    deletions,
    clock,
    isReceivedTooOften: options.isReceivedTooOften,
    giveUp: (line) => options.giveUp(consumer, line),
  });

  const consumer: Consumer = {
    queue,
    lines,
    keeper,
    ended,
    deletions,
    wake,

    async lease(name, request) {
      leaseMs = request.leaseMs;
      const startedAt = clock.monotonic();
      const until = startedAt + request.waitMs;
      let glanced = false;
      for (;;) {
        if (closed || request.signal.aborted) return [];
        if (!paused.has(name)) {
          const taken = await handOut(name, request);
          if (taken.length > 0) {
            keeper.watch();
            return taken;
          }
        }
        const error: { error: unknown; at: number } | null = lastError;
        if (error !== null && error.at >= startedAt) throw unavailable(error.error);
        if (clock.monotonic() >= until) {
          if (glanced || request.waitMs > 0 || paused.has(name) || deletions.isFull) return [];
          glanced = true;
          await orAborted(receiver.glance(request.max, leaseMs), request.signal);
        } else if (paused.has(name)) {
          await demand.wait(0, until, request.signal);
        } else await demand.wait(request.max, until, request.signal);
      }
    },

    extend: createExtend({ queue, lines, keeper, clock }),

    async prime() {
      const at = clock.monotonic();
      await receiver.glance(1, leaseMs);
      const failed: { error: unknown; at: number } | null = lastError;
      if (failed !== null && failed.at >= at) throw failed.error;
    },

    pause(name) {
      paused.add(name);
      if (paused.size < queue.logical.length) return;
      keeper.abandon([...lines.all()].filter(({ state }) => state === "ready"));
    },
    resume(name) {
      paused.delete(name);
      wake();
    },
    isPaused: (name) => paused.has(name),

    async close() {
      closed = true;
      wake();
      keeper.stop();
      await receiver.stop(options.waitTimeSeconds * 1000 + 1_000);
      const now = clock.monotonic();
      const inState = (...states: readonly MessageLine["state"][]): MessageLine[] =>
        [...lines.all()].filter(({ state }) => states.includes(state));
      // What waits behind a lease goes back too; the lease itself ends by itself.
      const behind = inState("leased", "settling", "ended").flatMap(({ messages }) => messages.splice(1));
      if (behind.length > 0) void keeper.giveBack(behind);
      void keeper.sendAway(
        inState("delayed").map((line) => ({ line, forMs: Math.max(0, line.dueAt - now) })),
      );
      keeper.abandon(inState("ready", "parked", "offered"));
      await Promise.all([keeper.settled(), deletions.flush()]);
    },
  };
  return consumer;
}
