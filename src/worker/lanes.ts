import type { Outcome } from "../delivery/outcome.ts";
import type { Delivery } from "./delivery.ts";
import type { Gate } from "./gate.ts";
import { createLane, type Lane } from "./lane.ts";
import type { Permits } from "./permits.ts";
import { createRoom } from "./room.ts";
import { createSupply, type LeaseCall } from "./supply.ts";
import { createTurns, type Slot } from "./turns.ts";
import { createWaiters } from "./waiters.ts";

/**
 * Who may start next: one lane per endpoint, so that endpoints do not harm each other (contract §1.4).
 *
 * Slots. The queue has `concurrency` shared slots. An endpoint with work and nothing in flight may always
 * start one: on a shared slot if one is free, else on a slot beyond them (from `extra`, what
 * webhooks.max_in_flight leaves). Beyond its first, an endpoint holds at most its share of the shared
 * slots, max(1, floor(concurrency / endpoints with work)), or its own `concurrency` where that is set.
 * Turns go round.
 *
 * Room. The leases waiting here are bounded (room.ts). What comes for a lane that is full is parked in the
 * backend (`admit` says `full`), and so is what waits in one that turns out slow while others need the room;
 * the lane takes parked jobs back as it can use them (supply.ts). With one endpoint only nothing is parked for room, and
 * nothing is leased while its gate is closed.
 */
export interface Lanes {
  /** Takes a delivery in, or says that it must be parked (full), or given up (its endpoint is disabled). */
  admit(delivery: Delivery): "waiting" | "full" | "disabled";
  /**
   * The next delivery whose turn it is; null after `waitMs` or when the signal aborts.
   * Whoever gets one must call `grant.end` exactly once.
   */
  take(signal: AbortSignal, waitMs: number): Promise<Grant | null>;
  /** How many more leases there is room for. */
  space(): number;
  /** Resolves when there may be room for `count`, when the signal aborts, or after a second. One caller at a time. */
  waitForSpace(count: number, signal: AbortSignal): Promise<void>;
  /** Takes out everything that waits, last come first: to be released at shutdown. No more grants. */
  drain(): Delivery[];
  /** What the next lease call asks for: what there is room for, or more while what comes is only parked. */
  leaseCall(): LeaseCall;
  /** Tells that what that call brought has been admitted, so that lanes with nothing left in the backend stop counting. */
  leased(count: number, call: LeaseCall): void;
  /** Called with the key of a lane with parked jobs when it may take some. */
  onOpen(listener: (key: string) => void): void;
  /** Starts whatever may start now; to be called when a group's slot came free. */
  pump(): void;
  /** Whether a shared slot could be used at once. */
  wantsSlot(): boolean;
  /** Resolves when no attempt is in flight, or when the signal aborts. */
  idle(signal: AbortSignal): Promise<void>;
  /** Room worth a lease call. */
  readonly lowWater: number;
  readonly running: number;
  /** Whether anything is in flight, or waits for a slot, here or parked. */
  readonly isBusy: boolean;
}

/** The right to make one attempt. */
export interface Grant {
  readonly delivery: Delivery;
  /** Gives the slot back; `outcome` null when no attempt was made. */
  end(outcome: Outcome | null): void;
}

export interface LanesOptions {
  /** Shared slots there are, for the fair share. */
  readonly concurrency: number;
  /** The shared slots: this queue's own, or its view of its group's. */
  readonly slots: Permits;
  /** Leases that may wait here. */
  readonly capacity: number;
  /** There is one endpoint only: nobody to make room for by parking. */
  readonly isSole: boolean;
  /** Slots beyond the shared ones, over all queues. */
  readonly extra: Permits;
  readonly gateOf: (delivery: Delivery) => Gate;
  readonly ownConcurrencyOf: (delivery: Delivery) => number | null;
  /** Puts deliveries aside in the backend, under their endpoint's label. */
  readonly park: (deliveries: readonly Delivery[]) => void;
  /** Dead-letters deliveries of a disabled endpoint. */
  readonly giveUp: (deliveries: readonly Delivery[]) => void;
  /** Called when an extra slot could be used but every loop is busy: start one more. */
  readonly needLoop: () => void;
}

export function createLanes(options: LanesOptions): Lanes {
  const { capacity } = options;
  const turns = createTurns(options);
  const takers = createWaiters<Grant | null>();
  const forIdle = createWaiters<null>();
  const lanes = new Map<string, Lane>();
  let running = 0;
  let isDrained = false;

  const room = createRoom({
    capacity,
    trim: options.isSole
      ? null
      : (lane, deliveries) => {
          supply.parked(lane);
          options.park(deliveries);
        },
    windowsChanged: () => supply.reconsider(),
  });
  const supply = createSupply({
    room,
    unknownMax: Math.ceil(capacity / 4),
    recount: (lane) => turns.recount(lane),
  });

  /** With one endpoint only, nothing is fetched that would be parked at once. */
  const space = (): number => {
    if (options.isSole) for (const lane of lanes.values()) if (lane.gate.isClosed) return 0;
    return room.space();
  };

  /** Asks the gate; when it says later, comes back then. */
  const passGate = (lane: Lane): boolean => {
    const waitMs = lane.gate.tryStart();
    if (waitMs === 0) return true;
    if (Number.isFinite(waitMs) && lane.timer === null) {
      lane.timer = setTimeout(() => {
        lane.timer = null;
        turns.enlist(lane);
        pump();
      }, waitMs);
    }
    return false;
  };

  const next = (): Grant | null => {
    const turn = isDrained ? null : turns.next(passGate);
    return turn === null ? null : start(turn.lane, turn.slot);
  };

  const start = (lane: Lane, slot: Slot): Grant => {
    lane.running += 1;
    running += 1;
    const delivery = room.next(lane);
    turns.enlist(lane);
    supply.changed(lane);
    let ended = false;
    return {
      delivery,
      end(outcome) {
        if (ended) return;
        ended = true;
        lane.running -= 1;
        running -= 1;
        room.weigh(lane);
        turns.recount(lane);
        turns.release(lane, slot);
        if (running === 0) forIdle.handAll(null);
        lane.gate.ended(outcome);
        reconsider(lane);
      },
    };
  };

  const pump = (): void => {
    while (takers.count > 0) {
      const grant = next();
      if (grant === null) return;
      takers.hand(grant);
    }
    // Every loop is busy: only a lane with nothing in flight may start beyond them.
    if (!isDrained && turns.hasFresh && running >= options.concurrency && options.extra.isAvailable()) {
      options.needLoop();
    }
  };

  /** After its gate or its running count changed: parks, announces and starts what follows from it. */
  const reconsider = (lane: Lane): void => {
    turns.recount(lane);
    if ((lane.gate.isClosed || lane.gate.isDisabled) && lane.waiting.length > 0) clear(lane);
    supply.changed(lane);
    if (options.isSole) room.wake();
    turns.enlist(lane);
    pump();
  };

  /** Empties a lane that nothing may start on. */
  const clear = (lane: Lane): void => {
    const gone = room.cut(lane, 0);
    turns.recount(lane);
    if (lane.gate.isDisabled) options.giveUp(gone);
    else {
      supply.parked(lane);
      options.park(gone);
    }
  };

  const laneOf = (delivery: Delivery): Lane => {
    const key = delivery.endpoint.label;
    const known = lanes.get(key);
    if (known !== undefined) return known;
    const gate = options.gateOf(delivery);
    const lane = createLane(key, gate, options.ownConcurrencyOf(delivery));
    gate.onChange(() => {
      // What it said when it was last asked holds no longer.
      if (lane.timer !== null) clearTimeout(lane.timer);
      lane.timer = null;
      reconsider(lane);
    });
    lanes.set(key, lane);
    return lane;
  };

  return {
    admit(delivery) {
      const lane = laneOf(delivery);
      if (lane.gate.isDisabled) return "disabled";
      if (isDrained || lane.gate.isClosed || room.isFull(lane)) {
        supply.came(lane, true);
        return "full";
      }
      supply.came(lane, false);
      room.put(lane, delivery);
      turns.recount(lane);
      turns.enlist(lane);
      pump();
      if (lane.waiting.length > 0) {
        room.watch(lane);
        supply.changed(lane);
      }
      return "waiting";
    },

    take(signal, waitMs) {
      if (signal.aborted) return Promise.resolve(null);
      const grant = takers.count === 0 ? next() : null;
      if (grant !== null) return Promise.resolve(grant);
      const taken = takers.wait({ signal, waitMs, otherwise: null, aborted: null });
      pump();
      return taken;
    },

    space,
    waitForSpace: (count, signal) => room.waitUntil(() => space() >= count, signal),

    drain() {
      isDrained = true;
      const out: Delivery[] = [];
      for (const lane of lanes.values()) {
        if (lane.timer !== null) clearTimeout(lane.timer);
        out.push(...room.cut(lane, 0));
      }
      room.close();
      return out.reverse();
    },

    leaseCall: () => supply.nextCall(space()),
    leased: (count, call) => supply.brought(count, call),
    onOpen: (listener) => supply.onOpen(listener),
    pump,
    // Not whether a loop waits: the one that just ended an attempt is on its way back, and would find its
    // slot given to another queue.
    wantsSlot: () => !isDrained && running < options.concurrency && turns.isWaitedFor,
    async idle(signal) {
      if (running > 0) await forIdle.wait({ signal, waitMs: 2_147_483_647, otherwise: null, aborted: null });
    },
    lowWater: Math.max(1, Math.floor(capacity / 2)),
    get running() {
      return running;
    },
    get isBusy() {
      return turns.active > 0;
    },
  };
}
