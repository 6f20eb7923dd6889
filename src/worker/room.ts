import type { Delivery } from "./delivery.ts";
import { freePlaces, type Lane } from "./lane.ts";
import { createPace } from "./pace.ts";

/**
 * The room for leases that wait in this process for their turn.
 *
 * What waits here is renewed by heartbeats and kept from other processes, so there is an end to it:
 * `capacity`, beside the free places that every lane has. While several lanes have more than those, each may
 * fill its part of the capacity. When the room gets short, a lane that holds more than it can soon start
 * (its window, pace.ts) is cut back to that, and takes no more than that while it has jobs parked: a slow
 * endpoint's backlog must not stand between the worker and others' jobs.
 */
export interface Room {
  put(lane: Lane, delivery: Delivery): void;
  /** To be called when something still waits in the lane after all were asked to start. */
  watch(lane: Lane): void;
  /** Takes out the lane's next delivery, to be started. */
  next(lane: Lane): Delivery;
  /** Takes out what waits beyond the first `keep`. */
  cut(lane: Lane, keep: number): Delivery[];
  /** To be called when the lane's running count changed. */
  weigh(lane: Lane): void;
  /** Whether one more of this lane must be parked. */
  isFull(lane: Lane): boolean;
  /** Whether the lane needs nothing of what it has parked. */
  isSupplied(lane: Lane): boolean;
  /** How many parked deliveries a lane that is not supplied may take: no more than fit into its window. */
  wanted(lane: Lane): number;
  /** How many more leases there is room for. */
  space(): number;
  /** Resolves when `isEnough`, when the signal aborts, or after a second. One caller at a time. */
  waitUntil(isEnough: () => boolean, signal: AbortSignal): Promise<void>;
  /** Tells the caller of waitUntil to look again. */
  wake(): void;
  close(): void;
}

export interface RoomOptions {
  readonly capacity: number;
  /** Puts aside what a lane had beyond its window; null where there is nobody to make room for. */
  readonly trim: ((lane: Lane, deliveries: readonly Delivery[]) => void) | null;
  /** Told when the lanes' windows may have changed. */
  readonly windowsChanged: () => void;
}

/** Waiting for room is watched over by the supervisor, which takes silence for a stall. */
const longestWaitMs = 1_000;

export function createRoom({ capacity, trim, windowsChanged }: RoomOptions): Room {
  /** Lanes with more waiting than their free places. */
  const crowded = new Set<Lane>();
  /** Deliveries waiting beyond the lanes' free places. */
  let counted = 0;
  let wake: (() => void) | null = null;
  let isTrimmed = false;

  const space = (): number => Math.max(0, capacity - counted);
  const part = (): number => Math.max(1, Math.ceil(capacity / Math.max(1, crowded.size)));
  const limit = (lane: Lane): number => Math.max(freePlaces(lane), Math.min(lane.window, part()));

  const weigh = (lane: Lane): void => {
    const weight = Math.max(0, lane.waiting.length - freePlaces(lane));
    if (weight === lane.weight) return;
    const isLess = weight < lane.weight;
    counted += weight - lane.weight;
    if (weight === 0) crowded.delete(lane);
    else crowded.add(lane);
    lane.weight = weight;
    if (isLess) wake?.();
  };
  const cut = (lane: Lane, keep: number): Delivery[] => {
    const out = lane.waiting.splice(keep);
    weigh(lane);
    return out;
  };
  const trimAll = (): void => {
    isTrimmed = true;
    if (trim === null) return;
    for (const lane of crowded) {
      const keep = limit(lane);
      if (lane.waiting.length > keep) trim(lane, cut(lane, keep));
    }
  };
  // Windows change with each look only, so that trimming more often would find nothing.
  const pace = createPace(() => {
    isTrimmed = false;
    windowsChanged();
    if (wake !== null) trimAll();
  });

  return {
    put(lane, delivery) {
      lane.waiting.push(delivery);
      weigh(lane);
    },
    watch: (lane) => pace.watch(lane),
    next(lane) {
      const delivery = lane.waiting.shift() as Delivery;
      pace.started(lane);
      weigh(lane);
      return delivery;
    },
    cut,
    weigh,
    isFull(lane) {
      const { length } = lane.waiting;
      if (trim === null || length < freePlaces(lane)) return false;
      // What comes now goes behind what was parked before; and where others may need the room, a lane gets
      // no more of it than it can use.
      if (lane.mayHaveParked || counted > capacity / 2) return length >= limit(lane);
      return crowded.size > 1 && length >= part();
    },
    isSupplied: (lane) => lane.waiting.length > limit(lane) / 2,
    wanted: (lane) => Math.max(1, Math.ceil(limit(lane) / 2)),
    space,
    waitUntil(isEnough, signal) {
      if (!isEnough() && !isTrimmed) trimAll();
      if (isEnough() || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const settle = (): void => {
          wake = null;
          clearTimeout(timer);
          signal.removeEventListener("abort", settle);
          resolve();
        };
        const timer = setTimeout(settle, longestWaitMs);
        signal.addEventListener("abort", settle, { once: true });
        wake = () => {
          if (isEnough()) settle();
        };
      });
    },
    wake: () => wake?.(),
    close: () => pace.stop(),
  };
}
