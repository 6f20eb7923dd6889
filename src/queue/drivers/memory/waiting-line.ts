import type { Clock } from "../../../clock.ts";
import type { Lease, LeaseOptions } from "../../driver.ts";
import type { JobEntry } from "./job-entry.ts";

/** The lease calls of one queue that found nothing and wait. */
export interface WaitingLine {
  /** Resolves with the leases of what `take` gives later, or with none when the time is over or the signal aborts. */
  wait(options: LeaseOptions): Promise<Lease[]>;
  /** To be called after anything that may have made a job leasable, or due earlier. */
  wake(): void;
  /** Answers everyone with nothing. */
  close(): void;
}

interface Waiter {
  readonly options: LeaseOptions;
  answer(leases: Lease[] | Promise<Lease[]>): void;
}

export interface WaitingLineOptions {
  /**
   * Leases what can be leased now; synchronous, so that a job is either handed to its waiter or still in the queue, and
   * an abort finds it in one of the two.
   */
  readonly take: (options: LeaseOptions) => JobEntry[];
  /** Makes leases of what was taken, in the same step: an entry may be gone in the next. */
  readonly readOut: (taken: readonly JobEntry[]) => Lease[] | Promise<Lease[]>;
  /** Monotonic ms of the next due time or lease end; null when there is none. */
  readonly nextDeadline: () => number | null;
  readonly clock: Clock;
}

/**
 * A line served in turn.
 *
 * There is one timer for the whole line, set to the nearest due time or lease end, and only while
 * somebody waits: an idle queue costs nothing, and a queue that nobody reads has no timers.
 */
export function createWaitingLine({ take, readOut, nextDeadline, clock }: WaitingLineOptions): WaitingLine {
  const waiters = new Set<Waiter>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let armedFor = Infinity;

  const disarm = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    armedFor = Infinity;
  };

  /** A timer that fires too early only looks again; one that would fire too late is replaced. */
  const arm = (): void => {
    const deadline = waiters.size === 0 ? null : nextDeadline();
    if (deadline === null) return disarm();
    if (deadline >= armedFor) return;
    disarm();
    armedFor = deadline;
    // setTimeout treats anything above 2^31-1 as 1 ms; rounded up, or it would fire just before the time.
    const delayMs = Math.min(Math.max(Math.ceil(deadline - clock.monotonic()), 0), 2_147_483_647);
    timer = setTimeout(() => {
      disarm();
      wake();
    }, delayMs);
  };

  const wake = (): void => {
    for (const waiter of waiters) {
      const taken = take(waiter.options);
      if (taken.length > 0) waiter.answer(readOut(taken));
    }
    arm();
  };

  return {
    wait: (options) =>
      new Promise((resolve) => {
        const waiter: Waiter = {
          options,
          answer(leases) {
            waiters.delete(waiter);
            clearTimeout(timeout);
            options.signal.removeEventListener("abort", giveUp);
            if (waiters.size === 0) disarm();
            resolve(leases);
          },
        };
        const giveUp = (): void => waiter.answer([]);
        const timeout = setTimeout(giveUp, Math.min(options.waitMs, 2_147_483_647));
        options.signal.addEventListener("abort", giveUp, { once: true });
        waiters.add(waiter);
        arm();
      }),
    wake,
    close() {
      for (const waiter of waiters) waiter.answer([]);
      disarm();
    },
  };
}
