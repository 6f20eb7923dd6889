/** Delays for a loop whose backend is away: doubling, capped, with full jitter's upper half. */
export interface Backoff {
  /** The next delay in ms; grows until `reset`. */
  next(): number;
  reset(): void;
}

/**
 * Jitter keeps the processes of a fleet from knocking in step at a backend that just came back.
 *
 * @param random Numbers in [0, 1); Math.random, or a fake in tests.
 */
export function createBackoff(
  options: { readonly initialMs: number; readonly maxMs: number },
  random: () => number = Math.random,
): Backoff {
  let current = options.initialMs;
  return {
    next() {
      const delay = current * (0.5 + random() / 2);
      current = Math.min(current * 2, options.maxMs);
      return delay;
    },
    reset() {
      current = options.initialMs;
    },
  };
}
