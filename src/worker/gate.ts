import type { Outcome } from "../delivery/outcome.ts";

/**
 * What one endpoint allows in this process, over all queues: its own limits, breaker and pause.
 *
 * The lanes ask it before each grant and tell it how each attempt ended.
 */
export interface Gate {
  /** True while nothing may start until further notice: what waits here is parked in the backend. */
  readonly isClosed: boolean;
  /**
   * Takes one start if it is allowed now.
   *
   * @returns 0 when it was taken, else the milliseconds after which asking again makes sense.
   */
  tryStart(): number;
  /** Gives a start back that was not used. */
  cancel(): void;
  /** Reports an attempt's end. */
  ended(outcome: Outcome): void;
  /** Called whenever it opened or closed, or more may start than before. */
  onChange(listener: () => void): void;
}

/** A gate that is always open. */
export const openGate: Gate = {
  isClosed: false,
  tryStart: () => 0,
  cancel: () => undefined,
  ended: () => undefined,
  onChange: () => undefined,
};
