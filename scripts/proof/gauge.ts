import { now } from "./weather.ts";

/** A number that must not stay above a limit. */
export interface Gauge {
  readonly value: number;
  readonly most: number;
  /** The longest time on end that it stood above the limit, in ms. */
  longestAboveMs(): number;
  up(): void;
  down(): void;
}

/**
 * Counts what is in flight.
 *
 * A receiver learns of an attempt that was given up later than hookline does, so a moment above the limit says nothing;
 * what stays there does.
 */
export function createGauge(limit: number): Gauge {
  let value = 0;
  let most = 0;
  let since: number | null = null;
  let longest = 0;
  const look = (): void => {
    most = Math.max(most, value);
    if (value > limit) since ??= now();
    else if (since !== null) {
      longest = Math.max(longest, now() - since);
      since = null;
    }
  };
  return {
    get value() {
      return value;
    },
    get most() {
      return most;
    },
    longestAboveMs: () => Math.max(longest, since === null ? 0 : now() - since),
    up() {
      value += 1;
      look();
    },
    down() {
      value -= 1;
      look();
    },
  };
}
