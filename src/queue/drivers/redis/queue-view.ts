import type { Clock } from "../../../clock.ts";
import type { LeaseOptions } from "../../driver.ts";
import type { LeaseAnswer, LeaseRequest } from "./lease-call.ts";
import { maxBatch } from "./limits.ts";

/**
 * What this process knows of one queue, from which follows when it asks for jobs again.
 *
 * A call that brought fewer jobs than it asked for has seen everything there was. From then on the queue is *drained* for this
 * process until one of these happens:
 * - a producer pushes: the blocked wait (push-wait.ts) ends;
 * - hookline writes (enqueue, release, redrive, children): the call has put this process among `:waiters` in
 *   the same step, and whoever writes wakes one of them by its channel;
 * - a due time or a lease's end that the call has told comes;
 * - the queue is paused or resumed: told on the queue's channel;
 * - a parked key that was closed is open now;
 * - four seconds pass: whatever message got lost, it costs no more than this.
 *
 * `news` counts what is heard. A call notes the count before it is sent, so that something heard while its answer was on
 * its way is never taken for seen.
 */
export interface QueueView {
  /** The queue may hold jobs that this process could have, as far as it knows. */
  mustAsk(options: LeaseOptions): boolean;
  /** Something was heard since the last answer, so that there may be more. */
  readonly hasNews: boolean;
  /** Paused, or kept from jobs by processes of a newer rank (ranks.ts). */
  readonly isPaused: boolean;
  /** Monotonic ms at which the next call is due without any news. */
  nextCallAt(): number;
  /** This process stands among the waiters, as far as it knows. */
  readonly isRegistered: boolean;
  /** Begins a call; every call ends in `answered` or `failed`. */
  begin(options: LeaseOptions, willWait: boolean): BegunCall;
  /** Takes an answer in. `isFaulty`: some of the queue's places could not be read. Tells what is known of the pause now. */
  answered(call: BegunCall, answer: LeaseAnswer, isFaulty: boolean): "paused" | "running" | "unknown";
  failed(): void;
  /** The last answer is not to be relied on. */
  doubt(): void;
  /** There may be jobs. */
  hear(): void;
  /** There may be jobs, and whoever said so has taken this process off the waiters. */
  hearAsWaiter(): void;
  /** The pause was changed by somebody. */
  hearPause(): void;
  /** Messages may have been missed, or come from another server now. */
  forgetRegistration(): void;
  /** A job is due in so much time; true where that is earlier than was known. */
  soonerBy(ms: number): boolean;
  /** Jobs were parked under a key: it is asked for when it is open. */
  noteParked(key: string): void;
}

/** A call that was begun, and what was known then. */
export interface BegunCall {
  readonly request: LeaseRequest;
  readonly startedAt: number;
  readonly news: number;
  readonly wakes: number;
}

export interface QueueViewOptions {
  readonly clock: Clock;
  /** Messages are heard now. */
  readonly isHeard: () => boolean;
  /** The server can block for pushes. */
  readonly blocks: () => boolean;
}

const idleCallMs = 4_000;
const pollMs = 1_000;
const pausedCallMs = 60_000;
/** Registered in `:waiters` for a minute; renewed after half of it. */
const registrationMs = 30_000;
const fullScanMs = 1_000;

/** Knows nothing yet: the first call is due at once. */
export function createQueueView({ clock, isHeard, blocks }: QueueViewOptions): QueueView {
  let news = 1;
  /** `news` as of the last answer that had everything; 0 = there may be more. */
  let drainedAt = 0;
  let callAgainAt = 0;
  /** Set while the queue is paused: when to make sure that it still is. */
  let pausedUntil: number | null = null;
  /** When this process was put among the waiters; null = it may not be there. */
  let registeredAt: number | null = null;
  /** Wake-ups heard; each has taken this process off the waiters. */
  let wakes = 0;
  let scannedAt = Number.NEGATIVE_INFINITY;
  /** Parked keys to ask for once they are open. */
  const candidates = new Set<string>();

  const hearAsWaiter = (): void => {
    registeredAt = null;
    wakes += 1;
    news += 1;
  };

  return {
    mustAsk({ closedKeys }) {
      const now = clock.monotonic();
      if (pausedUntil !== null) return now >= pausedUntil;
      // Who does not stand among the waiters is told nothing.
      if (drainedAt !== news || registeredAt === null || now >= callAgainAt) return true;
      for (const key of candidates) if (!closedKeys.has(key)) return true;
      return false;
    },
    get hasNews() {
      return drainedAt !== news;
    },
    get isPaused() {
      return pausedUntil !== null;
    },
    nextCallAt: () => pausedUntil ?? callAgainAt,
    get isRegistered() {
      return registeredAt !== null;
    },

    begin({ max, leaseMs, parkedMax, closedKeys }, willWait) {
      const startedAt = clock.monotonic();
      const scan = startedAt - scannedAt >= fullScanMs;
      const open = [...candidates].filter((key) => !closedKeys.has(key));
      // Before it is sent: a key that is noted while the answer is on its way must stay.
      if (scan) {
        candidates.clear();
        for (const key of closedKeys) candidates.add(key);
      } else {
        for (const key of open) candidates.delete(key);
      }
      const request: LeaseRequest = {
        max: Math.min(Math.max(max, 1), maxBatch),
        leaseMs,
        parkedMax: Math.max(parkedMax, 1),
        register: willWait,
        registered: registeredAt !== null && startedAt - registeredAt < registrationMs,
        keys: scan ? [...closedKeys] : open,
        scan,
      };
      return { request, startedAt, news, wakes };
    },

    answered(call, answer, isFaulty) {
      const answeredAt = clock.monotonic();
      // The script takes `registered` on trust. A wake-up heard since then may be older or newer than the
      // answer, so that only a registration by this very call, with none heard, is certain.
      if (!answer.registered) registeredAt = null;
      else if (!call.request.registered) registeredAt = wakes === call.wakes ? call.startedAt : null;
      const isNewest = news === call.news;
      if (answer.behind) {
        // As while it is paused: no blocked wait, and nothing is sent but a call each second.
        pausedUntil = answeredAt + pollMs;
        return "unknown";
      }
      if (answer.paused) {
        // A change told while the answer was on its way is newer than the answer.
        pausedUntil = isNewest ? answeredAt + (isHeard() ? pausedCallMs : pollMs) : null;
        return isNewest ? "paused" : "unknown";
      }
      pausedUntil = null;
      if (call.request.scan) scannedAt = call.startedAt;
      for (const key of answer.parkedKeys) candidates.add(key);
      // Some of the places could not be read: the next call finds out whether they can be now.
      drainedAt = answer.full || isFaulty ? 0 : call.news;
      const dueMs = answer.nextMs ?? Number.POSITIVE_INFINITY;
      callAgainAt = answeredAt + Math.min(dueMs, blocks() && isHeard() ? idleCallMs : pollMs);
      return isNewest ? "running" : "unknown";
    },
    failed() {
      drainedAt = 0;
      scannedAt = Number.NEGATIVE_INFINITY;
    },

    doubt: () => void (drainedAt = 0),

    hear: () => void (news += 1),
    hearAsWaiter,
    hearPause() {
      pausedUntil = null;
      news += 1;
    },
    forgetRegistration: () => void (registeredAt = null),
    soonerBy(ms) {
      const at = clock.monotonic() + ms;
      // Anybody may publish anything: a text that is no number says nothing.
      if (!(at < callAgainAt)) return false;
      callAgainAt = at;
      return true;
    },
    noteParked: (key) => void candidates.add(key),
  };
}
