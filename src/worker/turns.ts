import { hasWork, type Lane } from "./lane.ts";
import type { Permits } from "./permits.ts";

/** The kind of slot an attempt runs on. */
export type Slot = "shared" | "extra";

/**
 * Whose turn it is: two rings of lanes that have something waiting.
 *
 * Lanes with nothing in flight come first, and may use a slot beyond the shared ones; lanes with something
 * in flight go round for the shared slots that are left, up to their share. A lane at its share is set
 * aside and comes back when shares grow.
 */
export interface Turns {
  /** Puts a lane in line, if it has something waiting and may have a turn. */
  enlist(lane: Lane): void;
  /**
   * Counts the lane among the endpoints with work, or no longer. To be called after every change to it, its
   * gate's included: a gate opens and closes by itself.
   */
  recount(lane: Lane): void;
  /**
   * The next lane that may start, and on which slot, which is taken; null when there is none.
   *
   * @param pass The last word: false = not now, the lane leaves the line until it is enlisted again.
   */
  next(pass: (lane: Lane) => boolean): { readonly lane: Lane; readonly slot: Slot } | null;
  /** Gives a lane's slot back. */
  release(lane: Lane, slot: Slot): void;
  /** Endpoints with work. */
  readonly active: number;
  /** Whether anybody stands in line. */
  readonly isWaitedFor: boolean;
  /** Whether a lane with nothing in flight stands in line. */
  readonly hasFresh: boolean;
}

export interface TurnsOptions {
  /** Shared slots there are, for the fair share. */
  readonly concurrency: number;
  readonly slots: Permits;
  readonly extra: Permits;
}

export function createTurns({ concurrency, slots, extra }: TurnsOptions): Turns {
  const fresh: Lane[] = [];
  const more: Lane[] = [];
  const atShare = new Set<Lane>();
  let active = 0;

  const share = (lane: Lane): number =>
    lane.ownConcurrency ?? Math.max(1, Math.floor(concurrency / Math.max(1, active)));

  const mayExceed = (): boolean => extra.isAvailable() && slots.mayExceed();

  const enlist = (lane: Lane): void => {
    if (lane.isQueued || lane.waiting.length === 0 || lane.timer !== null) return;
    if (lane.running > 0 && lane.running >= share(lane)) {
      atShare.add(lane);
      return;
    }
    lane.isQueued = true;
    (lane.running === 0 ? fresh : more).push(lane);
  };

  const search = (
    ring: Lane[],
    slotFor: (lane: Lane) => Slot | "none" | "skip",
    pass: (lane: Lane) => boolean,
  ): { lane: Lane; slot: Slot } | null => {
    for (let left = ring.length; left > 0; left -= 1) {
      const lane = ring.shift() as Lane;
      lane.isQueued = false;
      if (lane.waiting.length === 0) continue;
      const slot = slotFor(lane);
      if (slot === "none") {
        lane.isQueued = true;
        ring.unshift(lane);
        return null;
      }
      if (slot !== "skip" && pass(lane)) return { lane, slot };
    }
    return null;
  };

  return {
    enlist,
    recount(lane) {
      const isActive = hasWork(lane);
      if (isActive === lane.isActive) return;
      lane.isActive = isActive;
      active += isActive ? 1 : -1;
      if (isActive) return;
      // Fewer to share with: lanes that stood at their share may go on.
      const aside = [...atShare];
      atShare.clear();
      for (const other of aside) enlist(other);
    },
    next(pass) {
      const found =
        search(fresh, () => (slots.isAvailable() ? "shared" : mayExceed() ? "extra" : "none"), pass) ??
        (slots.isAvailable()
          ? search(
              more,
              (lane) => {
                if (lane.running < share(lane)) return "shared";
                atShare.add(lane);
                return "skip";
              },
              pass,
            )
          : null);
      if (found !== null) (found.slot === "shared" ? slots : extra).take();
      return found;
    },
    release(lane, slot) {
      (slot === "shared" ? slots : extra).give();
      if (lane.running > 0 || !lane.isQueued) return;
      // It stands among those with one in flight; now it is owed a first.
      const place = more.indexOf(lane);
      if (place < 0) return;
      more.splice(place, 1);
      lane.isQueued = false;
    },
    get active() {
      return active;
    },
    get isWaitedFor() {
      return fresh.length > 0 || more.length > 0;
    },
    get hasFresh() {
      return fresh.length > 0;
    },
  };
}
