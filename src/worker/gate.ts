import type { Outcome } from "../delivery/outcome.ts";

/**
 * What one endpoint allows in this process, over all queues: its own limits, breaker and pause.
 *
 * The lanes ask it before each grant and tell it how each attempt ended.
 */
export interface Gate {
  /** True while nothing may start for a good while: what waits here is parked in the backend. */
  readonly isClosed: boolean;
  /** True when its jobs are to be dead-lettered `endpoint_disabled`. */
  readonly isDisabled: boolean;
  /**
   * Takes one start if it is allowed now.
   *
   * @returns 0 when it was taken, else the milliseconds after which asking again makes sense; Infinity =
   *   when the gate says that it changed.
   */
  tryStart(): number;
  /** Reports the end of a start that was taken; null = no outcome (cut off, or not used at all). */
  ended(outcome: Outcome | null): void;
  /** Called whenever it opened, closed or was disabled, or more may start than before. */
  onChange(listener: () => void): void;
}
