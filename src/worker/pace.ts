import { freePlaces, type Lane } from "./lane.ts";

/**
 * How fast each lane takes what waits in it, looked at every few milliseconds while anything waits.
 *
 * A lane's window is what it can use within two looks: as many as it started lately, and its free places at
 * least. What waits beyond that only stands in the way of others. A lane that started all it had could use
 * more: its window doubles.
 */
export interface Pace {
  /** Something waits in the lane. */
  watch(lane: Lane): void;
  /** A delivery of the lane starts. */
  started(lane: Lane): void;
  stop(): void;
}

/** A lane that turned slow keeps others from being leased for two or three times this. */
const lookMs = 10;

/** @param looked Called after each look at all lanes. */
export function createPace(looked: () => void): Pace {
  const watched = new Set<Lane>();
  let timer: ReturnType<typeof setInterval> | null = null;

  const look = (): void => {
    for (const lane of watched) {
      const recent = lane.starts + lane.startsBefore;
      lane.startsBefore = lane.starts;
      lane.starts = 0;
      // The better of the last two: in one, the process itself may have stood still, with receivers' answers
      // waiting to be read.
      if (lane.waiting.length > 0) lane.window = Math.max(freePlaces(lane), recent, lane.recentBefore);
      else if (recent > 0) lane.window *= 2;
      if (recent === 0 && lane.recentBefore === 0) watched.delete(lane);
      lane.recentBefore = recent;
    }
    looked();
    if (watched.size === 0) stop();
  };
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const watch = (lane: Lane): void => {
    if (watched.has(lane)) return;
    watched.add(lane);
    lane.starts = 0;
    lane.startsBefore = 0;
    // What is known from before holds until there is something newer.
    lane.recentBefore = lane.window;
    timer ??= setInterval(look, lookMs);
  };

  return {
    watch,
    started(lane) {
      if (lane.waiting.length > 0) watch(lane);
      lane.starts += 1;
    },
    stop() {
      watched.clear();
      stop();
    },
  };
}
