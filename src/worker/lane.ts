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
  /** Jobs of it may be parked in the backend. */
  mayHaveParked: boolean;
  /** Waiting deliveries that it can use soon (pace.ts); Infinity until something is known of it. */
  window: number;
  /** Of its waiting deliveries, those that take up room (room.ts). */
  weight: number;
  /** Starts since the last look at its pace, in the look before, and in two looks as of the last one. */
  starts: number;
  startsBefore: number;
  recentBefore: number;
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
    mayHaveParked: false,
    window: Infinity,
    weight: 0,
    starts: 0,
    startsBefore: 0,
    recentBefore: 0,
    timer: null,
  };
}

/** Whether the endpoint competes for the shared slots. */
export function hasWork(lane: Lane): boolean {
  if (lane.running > 0 || lane.waiting.length > 0) return true;
  return lane.mayHaveParked && !lane.gate.isClosed;
}

/**
 * How many may always wait in it, whatever room there is: half of what runs, since attempts may end
 * together, and one at least.
 */
export function freePlaces(lane: Lane): number {
  return Math.max(1, Math.ceil(lane.running / 2));
}
