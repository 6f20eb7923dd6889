import type { Outcome } from "../delivery/outcome.ts";
import type { Delivery } from "./delivery.ts";
import type { Gate } from "./gate.ts";
import { createLane, hasWork, type Lane } from "./lane.ts";
import type { Permits } from "./permits.ts";

/**
 * Who may start next: one lane per endpoint, so that endpoints do not harm each other (contract §1.4).
 *
 * Slots. The queue has `concurrency` shared slots. An endpoint with work and nothing in flight may always
 * start one: on a shared slot if one is free, else on a slot beyond them (from `extra`, what
 * webhooks.max_in_flight leaves). Beyond its first, an endpoint holds at most its share of the shared
 * slots, max(1, floor(concurrency / endpoints with work)), or its own `concurrency` where that is set.
 * Turns go round.
 *
 * Room. The leases waiting here are bounded by `capacity`. While several endpoints have work, each may
 * fill its part; what comes beyond is parked in the backend (`admit` says `full`). When the room is full
 * and nothing starts for a while, `relieve` names what to park so that leasing goes on: a lane relieved is
 * stuck, its key stays closed, and its waiting jobs no longer count, until one of its attempts ends.
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
  /** Resolves true when there is room for `count`, false when nothing started for `patienceMs`. */
  waitForSpace(count: number, patienceMs: number, signal: AbortSignal): Promise<boolean>;
  /** Parks what stands in the way, so that leasing goes on for others. */
  relieve(): void;
  /** Takes out everything that waits, last come first: to be released at shutdown. No more grants. */
  drain(): Delivery[];
  /** For QueueDriver.lease: keys that must stay parked, and how many to take of each other key. */
  closedKeys(): ReadonlySet<string>;
  parkedMax(): number;
  /** Tells what a lease call brought, so that lanes with nothing left in the backend stop counting. */
  leased(count: number, asked: number, closedKeys: ReadonlySet<string>): void;
  /** Called when a lane with parked jobs opens: the lease call under way should be made again. */
  onOpen(listener: () => void): void;
  /** Starts whatever may start now; to be called when a group's slot came free. */
  pump(): void;
  /** Whether a shared slot could be used at once. */
  wantsSlot(): boolean;
  /** Resolves when no attempt is in flight, or when the signal aborts. */
  idle(signal: AbortSignal): Promise<void>;
  /** Room worth a lease call. */
  readonly lowWater: number;
  readonly running: number;
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
  const { concurrency, slots, capacity, extra } = options;
  const lanes = new Map<string, Lane>();
  /** Lanes with nothing in flight come first; those with something wait for a share. */
  const fresh: Lane[] = [];
  const more: Lane[] = [];
  /** Lanes with something waiting that hold their share: looked at again when shares grow. */
  const atShare = new Set<Lane>();
  const withParked = new Set<Lane>();
  let takers: ((grant: Grant | null) => void)[] = [];
  let spaceWaiters: ((moved: boolean) => void)[] = [];
  const idlers: (() => void)[] = [];
  let openListener: () => void = () => undefined;
  let running = 0;
  let waitingCounted = 0;
  let active = 0;
  let closed = false;

  const share = (lane: Lane): number =>
    lane.ownConcurrency ?? Math.max(1, Math.floor(concurrency / Math.max(1, active)));
  const part = (): number => Math.max(1, Math.ceil(capacity / Math.max(1, active)));

  /** Counts the lanes with work again when one of them may have changed; runs `change` in between. */
  const tracking = (lane: Lane, change: () => void): void => {
    const before = hasWork(lane);
    change();
    const after = hasWork(lane);
    if (before === after) return;
    active += after ? 1 : -1;
    // Fewer to share with: lanes that stood at their share may go on.
    if (after) return;
    const held = [...atShare];
    atShare.clear();
    for (const other of held) enlist(other);
  };

  const enlist = (lane: Lane): void => {
    if (lane.isQueued || lane.waiting.length === 0 || lane.timer !== null) return;
    if (lane.running > 0 && lane.running >= share(lane)) {
      atShare.add(lane);
      return;
    }
    lane.isQueued = true;
    (lane.running === 0 ? fresh : more).push(lane);
  };

  /** Asks the gate; when it says later, comes back then. */
  const passGate = (lane: Lane): boolean => {
    const waitMs = lane.gate.tryStart();
    if (waitMs === 0) return true;
    if (Number.isFinite(waitMs) && lane.timer === null) {
      lane.timer = setTimeout(() => {
        lane.timer = null;
        enlist(lane);
        pump();
      }, waitMs);
    }
    return false;
  };

  const start = (lane: Lane, onShared: boolean): Grant => {
    const delivery = lane.waiting.shift() as Delivery;
    lane.running += 1;
    running += 1;
    if (!lane.isStuck) waitingCounted -= 1;
    if (onShared) {
      lane.shared += 1;
      slots.take();
    } else extra.take();
    enlist(lane);
    announceSpace();
    let ended = false;
    return {
      delivery,
      end(outcome) {
        if (ended) return;
        ended = true;
        tracking(lane, () => {
          lane.running -= 1;
          running -= 1;
          if (onShared) {
            lane.shared -= 1;
            slots.give();
          } else extra.give();
          if (lane.isStuck) unstick(lane);
        });
        if (running === 0) for (const resolve of idlers.splice(0)) resolve();
        lane.gate.ended(outcome);
        if (lane.running === 0 && lane.isQueued) {
          // It stands among those that have one in flight; now it is owed a first.
          more.splice(more.indexOf(lane), 1);
          lane.isQueued = false;
        }
        reconsider(lane);
      },
    };
  };

  const nextOf = (
    ring: Lane[],
    mayStart: (lane: Lane) => "shared" | "extra" | "later" | null,
  ): Grant | null => {
    for (let left = ring.length; left > 0; left -= 1) {
      const lane = ring.shift() as Lane;
      lane.isQueued = false;
      if (lane.waiting.length === 0) continue;
      const slot = mayStart(lane);
      if (slot === "later") {
        lane.isQueued = true;
        ring.unshift(lane);
        return null;
      }
      if (slot === null) continue;
      if (passGate(lane)) return start(lane, slot === "shared");
    }
    return null;
  };

  const next = (): Grant | null => {
    if (closed) return null;
    const first = nextOf(fresh, () => {
      if (slots.isAvailable()) return "shared";
      return extra.isAvailable() ? "extra" : "later";
    });
    if (first !== null || !slots.isAvailable()) return first;
    return nextOf(more, (lane) => {
      if (lane.running < share(lane)) return "shared";
      atShare.add(lane);
      return null;
    });
  };

  const pump = (): void => {
    while (takers.length > 0) {
      const grant = next();
      if (grant === null) return;
      (takers.pop() as (grant: Grant) => void)(grant);
    }
    // Every loop is busy: only a lane with nothing in flight may start beyond them.
    if (!closed && fresh.length > 0 && running >= concurrency && extra.isAvailable()) options.needLoop();
  };

  const announceSpace = (): void => {
    const waiters = spaceWaiters;
    spaceWaiters = [];
    for (const resolve of waiters) resolve(true);
  };
  /** After its gate or its running count changed: parks, announces and starts what follows from it. */
  const reconsider = (lane: Lane): void => {
    if ((lane.gate.isClosed || lane.gate.isDisabled) && lane.waiting.length > 0) clear(lane);
    if (lane.mayHaveParked && !isClosed(lane)) openListener();
    enlist(lane);
    pump();
  };

  /** Empties a lane that nothing may start on. */
  const clear = (lane: Lane): void => {
    let gone: Delivery[] = [];
    tracking(lane, () => {
      gone = lane.waiting.splice(0);
      if (!lane.isStuck) waitingCounted -= gone.length;
    });
    if (lane.gate.isDisabled) options.giveUp(gone);
    else {
      setParked(lane, true);
      options.park(gone);
    }
    announceSpace();
  };

  const setParked = (lane: Lane, value: boolean): void => {
    tracking(lane, () => {
      lane.mayHaveParked = value;
      if (value) withParked.add(lane);
      else withParked.delete(lane);
    });
  };

  const isClosed = (lane: Lane): boolean =>
    lane.gate.isClosed || lane.isStuck || lane.waiting.length > part() / 2;

  const unstick = (lane: Lane): void => {
    lane.isStuck = false;
    waitingCounted += lane.waiting.length;
  };

  const laneOf = (delivery: Delivery): Lane => {
    const key = delivery.endpoint.label;
    let lane = lanes.get(key);
    if (lane === undefined) {
      const gate = options.gateOf(delivery);
      const created = createLane(key, gate, options.ownConcurrencyOf(delivery));
      gate.onChange(() => {
        if (created.isStuck) unstick(created);
        reconsider(created);
      });
      lanes.set(key, (lane = created));
    }
    return lane;
  };

  return {
    admit(delivery) {
      const lane = laneOf(delivery);
      if (lane.gate.isDisabled) return "disabled";
      const isFull =
        closed || lane.gate.isClosed || lane.isStuck || (active > 1 && lane.waiting.length >= part());
      if (isFull) {
        setParked(lane, true);
        return "full";
      }
      tracking(lane, () => {
        lane.waiting.push(delivery);
        waitingCounted += 1;
      });
      enlist(lane);
      pump();
      return "waiting";
    },

    take(signal, waitMs) {
      if (signal.aborted) return Promise.resolve(null);
      const grant = takers.length === 0 ? next() : null;
      if (grant !== null) return Promise.resolve(grant);
      return new Promise((resolve) => {
        const settle = (result: Grant | null): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", leave);
          resolve(result);
        };
        const leave = (): void => {
          takers = takers.filter((taker) => taker !== settle);
          settle(null);
        };
        const timer = setTimeout(leave, waitMs);
        signal.addEventListener("abort", leave, { once: true });
        takers.push(settle);
        pump();
      });
    },

    space: () => Math.max(0, capacity - waitingCounted),

    waitForSpace(count, patienceMs, signal) {
      if (capacity - waitingCounted >= count || signal.aborted) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = (moved: boolean): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", leave);
          resolve(moved);
        };
        const leave = (): void => settle(true);
        const timer = setTimeout(() => {
          spaceWaiters = spaceWaiters.filter((waiter) => waiter !== settle);
          settle(false);
        }, patienceMs);
        signal.addEventListener("abort", leave, { once: true });
        spaceWaiters.push(settle);
      });
    },

    relieve() {
      for (const lane of lanes.values()) {
        if (lane.isStuck || lane.waiting.length === 0) continue;
        waitingCounted -= lane.waiting.length;
        lane.isStuck = true;
        // As many stay as run: they are next when those end, and nothing need be fetched for it.
        const parked = lane.waiting.splice(Math.max(1, lane.running));
        if (parked.length === 0) continue;
        setParked(lane, true);
        options.park(parked);
      }
    },

    drain() {
      closed = true;
      const out: Delivery[] = [];
      for (const lane of lanes.values()) {
        if (lane.timer !== null) clearTimeout(lane.timer);
        out.push(...lane.waiting.splice(0));
      }
      waitingCounted = 0;
      return out.reverse();
    },

    closedKeys() {
      const keys = new Set<string>();
      for (const lane of withParked) if (isClosed(lane)) keys.add(lane.key);
      return keys;
    },
    parkedMax: () => Math.max(1, Math.ceil(part() / 2)),

    leased(count, asked, closedKeys) {
      if (count >= asked) return;
      const most = Math.max(1, Math.ceil(part() / 2));
      if (count >= most) return;
      // The backend had less than asked for: an open lane with room to spare has nothing left there.
      for (const lane of withParked) if (!closedKeys.has(lane.key)) setParked(lane, false);
    },

    onOpen(listener) {
      openListener = listener;
    },
    pump,
    wantsSlot: () => !closed && takers.length > 0 && (fresh.length > 0 || more.length > 0),
    idle(signal) {
      if (running === 0 || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        idlers.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    lowWater: Math.max(1, Math.floor(capacity / 2)),
    get running() {
      return running;
    },
  };
}
