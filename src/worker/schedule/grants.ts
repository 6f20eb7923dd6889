import type { Outcome } from "../../delivery/outcome.ts";
import { createBell } from "../../wait.ts";
import type { Delivery } from "../delivery.ts";
import { createWaiters } from "../waiters.ts";
import type { Lane } from "./lane.ts";
import type { Slot } from "./slots.ts";

/** The right to make one attempt. */
export interface Grant {
  readonly delivery: Delivery;
  /** Gives the slot back; `outcome` null when no attempt was made. */
  end(outcome: Outcome | null): void;
}

/** A start of a lane on a slot; it ends once, however often it is told to. */
export class Start implements Grant {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly slot: Slot;
  /** The gate's number of it. */
  readonly attempt: number;
  readonly #ended: (start: Start, outcome: Outcome | null) => void;
  #hasEnded = false;

  constructor(
    delivery: Delivery,
    from: { readonly lane: Lane; readonly slot: Slot; readonly attempt: number },
    ended: (start: Start, outcome: Outcome | null) => void,
  ) {
    this.delivery = delivery;
    this.lane = from.lane;
    this.slot = from.slot;
    this.attempt = from.attempt;
    this.#ended = ended;
  }

  end(outcome: Outcome | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ended(this, outcome);
  }
}

/** Starts on their way to a worker loop, and how many attempts are in flight. */
export interface Grants {
  /** Hands a start to a loop that waits, or keeps it for the first one that comes. It counts as in flight from now on. */
  give(grant: Grant): void;
  /** A start ended. */
  ended(): void;
  /** The next start; null after `waitMs` or when the signal aborts. */
  readonly take: (signal: AbortSignal, waitMs: number) => Promise<Grant | null>;
  /** Takes out those that no loop has taken yet and the test names; each is still to be ended. */
  takeOut(isMeant: (delivery: Delivery) => boolean): Grant[];
  /** Resolves when nothing is in flight, or when the signal aborts. */
  readonly idle: (signal: AbortSignal) => Promise<void>;
  /** Attempts in flight, those that a loop is about to take included. */
  readonly running: number;
}

/** @param needLoop Called when an attempt may start and no loop waits for one. */
export function createGrants(needLoop: (running: number) => void): Grants {
  const takers = createWaiters<Grant | null>();
  const idleness = createBell();
  let kept: Grant[] = [];
  let running = 0;
  const isIdle = (): boolean => running === 0;

  return {
    give(grant) {
      running += 1;
      if (takers.hand(grant)) return;
      kept.push(grant);
      needLoop(running);
    },
    ended() {
      running -= 1;
      if (running === 0) idleness.ring();
    },
    take(signal, waitMs) {
      if (signal.aborted) return Promise.resolve(null);
      const one = kept.shift();
      if (one !== undefined) return Promise.resolve(one);
      return takers.wait({ signal, waitMs, otherwise: null, aborted: null });
    },
    takeOut(isMeant) {
      const meant = kept.filter(({ delivery }) => isMeant(delivery));
      kept = kept.filter(({ delivery }) => !isMeant(delivery));
      return meant;
    },
    async idle(signal) {
      while (!isIdle() && !signal.aborted) await idleness.wait(Infinity, signal);
    },
    get running() {
      return running;
    },
  };
}
