import type { Clock } from "../../../../clock.ts";
import { createBell } from "../../../../wait.ts";
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
  const news = createBell();
  const wants = new Set<{ readonly max: number; readonly until: number }>();

  const askForAll = (): void => {
    const now = clock.monotonic();
    let count = -lines.readyCount;
    let until = now;
    for (const want of wants) {
      count += want.max;
      if (want.until > until) until = want.until;
    }
    if (count > 0) ask(count, until - now);
  };

  return {
    async wait(max, until, signal) {
      const now = clock.monotonic();
      const pollAt = nextPollAt();
      const nextLook = Math.min(until, lines.nextDueAt(), pollAt > now ? pollAt : Infinity);
      const rung = news.wait(Math.max(1, nextLook - now), signal);
      const want = { max, until };
      wants.add(want);
      askForAll();
      await rung;
      wants.delete(want);
    },
    wake() {
      // At once, and not when the calls go on: who is woken wants nothing until it has looked.
      wants.clear();
      news.ring();
    },
    get isThere() {
      return wants.size > 0;
    },
  };
}
