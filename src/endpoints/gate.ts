import type { Outcome } from "../delivery/outcome.ts";

/**
 * What an endpoint says to one more attempt.
 *
 * - open: it may start.
 * - full: as many are in flight as its answers of 429 allow.
 * - later: not now, and soon enough to wait for here: its rate limit, a short hold, a probe under way.
 * - closed: not for a good while; what waits here is parked in the backend.
 * - disabled: its jobs are to be dead-lettered `endpoint_disabled`.
 */
export type Verdict = "open" | "full" | "later" | "closed" | "disabled";

/** The attempts to one endpoint are numbered by their starts: 1, 2 and so on. */
export interface Starts {
  /** The number of the one that started last; 0 before the first. */
  latest: number;
}

/**
 * What one endpoint allows in this process, over all queues: its own limits, breaker and mode.
 *
 * The scheduler asks it before each start and tells it how each attempt ended.
 */
export interface Gate {
  /** What it would say to a start; takes nothing. Costs no clock reading while nothing is wrong. */
  ask(): Verdict;
  /**
   * Takes one start, and answers its number, which `ended` is to be told. After any other answer the gate calls
   * its listeners as soon as asking again makes sense.
   */
  start(): number | Exclude<Verdict, "open">;
  /**
   * Reports the end of the start of this number; null = no outcome (cut off, or not used at all). What the
   * attempt says of a time that was over when it began is left out: that it is an open breaker's probe, for one.
   */
  ended(attempt: number, outcome: Outcome | null): void;
  /** Calls the listener whenever `ask` may answer something else than before. */
  onChange(listener: () => void): void;
}
