/** Time as the program sees it; replaced by a fake in tests. */
export interface Clock {
  /** Wall clock, epoch milliseconds. May jump either way: for timestamps that people and receivers see. */
  now(): number;
  /** Milliseconds that only ever grow: for leases, deadlines, delays and durations. */
  monotonic(): number;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
