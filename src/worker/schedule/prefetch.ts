import type { LeaseOptions } from "../../queue/driver.ts";
import { createBell } from "../../wait.ts";
import { freePlaces, lookAtPace, setParked, unwatchPace, watchPace, type Lane } from "./lane.ts";

/** What a lease call asks for. */
export type LeaseCall = Pick<LeaseOptions, "max" | "closedKeys" | "parkedMax">;

/**
 * How much to lease, and what to park.
 *
 * What waits here is renewed by heartbeats and kept from other processes, so there is an end to it:
 * `capacity`, beside the free places that every lane has. While several lanes have more than those, each may
 * fill its part of the capacity. When the capacity runs short, a lane that holds more than it can soon start
 * (its window, lane.ts) is cut back to that, and takes no more than that while it has jobs parked: a slow
 * endpoint's backlog must not stand between the worker and others' jobs.
 *
 * A lane's parked jobs stay in the backend while its gate is closed and while it has enough; each other lane
 * gets what fits into its window. Which lanes have jobs parked is known from what was parked and from what
 * calls brought. With one endpoint only nothing is parked for room, and nothing is leased while its gate is
 * closed.
 */
export interface Prefetch {
  /** What the next lease call asks for; null while there is not room enough to be worth a call. */
  next(): LeaseCall | null;
  /** Tells that what this call brought has been admitted, so that lanes with nothing left in the backend stop counting. */
  brought(count: number, call: LeaseCall): void;
  /** Resolves when there may be room for a call, when the signal aborts, or after a second. One caller at a time. */
  room(signal: AbortSignal): Promise<void>;
  /** Called with the key of a lane with parked jobs when it may take some. */
  onOpen(listener: (key: string) => void): void;
  /** How many more leases there is room for. */
  readonly space: number;
}

/** The scheduler's side of it. */
export interface PrefetchInside extends Prefetch {
  /** Whether one more of this lane must be parked. */
  isFull(lane: Lane): boolean;
  /** Of the call being admitted: one came for this lane, and waits or is parked again. */
  came(lane: Lane, isParked: boolean): void;
  /** The lane has jobs parked now. */
  parked(lane: Lane): void;
  /** The lane's endpoint is gone; nothing waits in it. What it has parked comes like that of any unknown key. */
  forget(lane: Lane): void;
  /** So many leases may wait here from now on. */
  setCapacity(capacity: number): void;
  /** Whether there is one endpoint only, from now on. */
  setSole(isSole: boolean): void;
  /** To be called after every change of the lane, with the weight it had before. */
  changed(lane: Lane, weightBefore: number): void;
  close(): void;
}

export interface PrefetchOptions {
  /** Leases that may wait here beside the lanes' free places. */
  readonly capacity: number;
  /** There is one endpoint only: nobody to make room for by parking. */
  readonly isSole: boolean;
  readonly lanes: ReadonlyMap<string, Lane>;
  /** Parks what waits in the lane beyond the first `keep`. */
  readonly trim: (lane: Lane, keep: number) => void;
  /** The lane has no jobs parked any more. */
  readonly place: (lane: Lane) => void;
}

/** A lane that turned slow keeps others from being leased for two or three times this. */
const lookMs = 10;
/** Waiting for room is watched over by the supervisor, which takes silence for a stall. */
const longestWaitMs = 1_000;

export function createPrefetch(options: PrefetchOptions): PrefetchInside {
  const { lanes, trim, place } = options;
  let { isSole, capacity } = options;
  /** Half the room at a time: a call for every single slot would cost a round trip per job. */
  let worthACall = Math.max(1, Math.floor(capacity / 2));
  /** Lanes with more waiting than their free places, and how many deliveries that is in all. */
  const crowded = new Set<Lane>();
  let counted = 0;
  const withParked = new Set<Lane>();
  /** Of the call being admitted: how many came, Infinity for a lane some of which were parked again. */
  const arrived = new Map<Lane, number>();
  let waiting = 0;
  /** Lanes that were open for the call under way. */
  let asked: readonly Lane[] = [];
  /** Made anew only after a change: with a thousand dead endpoints, a call must not look at each of them. */
  let known: { closedKeys: Set<string>; open: Lane[]; parkedMax: number } | null = null;
  /** What the next call asks for where that is more than there is room for. */
  let widened = 0;
  const watched = new Set<Lane>();
  let timer: ReturnType<typeof setInterval> | null = null;
  let isTrimmed = false;
  const opening = createBell();
  let tellOpen: (key: string) => void = () => undefined;

  const part = (): number => Math.max(1, Math.ceil(capacity / Math.max(1, crowded.size)));
  const limit = (lane: Lane): number => Math.max(freePlaces(lane), Math.min(lane.window, part()));
  const isSupplied = (lane: Lane): boolean => lane.waiting.length > limit(lane) / 2;

  /** With one endpoint only, nothing is fetched that would be parked at once. */
  const space = (): number => {
    if (isSole) for (const lane of lanes.values()) if (lane.isClosed) return 0;
    return Math.max(0, capacity - counted);
  };

  /** Space is counted while somebody waits for it only. */
  const tellRoom = (): void => {
    if (opening.isAwaited && space() >= worthACall) opening.ring();
  };

  const trimAll = (): void => {
    isTrimmed = true;
    if (isSole) return;
    for (const lane of crowded) if (lane.waiting.length > limit(lane)) trim(lane, limit(lane));
  };
  const stopLooking = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const look = (): void => {
    for (const lane of watched) if (!lookAtPace(lane)) watched.delete(lane);
    // Windows change here only, so that trimming more often would find nothing.
    isTrimmed = false;
    known = null;
    if (opening.isAwaited) trimAll();
    if (watched.size === 0) stopLooking();
  };
  const watch = (lane: Lane): void => {
    watchPace(lane);
    watched.add(lane);
    timer ??= setInterval(look, lookMs);
  };

  const setHasParked = (lane: Lane, value: boolean): void => {
    known = null;
    if (value) withParked.add(lane);
    else withParked.delete(lane);
    setParked(lane, value);
  };
  const sortParked = (): NonNullable<typeof known> => {
    const closedKeys = new Set<string>();
    const open: Lane[] = [];
    // Of a parked key that no lane is known for, as after a restart, a quarter of the room at most.
    let parkedMax = Math.ceil(capacity / 4);
    for (const lane of withParked) {
      if (lane.isClosed || isSupplied(lane)) closedKeys.add(lane.key);
      else {
        open.push(lane);
        parkedMax = Math.min(parkedMax, Math.max(1, Math.ceil(limit(lane) / 2)));
      }
    }
    return { closedKeys, open, parkedMax };
  };

  return {
    isFull(lane) {
      const { length } = lane.waiting;
      if (isSole || length < freePlaces(lane)) return false;
      // What comes now goes behind what was parked before; and where others may need the room, a lane gets
      // no more of it than it can use.
      if (lane.mayHaveParked || counted > capacity / 2) return length >= limit(lane);
      return crowded.size > 1 && length >= part();
    },

    came(lane, isParked) {
      if (isParked) setHasParked(lane, true);
      else waiting += 1;
      if (lane.mayHaveParked) arrived.set(lane, isParked ? Infinity : (arrived.get(lane) ?? 0) + 1);
    },
    parked: (lane) => setHasParked(lane, true),

    forget(lane) {
      if (lane.mayHaveParked) {
        setHasParked(lane, false);
        tellOpen(lane.key);
      }
      arrived.delete(lane);
      watched.delete(lane);
      unwatchPace(lane);
    },
    setCapacity(value) {
      capacity = value;
      worthACall = Math.max(1, Math.floor(capacity / 2));
      known = null;
      tellRoom();
    },
    setSole(value) {
      isSole = value;
      tellRoom();
    },

    changed(lane, weightBefore) {
      if (lane.weight !== weightBefore) {
        counted += lane.weight - weightBefore;
        if (lane.weight === 0) crowded.delete(lane);
        else crowded.add(lane);
        if (lane.weight < weightBefore) tellRoom();
      }
      if (lane.waiting.length > 0 && !lane.isWatched) watch(lane);
      if (lane.mayHaveParked) {
        known = null;
        if (!lane.isClosed && !isSupplied(lane)) tellOpen(lane.key);
      }
      if (isSole) tellRoom();
    },

    next() {
      const room = space();
      if (room < worthACall) return null;
      known ??= sortParked();
      asked = known.open;
      return { max: Math.max(room, widened), closedKeys: known.closedKeys, parkedMax: known.parkedMax };
    },
    brought(count, { max, parkedMax }) {
      // A call that was filled may have left any lane out. Otherwise each open lane got what there was for it.
      if (count < max) {
        for (const lane of asked) {
          if (!lane.mayHaveParked || (arrived.get(lane) ?? 0) >= parkedMax) continue;
          setHasParked(lane, false);
          place(lane);
        }
      }
      // A backlog that is only parked takes up no room: the sooner it is through, the sooner others' jobs come.
      widened = count > 0 && waiting === 0 ? 2 * max : 0;
      if (arrived.size > 0) arrived.clear();
      waiting = 0;
    },

    room(signal) {
      if (space() < worthACall && !isTrimmed) trimAll();
      return space() < worthACall ? opening.wait(longestWaitMs, signal) : Promise.resolve();
    },

    onOpen(listener) {
      tellOpen = listener;
    },
    get space() {
      return space();
    },
    close() {
      for (const lane of watched) unwatchPace(lane);
      watched.clear();
      stopLooking();
    },
  };
}
