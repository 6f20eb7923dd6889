/** The kind of slot an attempt runs on: one of a queue's or group's own, or one beyond them. */
export type Slot = "shared" | "beyond";

/** One queue, as the slots see it. */
export interface SlotUser {
  /** Starts in a round (weighted); ignored by strict, where the order in the group counts. */
  readonly weight: number;
  /** Lanes that may start an attempt now. */
  readonly ready: number;
  /** Of these, lanes of endpoints with nothing in flight: they may start beyond the shared slots. */
  readonly firsts: number;
  /** Whether anything of the queue is in flight, or waits and is not held back by its endpoint. */
  readonly isBusy: boolean;
  /** Starts one attempt on this slot; false when nothing could start after all. */
  start(slot: Slot): boolean;
  /** Another queue's last attempt to this endpoint ended: it has nothing in flight now. */
  freed(key: string): void;
}

/**
 * The slots of a queue, or of a polling group (`queue.groups`): a queue alone is a group of one.
 *
 * A shared slot goes to a queue that has a lane ready. weighted: by turns, so that over as many starts as the
 * weights' sum each queue that always has work gets its weight; a queue without work leaves its turns to the
 * others, so that no slot stands idle. strict: to the first queue in the group's order that has a lane ready.
 *
 * A slot beyond the shared ones goes to an endpoint with nothing in flight from any queue of the group, while
 * webhooks.max_in_flight leaves any; in a strict group only while no queue before its own is busy. weighted: such a start
 * counts as a turn of its queue, so that the shared slots make up for it.
 *
 * Every queue polls by itself, so that an empty one's long poll never delays another (shoryuken#316).
 */
export interface Slots {
  /** Shared slots there are. */
  readonly total: number;
  /** So many shared slots from now on; who holds one beyond that keeps it to its end. */
  resize(total: number): void;
  /** Adds a queue, in the group's order. */
  join(user: SlotUser): void;
  /** Starts what may start. To be called after every event that may have made a lane ready. */
  offer(): void;
  /**
   * As `offer`, at the end of the tick: once for all that one lease call brought, so that the first endpoint
   * in it does not get every slot.
   */
  offerSoon(): void;
  /** Attempts to this endpoint that are in flight from other queues than the one with so many itself. */
  elsewhere(key: string, own: number): number;
  /** An attempt to this endpoint started, on a slot that was offered. */
  started(key: string): void;
  /** An attempt to this endpoint ended. Its slot is still to be released. */
  ended(key: string): void;
  /** Takes back the slot of an attempt that ended, and offers what is free. */
  release(slot: Slot): void;
  /** No more starts: the process is stopping. */
  close(): void;
}

/** Slots beyond the shared ones, over all queues and groups. */
export interface BeyondSlots {
  /** Takes one; false when none is left. */
  take(): boolean;
  give(): void;
  /** So many in all from now on; those beyond that are taken back as they are given. */
  resize(total: number): void;
  /** Calls the listener when one is given back after none was left. */
  onFree(listener: () => void): void;
}

export function createBeyondSlots(first: number): BeyondSlots {
  const listeners: (() => void)[] = [];
  let total = Math.max(0, first);
  /** Less than 0 while more are taken than there are, after a change. */
  let free = total;
  return {
    resize(next) {
      const before = free;
      free += Math.max(0, next) - total;
      total = Math.max(0, next);
      if (before <= 0 && free > 0) for (const listener of listeners) queueMicrotask(listener);
    },
    take() {
      if (free <= 0) return false;
      free -= 1;
      return true;
    },
    give() {
      free += 1;
      // Whoever waits for it may be in a queue where nothing else happens for long.
      if (free === 1) for (const listener of listeners) queueMicrotask(listener);
    },
    onFree: (listener) => void listeners.push(listener),
  };
}

export interface SlotsOptions {
  readonly total: number;
  readonly strategy: "weighted" | "strict";
  readonly beyond: BeyondSlots;
}

interface Seat {
  readonly user: SlotUser;
  /** weighted: how much it is owed, in starts times weights; the one that is owed most is next. */
  owed: number;
}

export function createSlots({ total: first, strategy, beyond }: SlotsOptions): Slots {
  let total = first;
  const seats: Seat[] = [];
  /** Attempts in flight by endpoint; kept where several queues share the slots. */
  const inFlight = new Map<string, number>();
  let inUse = 0;
  let isOffering = false;
  let isClosed = false;
  let isDue = false;

  /**
   * Smooth weighted round robin (as nginx has it): each seat that wants a slot is owed its weight more, and
   * the one that gets it pays for all.
   */
  const pickByWeight = (): Seat | null => {
    let best: Seat | null = null;
    let round = 0;
    for (const seat of seats) {
      if (seat.user.ready === 0) continue;
      seat.owed += seat.user.weight;
      round += seat.user.weight;
      if (best === null || seat.owed > best.owed) best = seat;
    }
    if (best !== null) best.owed -= round;
    return best;
  };
  const pick = (): Seat | null => {
    if (seats.length > 1 && strategy === "weighted") return pickByWeight();
    return seats.find(({ user }) => user.ready > 0) ?? null;
  };

  /**
   * Lets a start beyond the shared slots count as a turn. No debt grows beyond a round's: an endpoint that
   * hangs for long is not made up for afterwards.
   */
  const charge = (starter: Seat): void => {
    let round = 0;
    for (const { user } of seats) round += user.weight;
    for (const seat of seats) {
      if (seat === starter) seat.owed = Math.max(-round, seat.owed + seat.user.weight - round);
      else if (seat.user.isBusy) seat.owed = Math.min(round, seat.owed + seat.user.weight);
    }
  };
  const offerBeyondByWeight = (): void => {
    for (;;) {
      let best: Seat | null = null;
      for (const seat of seats) {
        if (seat.user.firsts > 0 && (best === null || seat.owed > best.owed)) best = seat;
      }
      if (best === null || !beyond.take()) return;
      if (best.user.start("beyond")) charge(best);
      else beyond.give();
    }
  };
  const offerBeyond = (): void => {
    if (seats.length > 1 && strategy === "weighted") return offerBeyondByWeight();
    for (const { user } of seats) {
      while (user.firsts > 0 && beyond.take()) {
        if (!user.start("beyond")) beyond.give();
      }
      if (strategy === "strict" && user.isBusy) return;
    }
  };

  const offer = (): void => {
    isDue = false;
    // A start changes lanes, which offers again: the outer call goes on with what that left.
    if (isOffering || isClosed) return;
    isOffering = true;
    try {
      while (inUse < total) {
        const user = seats.length === 1 ? (seats[0] as Seat).user : pick()?.user;
        if (user === undefined || user.ready === 0) return;
        inUse += 1;
        // Who could not start is not ready any more, so that the loop comes to its end.
        if (!user.start("shared")) inUse -= 1;
      }
      offerBeyond();
    } finally {
      isOffering = false;
    }
  };
  beyond.onFree(offer);

  return {
    get total() {
      return total;
    },
    resize(next) {
      total = next;
      offer();
    },
    join: (user) => void seats.push({ user, owed: 0 }),
    offer,
    offerSoon() {
      if (isDue) return;
      isDue = true;
      queueMicrotask(offer);
    },
    elsewhere: (key, own) => (seats.length === 1 ? 0 : (inFlight.get(key) ?? 0) - own),
    started(key) {
      if (seats.length > 1) inFlight.set(key, (inFlight.get(key) ?? 0) + 1);
    },
    ended(key) {
      if (seats.length === 1) return;
      const left = (inFlight.get(key) ?? 0) - 1;
      if (left > 0) {
        inFlight.set(key, left);
        return;
      }
      inFlight.delete(key);
      for (const { user } of seats) user.freed(key);
    },
    release(slot) {
      if (slot === "shared") inUse -= 1;
      else beyond.give();
      offer();
    },
    close: () => void (isClosed = true),
  };
}
