import type { Clock } from "../../../../clock.ts";
import type { MessageLines } from "./message-lines.ts";

/** Lease calls that wait for messages. */
export interface Demand {
  /** Waits for something new, at most until `until` (monotonic ms); `max` messages count as wanted meanwhile. */
  wait(max: number, until: number, signal: AbortSignal): Promise<void>;
  /** Lets all of them look again. */
  readonly wake: () => void;
  /** Whether any call waits. */
  readonly isThere: boolean;
}

export interface DemandOptions {
  readonly lines: MessageLines;
  readonly clock: Clock;
  /** Monotonic ms before which no poll may start. */
  readonly nextPollAt: () => number;
  /** Starts polls for so many messages beyond those at hand; the call that waits longest waits so long. */
  readonly ask: (count: number, waitMs: number) => void;
}

export function createDemand({ lines, clock, nextPollAt, ask }: DemandOptions): Demand {
  const wants = new Map<() => void, { readonly max: number; readonly until: number }>();

  const askForAll = (): void => {
    const now = clock.monotonic();
    let count = -lines.readyCount;
    let until = now;
    for (const want of wants.values()) {
      count += want.max;
      if (want.until > until) until = want.until;
    }
    if (count > 0) ask(count, until - now);
  };

  return {
    wait: (max, until, signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          wants.delete(done);
          resolve();
        };
        const now = clock.monotonic();
        const pollAt = nextPollAt();
        const nextLook = Math.min(until, lines.nextDueAt(), pollAt > now ? pollAt : Infinity);
        const timer = setTimeout(done, Math.max(1, nextLook - now));
        signal.addEventListener("abort", done, { once: true });
        wants.set(done, { max, until });
        askForAll();
      }),
    wake() {
      for (const waiter of wants.keys()) waiter();
    },
    get isThere() {
      return wants.size > 0;
    },
  };
}
