import type { Endpoint } from "../../delivery/endpoint.ts";
import type { LiveChange } from "../../delivery/live.ts";
import type { Outcome } from "../../delivery/outcome.ts";
import type { Delivery } from "../delivery.ts";
import type { Gate, Verdict } from "../../endpoints/gate.ts";
import { createGrants, type Grant, Start } from "./grants.ts";
import {
  addWaiting,
  createLane,
  cutWaiting,
  endRunning,
  setOwnConcurrency,
  settleState,
  startNext,
  takeWaiting,
  type Lane,
  type LaneState,
} from "./lane.ts";
import { createPrefetch, type Prefetch } from "./prefetch.ts";
import type { Slot, Slots, SlotUser } from "./slots.ts";

/**
 * Who may start next: one lane per endpoint, so that endpoints do not harm each other (contract §1.4).
 *
 * A lane is in one of five states:
 *
 * - idle: nothing waits in it.
 * - first: something waits and nothing is in flight to its endpoint, from the queues of the group neither. It may
 *   start on a shared slot, or on one beyond them.
 * - next: something waits, and less is in flight than its share. It may start on a shared slot.
 * - capped: something waits, and as much is in flight as its share, or as its answers of 429 allow.
 * - gated: something waits, and its gate has said "later"; the gate tells when to ask again.
 *
 *     idle ──admitted──▶ first ──started──▶ next ──started──▶ capped
 *      ▲                   ▲                 ▲  ◀──ended────────┘
 *      │                   └─────ended───────┘
 *      └──started, parked: nothing waits any more── from every state
 *     first, next, capped ──gate changed──▶ gated ──gate changed──▶ first, next, capped
 *
 * Five events happen to a lane: a delivery was admitted, an attempt started or ended, also one of another queue of
 * the group, its gate changed, or the shares did. Each ends in `place`, which reads the facts, asks the gate once, and sets the state. Only a
 * lane in first or next starts.
 *
 * A lane's share of the shared slots is its endpoint's own `concurrency`, or else
 * max(1, floor(slots / endpoints with work)). Lanes of one state go round in turns.
 */
export interface Scheduler {
  /** Takes a delivery in, or says that it must be parked, or dead-lettered because its endpoint is disabled. */
  admit(delivery: Delivery): "waiting" | "park" | "dead";
  /**
   * The next attempt to make; null after `waitMs` or when the signal aborts.
   * Whoever gets one must call `grant.end` exactly once.
   */
  take(signal: AbortSignal, waitMs: number): Promise<Grant | null>;
  readonly prefetch: Prefetch;
  /**
   * Takes out what has not started and the test names, in the order of each lane: to be planned again. A start that
   * a loop has been handed and not begun yet is the loop's to give back.
   */
  takeOut(isMeant: (delivery: Delivery) => boolean): Delivery[];
  /** Follows other settings of endpoints, and lets go of those that are gone; nothing waits for these any more. */
  follow(change: SchedulerChange): void;
  /** The slots are more or fewer since now, and so many leases may wait here. */
  resize(capacity: number): void;
  /** Takes out everything that waits, last come first: to be released at shutdown. No more grants. */
  drain(): Delivery[];
  /** Resolves when no attempt is in flight, or when the signal aborts. */
  idle(signal: AbortSignal): Promise<void>;
  /** Attempts in flight, those that a loop is about to take included. */
  readonly running: number;
  /** By endpoint label; for who shows them. */
  readonly lanes: ReadonlyMap<string, Lane>;
}

/** What a replacement of the endpoints means to a scheduler. */
export interface SchedulerChange extends Pick<LiveChange, "changed" | "removed"> {
  /** There is one endpoint only. */
  readonly isSole: boolean;
}

export interface SchedulerOptions {
  /** This queue's slots, or those of its group. */
  readonly slots: Slots;
  /** Starts in a round of the group's; 1 for a queue alone. */
  readonly weight: number;
  /** Leases that may wait here. */
  readonly capacity: number;
  /** There is one endpoint only: nobody to make room for by parking. */
  readonly isSole: boolean;
  readonly gateOf: (delivery: Delivery) => Gate;
  readonly ownConcurrencyOf: (endpoint: Endpoint) => number | null;
  /** Puts deliveries aside in the backend, under their endpoint's label. */
  readonly park: (deliveries: readonly Delivery[]) => void;
  /** Dead-letters deliveries of a disabled endpoint. */
  readonly giveUp: (deliveries: readonly Delivery[]) => void;
  /** Called when an attempt may start and no loop waits for one. */
  readonly needLoop: (running: number) => void;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { slots } = options;
  const lanes = new Map<string, Lane>();
  const inState: Record<LaneState, Set<Lane>> = {
    idle: new Set(),
    first: new Set(),
    next: new Set(),
    capped: new Set(),
    gated: new Set(),
  };
  const grants = createGrants(options.needLoop);
  /** Endpoints with work. */
  let active = 0;
  let share = slots.total;
  let isDrained = false;

  /** What the slots see of this queue. */
  const user: { -readonly [Field in keyof SlotUser]: SlotUser[Field] } = {
    weight: options.weight,
    ready: 0,
    firsts: 0,
    isBusy: false,
    start: (slot) => start(slot),
    freed(key) {
      const lane = lanes.get(key);
      if (lane !== undefined && lane.state === "next" && lane.running === 0) place(lane);
    },
  };

  const prefetch = createPrefetch({
    capacity: options.capacity,
    isSole: options.isSole,
    lanes,
    trim(lane, keep) {
      const aside = cutWaiting(lane, keep);
      prefetch.parked(lane);
      place(lane);
      options.park(aside);
    },
    place: (lane) => place(lane),
  });

  /**
   * Every event of a lane ends here.
   *
   * @param said What the gate has just answered, where it was asked already.
   */
  const place = (lane: Lane, said?: Verdict): void => {
    // A gate that was closed tells when it is not; one that nothing depends on is not asked.
    const isAtStake = lane.waiting.length > 0 || lane.mayHaveParked || lane.isClosed;
    const verdict = said ?? (isAtStake ? lane.gate.ask() : "open");
    if (lane.waiting.length > 0 && (verdict === "closed" || verdict === "disabled")) putAside(lane, verdict);
    const { state, weight, isActive } = lane;
    let next: LaneState = "idle";
    if (lane.waiting.length > 0 && !isDrained) {
      if (verdict === "full") next = "capped";
      else if (verdict !== "open") next = "gated";
      else if (lane.running === 0 && slots.elsewhere(lane.key, 0) === 0) next = "first";
      else next = lane.running < (lane.ownConcurrency ?? share) ? "next" : "capped";
    }
    settleState(lane, next, verdict === "closed");
    if (state !== next) inState[state].delete(lane);
    // One that stays where it was keeps its place in the line; one whose endpoint is gone leaves with its last attempt.
    if (lanes.get(lane.key) === lane || lane.running > 0) inState[next].add(lane);
    else inState[next].delete(lane);
    user.firsts = inState.first.size;
    user.ready = inState.first.size + inState.next.size;
    // What a lane with nothing in flight can use is not known before it has had a turn.
    if (lane.weight !== weight || lane.mayHaveParked || (lane.waiting.length > 0 && lane.running > 0)) {
      prefetch.changed(lane, weight);
    }
    if (lane.isActive !== isActive) recount(lane.isActive ? 1 : -1);
  };

  /** Empties a lane that nothing may start on. */
  const putAside = (lane: Lane, verdict: "closed" | "disabled"): void => {
    const aside = cutWaiting(lane, 0);
    if (verdict === "disabled") return options.giveUp(aside);
    prefetch.parked(lane);
    options.park(aside);
  };

  /** One endpoint more or less with work: the shares change, and lanes that stood at theirs may go on. */
  const recount = (difference: number): void => {
    active += difference;
    user.isBusy = active > 0;
    shareOut();
  };

  const shareOut = (): void => {
    const before = share;
    share = Math.max(1, Math.floor(slots.total / Math.max(1, active)));
    if (share <= before) return;
    for (const lane of inState.capped) place(lane);
    slots.offerSoon();
  };

  /** Whose turn it is on such a slot. Lanes with nothing in flight come first. */
  const nextLane = (slot: Slot): Lane | null => {
    for (const lane of inState.first) return lane;
    if (slot === "shared") for (const lane of inState.next) return lane;
    return null;
  };

  const start = (slot: Slot): boolean => {
    for (let lane = nextLane(slot); lane !== null; lane = nextLane(slot)) {
      leaveLine(lane);
      if (lane.state === "next" && lane.running >= (lane.ownConcurrency ?? share)) {
        // Its share has shrunk since.
        place(lane);
        continue;
      }
      if (slot === "beyond" && slots.elsewhere(lane.key, lane.running) > 0) {
        // Another queue has begun an attempt to its endpoint since.
        place(lane);
        continue;
      }
      const attempt = lane.gate.start();
      if (typeof attempt !== "number") {
        // Another queue's lane has taken what the gate had to give.
        place(lane, attempt);
        continue;
      }
      const delivery = startNext(lane);
      slots.started(lane.key);
      place(lane);
      grants.give(new Start(delivery, { lane, slot, attempt }, ended));
      return true;
    }
    return false;
  };

  /** It comes in again behind the others. */
  const leaveLine = (lane: Lane): void => {
    if (lane.state !== "first" && lane.state !== "next") {
      throw new Error(`lane ${lane.key}: a start from the state ${lane.state}`);
    }
    inState[lane.state].delete(lane);
  };

  const ended = ({ lane, slot, attempt }: Start, outcome: Outcome | null): void => {
    // First: what is released below starts the next attempt, which must not count beside this one.
    grants.ended();
    endRunning(lane);
    slots.ended(lane.key);
    lane.gate.ended(attempt, outcome);
    place(lane);
    slots.release(slot);
  };

  const laneOf = (delivery: Delivery): Lane => {
    const key = delivery.endpoint.label;
    const known = lanes.get(key);
    if (known !== undefined) return known;
    const lane = createLane(key, options.gateOf(delivery), options.ownConcurrencyOf(delivery.endpoint));
    lane.gate.onChange(() => {
      place(lane, lane.gate.ask());
      // Once for all lanes that the gate tells: which of them starts is not told by the order they are told in.
      slots.offerSoon();
    });
    lanes.set(key, lane);
    return lane;
  };

  slots.join(user);

  return {
    prefetch,
    lanes,
    admit(delivery) {
      const lane = laneOf(delivery);
      const verdict = lane.gate.ask();
      if (verdict === "disabled") return "dead";
      if (isDrained || verdict === "closed" || (lane.waiting.length > 0 && prefetch.isFull(lane))) {
        prefetch.came(lane, true);
        place(lane, verdict);
        return "park";
      }
      prefetch.came(lane, false);
      addWaiting(lane, delivery);
      place(lane, verdict);
      slots.offerSoon();
      return "waiting";
    },

    take: grants.take,

    takeOut(isMeant) {
      const waiting: Delivery[] = [];
      for (const lane of lanes.values()) {
        const taken = takeWaiting(lane, isMeant);
        if (taken.length === 0) continue;
        waiting.push(...taken);
        place(lane);
      }
      const givenBack = grants.takeOut(isMeant);
      // Only now: a slot that is given back starts what waits, which must not be what is taken out.
      for (const one of givenBack) one.end(null);
      return [...givenBack.map(({ delivery }) => delivery), ...waiting];
    },

    resize(capacity) {
      prefetch.setCapacity(capacity);
      shareOut();
      slots.offerSoon();
    },

    follow({ changed, removed, isSole }) {
      for (const { label } of removed) {
        const lane = lanes.get(label);
        if (lane === undefined) continue;
        if (lane.waiting.length > 0)
          throw new Error(`lane ${label}: deliveries wait for an endpoint that is gone`);
        lanes.delete(label);
        prefetch.forget(lane);
        place(lane);
      }
      for (const { after } of changed) {
        const lane = lanes.get(after.label);
        if (lane === undefined) continue;
        setOwnConcurrency(lane, options.ownConcurrencyOf(after));
        place(lane);
      }
      prefetch.setSole(isSole);
      slots.offerSoon();
    },

    drain() {
      isDrained = true;
      slots.close();
      const out: Delivery[] = [];
      for (const one of grants.takeOut(() => true)) {
        out.push(one.delivery);
        one.end(null);
      }
      for (const lane of lanes.values()) {
        out.push(...cutWaiting(lane, 0));
        place(lane);
      }
      prefetch.close();
      return out.reverse();
    },

    idle: grants.idle,
    get running() {
      return grants.running;
    },
  };
}
