import type { Clock } from "../../../../clock.ts";
import { orLate } from "../../../../wait.ts";
import type { SqsApi } from "../api.ts";
import { readMessage, type HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";

/** Polls at a time of one queue: four full ones hide a round trip at several thousand messages a second. */
const maxParallel = 8;
/**
 * Least time from a poll that brings nothing to the next. A long poll takes longer; without this, short polls of an idle
 * queue are thousands of requests a second and most of a core.
 */
const emptyPollMs = 200;
/** After surplus went back, receives ask for no more than is wanted, for so long. */
const modestMs = 30_000;

/**
 * Long polls of one SQS queue. They are started only for lease calls that wait, and then run to their end:
 * an aborted poll may take a message along that stays hidden until its visibility ends.
 *
 * One poll waits while the queue is quiet. A full answer doubles the number, an empty one sets it back to
 * one, so that bursts fill the buffer in parallel and an idle queue costs one request a wait time.
 */
export interface Receiver {
  /**
   * Starts as many polls as the demand asks for.
   *
   * @param demand Messages wanted beyond those at hand.
   * @param waitMs How long the caller that waits longest still waits.
   */
  pump(demand: number, waitMs: number, leaseMs: number): void;
  /** One poll that does not wait, unless `polling_wait_time_ms` forbids it now; resolves when its messages are taken in. */
  glance(max: number, leaseMs: number): Promise<void>;
  /** Monotonic ms before which `pump` starts nothing. */
  readonly nextPollAt: number;
  /** Surplus went back unused: be modest for a while. */
  beModest(): void;
  /** No more polls; resolves when the last one has come back, or after `maxMs`, when they are cut off. */
  stop(maxMs: number): Promise<void>;
}

export interface ReceiverOptions {
  readonly queue: SqsQueue;
  readonly api: SqsApi;
  readonly clock: Clock;
  readonly maxMessages: number;
  readonly waitTimeSeconds: number;
  readonly pollingWaitTimeMs: number;
  /** What a poll brought; empty arrays too. */
  readonly onMessages: (messages: readonly HeldMessage[]) => void;
  readonly onError: (error: unknown) => void;
}

export function createReceiver(options: ReceiverOptions): Receiver {
  const { queue, api, clock, maxMessages } = options;
  const { fifo } = queue;
  const pauseMs = options.pollingWaitTimeMs;
  /** Surplus would go back unused, and each receive counts. */
  const isAlwaysModest = queue.maxReceiveCount !== null;
  const polls = new Set<Promise<void>>();
  let asked = 0;
  let parallel = 1;
  let nextPollAt = 0;
  let mayGlanceAt = 0;
  let modestUntil = 0;
  let stopped = false;

  /** Sets when the next poll may start, after one that ends now; returns the time. */
  const pause = (earliest: number): number => {
    const at = clock.monotonic();
    mayGlanceAt = at + pauseMs;
    nextPollAt = Math.max(mayGlanceAt, earliest);
    return at;
  };

  const poll = async (
    max: number,
    waitSeconds: number,
    leaseMs: number,
    isGlance: boolean,
  ): Promise<void> => {
    const visibilitySeconds = Math.ceil(leaseMs / 1000);
    const emptyUntil = isGlance ? 0 : clock.monotonic() + emptyPollMs;
    asked += max;
    try {
      const received = await api.receive(queue, {
        max,
        waitSeconds,
        visibilitySeconds,
        fifo,
      });
      if (received.length === 0) parallel = 1;
      // One at a time where a pause is asked for between polls.
      else if (received.length >= max && pauseMs === 0) parallel = Math.min(maxParallel, parallel * 2);
      const at = pause(received.length === 0 ? emptyUntil : 0);
      asked -= max;
      options.onMessages(received.map((message) => readMessage(message, at, visibilitySeconds * 1000)));
    } catch (error) {
      parallel = 1;
      pause(emptyUntil);
      asked -= max;
      options.onError(error);
    }
  };

  const start = (wanted: number, waitSeconds: number, leaseMs: number, isGlance: boolean): Promise<void> => {
    // Surplus of a full receive is handed out by the next lease call, and saves half the requests.
    const isModest = (isAlwaysModest || clock.monotonic() < modestUntil) && !fifo;
    const max = isModest ? Math.min(maxMessages, wanted) : maxMessages;
    const work = poll(max, waitSeconds, leaseMs, isGlance);
    polls.add(work);
    void work.finally(() => polls.delete(work));
    return work;
  };

  return {
    pump(demand, waitMs, leaseMs) {
      if (stopped || clock.monotonic() < nextPollAt) return;
      const waitSeconds = Math.min(options.waitTimeSeconds, Math.ceil(waitMs / 1000));
      for (let free = parallel - polls.size; free > 0; free -= 1) {
        const missing = demand - asked;
        if (missing <= 0) return;
        void start(missing, waitSeconds, leaseMs, false);
      }
    },
    glance(max, leaseMs) {
      const isForbidden = stopped || clock.monotonic() < mayGlanceAt || (pauseMs > 0 && polls.size > 0);
      return isForbidden ? Promise.resolve() : start(max, 0, leaseMs, true);
    },
    get nextPollAt() {
      return nextPollAt;
    },
    beModest() {
      modestUntil = clock.monotonic() + modestMs;
    },
    async stop(maxMs) {
      stopped = true;
      await orLate(Promise.allSettled(polls), maxMs);
      if (polls.size > 0) api.cutPolls();
      await Promise.allSettled(polls);
    },
  };
}
