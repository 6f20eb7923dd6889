import type { Delivery } from "./delivery.ts";
import type { Gate } from "./gate.ts";

/**
 * One endpoint's deliveries of one queue in this process: those waiting for their turn, and how many run.
 *
 * Plain data; the rules are in lanes.ts.
 */
export interface Lane {
  /** The endpoint's label: also the key its jobs are parked under. */
  readonly key: string;
  readonly gate: Gate;
  /** The endpoint's own `concurrency`; null = its fair share. */
  readonly ownConcurrency: number | null;
  readonly waiting: Delivery[];
  /** Attempts in flight. */
  running: number;
  /** Counted among the endpoints with work (turns.ts). */
  isActive: boolean;
  /** Stands in one of the two turn rings. */
  isQueued: boolean;
  /** Nothing moved while others needed the room: its jobs stay parked until something does. */
  isStuck: boolean;
  /** Jobs of it may be parked in the backend. */
  mayHaveParked: boolean;
  /** Asks the gate again. */
  timer: ReturnType<typeof setTimeout> | null;
}

export function createLane(key: string, gate: Gate, ownConcurrency: number | null): Lane {
  return {
    key,
    gate,
    ownConcurrency,
    waiting: [],
    running: 0,
    isActive: false,
    isQueued: false,
    isStuck: false,
    mayHaveParked: false,
    timer: null,
  };
}

/** Whether the endpoint competes for the shared slots. */
export function hasWork(lane: Lane): boolean {
  if (lane.running > 0 || lane.waiting.length > 0) return true;
  return lane.mayHaveParked && !lane.gate.isClosed;
}
