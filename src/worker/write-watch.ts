import type { Clock } from "../clock.ts";
import { sleep, within } from "../wait.ts";
import { DriverUnavailableError, QueueFullError, StorageFullError } from "../errors.ts";
import { describeError } from "../log.ts";
import type { EnqueueResult, NewJob, QueueDriver } from "../queue/driver.ts";
import { createJointEnqueue } from "../queue/joint-enqueue.ts";
import type { BackendFaults } from "./backend-health.ts";

/**
 * Whether the backend takes what producers post.
 *
 * A queue refuses from the enqueue (or probe) that failed on until one succeeds. While a queue refuses, the
 * backend is asked once a second, so that the end is noticed when no producer tries any more, because a load
 * balancer follows /health/ready. Where the driver has no probe only time can tell: after `retryMs` producers
 * are let in again, and the problem is dropped when nobody has met it for `forgetMs`.
 */
export interface WriteWatch {
  /** The driver's enqueue; what becomes of it is noted. */
  enqueue(queue: string, jobs: readonly NewJob[]): Promise<EnqueueResult[]>;
  /**
   * Null while a queue takes writes, else why none does. Asks the backend, where the driver can, at most
   * once in `freshMs`; never rejects.
   */
  check(): Promise<string | null>;
  close(): void;
}

export interface WriteWatchOptions {
  readonly driver: QueueDriver;
  readonly queues: readonly string[];
  readonly faults: BackendFaults;
  readonly clock: Clock;
  /** The driver is open: before, there is nothing to ask. */
  readonly isOpen: () => boolean;
}

/** What a probe, and the waits between probes, may take. */
const probeTimeoutMs = 2_000;
const freshMs = 1_000;
const retryMs = 15_000;
const forgetMs = 300_000;

interface Refusal {
  readonly message: string;
  /** The last one, by the monotonic clock. */
  readonly at: number;
}

export function createWriteWatch(options: WriteWatchOptions): WriteWatch {
  const { driver, queues, faults, clock } = options;
  const enqueue = createJointEnqueue(driver);
  const refusals = new Map<string, Refusal>();
  const closing = new AbortController();
  let probedAt = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | null = null;
  let isWatching = false;

  const accepted = (queue: string): void => {
    refusals.delete(queue);
    faults.of(queue).ok("enqueue");
  };
  const refused = (queue: string, error: Error): void => {
    refusals.set(queue, { message: describeError(error).message, at: clock.monotonic() });
    faults.of(queue).fault("enqueue", error);
    void watch();
  };

  const probeOne = async (queue: string): Promise<void> => {
    try {
      await within(probeTimeoutMs, async (signal) => driver.probeWrite?.(queue, signal));
      accepted(queue);
    } catch (error) {
      refused(queue, error as Error);
    }
  };
  const probe = (): Promise<void> => {
    probing ??= Promise.all(queues.map(probeOne)).then(() => {
      probing = null;
      probedAt = clock.monotonic();
    });
    return probing;
  };

  const forgetOld = (): void => {
    for (const [queue, { at }] of refusals) {
      if (clock.monotonic() - at < forgetMs) continue;
      refusals.delete(queue);
      faults.of(queue).forget("enqueue");
    }
  };
  const watch = async (): Promise<void> => {
    if (isWatching) return;
    isWatching = true;
    while (refusals.size > 0 && !closing.signal.aborted) {
      await sleep(freshMs, closing.signal);
      if (closing.signal.aborted) break;
      if (driver.probeWrite === undefined) forgetOld();
      else await probe();
    }
    isWatching = false;
  };

  const standing = (): string | null => {
    const now = clock.monotonic();
    const canProbe = driver.probeWrite !== undefined;
    const current = [...refusals.values()].filter(({ at }) => canProbe || now - at < retryMs);
    return current.length < queues.length ? null : (current[0]?.message ?? null);
  };

  return {
    async enqueue(queue, jobs) {
      let results: EnqueueResult[];
      try {
        results = await enqueue(queue, jobs);
      } catch (error) {
        if (isRefusal(error)) refused(queue, error);
        throw error;
      }
      const last = results.findLast((result) => result.status !== "failed" || isRefusal(result.error));
      if (last?.status === "failed") refused(queue, last.error);
      else if (last !== undefined && refusals.has(queue)) accepted(queue);
      return results;
    },

    async check() {
      const isFresh = clock.monotonic() - probedAt < freshMs;
      const canAsk = driver.probeWrite !== undefined && options.isOpen() && !closing.signal.aborted;
      if (canAsk && !isFresh) await probe();
      return standing();
    },

    close: () => closing.abort(),
  };
}

/** Whether it is the backend that does not take jobs, and not this job that cannot be taken. */
function isRefusal(error: unknown): error is Error {
  return (
    error instanceof DriverUnavailableError ||
    error instanceof QueueFullError ||
    error instanceof StorageFullError
  );
}
