import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";

/** How much of its room a queue's dead letters take. */
export interface DeadFill {
  /** 0 to 1, and more where the room is exceeded. */
  readonly share: number;
  /** What takes how much of what, as in `85000 of 100000 dead letters, 12 of 64 MiB`. */
  readonly usage: string;
  /** The endpoints with most, as in `shop/hook (80), shop/other (3)`. */
  readonly largest: string;
}

/** Watches one queue's room for dead letters. */
export interface DeadFillWatch {
  /** To be called when letters came or went. `describe` is asked only where something has to be said. */
  look(share: number, describe: () => Omit<DeadFill, "share">): void;
  /** The finding `dead_letters_fill`; null while there is room. */
  finding(): Finding | null;
}

/** Contract: warned and degraded from 80 % on (faults.md A4). */
const from = 0.8;
/** It is over only well below, so that a queue at the limit does not log a line per letter. */
const until = 0.75;

/** A watch that logs when the room becomes short and when it is there again. */
export function createDeadFillWatch(
  queue: string,
  { log, clock }: { readonly log: Logger; readonly clock: Clock },
): DeadFillWatch {
  let since: number | null = null;
  let describeNow: () => Omit<DeadFill, "share"> = () => ({ usage: "", largest: "" });

  return {
    look(share, describe) {
      describeNow = describe;
      if (since === null && share >= from) {
        since = clock.now();
        const { usage, largest } = describe();
        log.warn("dead letters take most of their room; the oldest go first when it is full", {
          queue,
          usage,
          endpoints_with_most: largest,
        });
      } else if (since !== null && share < until) {
        since = null;
        log.info("dead letters have room again", { queue, usage: describe().usage });
      }
    },
    finding() {
      if (since === null) return null;
      const { usage, largest } = describeNow();
      const detail = `${usage}; the oldest go first when it is full; most at ${largest}`.slice(0, 500);
      return { kind: "dead_letters_fill", object: queue, since, detail };
    },
  };
}
