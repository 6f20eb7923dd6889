import type { Delivery } from "../delivery.ts";
import type { Gate } from "../../endpoints/gate.ts";

/** How a lane stands; the states are described in scheduler.ts. */
export type LaneState = "idle" | "first" | "next" | "capped" | "gated";

/**
 * One endpoint's deliveries of one queue in this process: those waiting for their turn, and how many run.
 *
 * Its fields are written in this file only. Who starts when is the scheduler's to decide (scheduler.ts), how
 * many may wait here the prefetch's (prefetch.ts).
 */
export interface Lane {
  /** The endpoint's label: also the key its jobs are parked under. */
  readonly key: string;
  readonly gate: Gate;
  /** The endpoint's own `concurrency`; null = its fair share. */
  readonly ownConcurrency: number | null;
  readonly state: LaneState;
  /** Counted among the endpoints with work, which share the slots. */
  readonly isActive: boolean;
  /** Its gate was closed when it was asked last. */
  readonly isClosed: boolean;
  readonly waiting: readonly Delivery[];
  /** Attempts in flight. */
  readonly running: number;
  /** Jobs of it may be parked in the backend. */
  readonly mayHaveParked: boolean;
  /** Of its waiting deliveries, those beyond its free places, which take up room. */
  readonly weight: number;
  /** Waiting deliveries that it can use soon; Infinity until something is known of its pace. */
  readonly window: number;
  /** Its pace is being measured. */
  readonly isWatched: boolean;
}

/** The fields as this file sees them. */
type OpenLane = { -readonly [Field in keyof Lane]: Lane[Field] } & {
  waiting: Delivery[];
  /** Starts since the last look at its pace, in the look before, and in two looks as of the last one. */
  starts: number;
  startsBefore: number;
  recentBefore: number;
};

export function createLane(key: string, gate: Gate, ownConcurrency: number | null): Lane {
  const lane: OpenLane = {
    key,
    gate,
    ownConcurrency,
    state: "idle",
    isActive: false,
    isClosed: false,
    waiting: [],
    running: 0,
    mayHaveParked: false,
    weight: 0,
    window: Infinity,
    isWatched: false,
    starts: 0,
    startsBefore: 0,
    recentBefore: 0,
  };
  return lane;
}

/** Adds a delivery behind those that wait. */
export function addWaiting(lane: Lane, delivery: Delivery): void {
  (lane as OpenLane).waiting.push(delivery);
}

/** Takes the next delivery out and counts it as running; there must be one. */
export function startNext(lane: Lane): Delivery {
  const open = lane as OpenLane;
  const delivery = open.waiting.shift();
  if (delivery === undefined) throw new Error(`lane ${lane.key}: nothing waits that could start`);
  open.running += 1;
  open.starts += 1;
  return delivery;
}

/** Takes out the deliveries that the test names, in their order. */
export function takeWaiting(lane: Lane, isMeant: (delivery: Delivery) => boolean): Delivery[] {
  const open = lane as OpenLane;
  const taken = open.waiting.filter(isMeant);
  if (taken.length > 0) open.waiting = open.waiting.filter((delivery) => !taken.includes(delivery));
  return taken;
}

export function setOwnConcurrency(lane: Lane, ownConcurrency: number | null): void {
  (lane as OpenLane).ownConcurrency = ownConcurrency;
}

/** An attempt ended. */
export function endRunning(lane: Lane): void {
  (lane as OpenLane).running -= 1;
}

/** Takes out what waits beyond the first `keep`. */
export function cutWaiting(lane: Lane, keep: number): Delivery[] {
  return (lane as OpenLane).waiting.splice(keep);
}

export function setParked(lane: Lane, mayHaveParked: boolean): void {
  (lane as OpenLane).mayHaveParked = mayHaveParked;
}

/** Writes down how the lane stands after an event, and what follows from its counts. */
export function settleState(lane: Lane, state: LaneState, isClosed: boolean): void {
  const open = lane as OpenLane;
  open.state = state;
  open.isClosed = isClosed;
  const waiting = open.waiting.length;
  open.isActive = open.running > 0 || waiting > 0 || (open.mayHaveParked && !isClosed);
  open.weight = waiting < 2 ? 0 : Math.max(0, waiting - freePlaces(lane));
}

/**
 * How many may always wait in a lane, whatever room there is: half of what runs, since attempts may end
 * together, and one at least.
 */
export function freePlaces(lane: Lane): number {
  return Math.max(1, Math.ceil(lane.running / 2));
}

/** Begins to measure how fast the lane takes what waits in it. */
export function watchPace(lane: Lane): void {
  const open = lane as OpenLane;
  open.isWatched = true;
  open.starts = 0;
  open.startsBefore = 0;
  // What is known from before holds until there is something newer.
  open.recentBefore = open.window;
}

/**
 * Sets the window to what the lane can use within two looks: as many as it started lately, and its free
 * places at least. A lane that started all it had could use more: its window doubles.
 *
 * Stops watching, and answers false, when the lane started nothing in two looks.
 */
export function lookAtPace(lane: Lane): boolean {
  const open = lane as OpenLane;
  const recent = open.starts + open.startsBefore;
  open.startsBefore = open.starts;
  open.starts = 0;
  // The better of the last two: in one, the process itself may have stood still, with receivers' answers
  // waiting to be read.
  if (open.waiting.length > 0) open.window = Math.max(freePlaces(lane), recent, open.recentBefore);
  else if (recent > 0) open.window *= 2;
  open.isWatched = recent > 0 || open.recentBefore > 0;
  open.recentBefore = recent;
  return open.isWatched;
}

export function unwatchPace(lane: Lane): void {
  (lane as OpenLane).isWatched = false;
}
