import type { EndpointLimits } from "../delivery/endpoint.ts";
import type { Starts } from "./gate.ts";

/** When an endpoint's circuit breaker opens, and for how long (`breaker` of a webhook). */
export type BreakerPolicy = EndpointLimits["breaker"];

export const breakerStates = ["closed", "open", "half_open"] as const;

export type BreakerState = (typeof breakerStates)[number];

/** Why a breaker is not closed: so many of the attempts in its window failed. */
export interface BreakerTrip {
  readonly failures: number;
  readonly attempts: number;
}

/**
 * A circuit breaker over one endpoint's attempts; times are monotonic ms.
 *
 *     closed ──failures ≥ share of ≥ minAttempts──▶ open ──openMs──▶ half_open ──probe succeeds──▶ closed
 *                                                     ▲                 └──probe fails──┐
 *                                                     └─────────────────────────────────┘
 *
 * In half_open one attempt at a time is let through, the probe, and only its end decides. Closing forgets what
 * was counted before, so that the failures of the outage cannot open it again. For the same reason an attempt
 * counts only in the state in which it began: attempts that outlast an outage say nothing of the time after it.
 */
export interface Breaker {
  state(now: number): BreakerState;
  /** What was counted when it left "closed", since when it has not been closed again; null while it is. */
  readonly trip: BreakerTrip | null;
  /** Milliseconds until an attempt may start: 0 = now, Infinity = when the probe under way has ended. */
  waitMs(now: number): number;
  /** The attempt of this number starts; only where `waitMs` is 0. Needs not be told while it is closed. */
  started(attempt: number): void;
  /** It ended; null = it was cut off and says nothing. */
  ended(attempt: number, now: number, failed: boolean | null): void;
  /** Back to closed, by an operator. */
  reset(): void;
  /** Another policy from now on; its state stays, and what was counted too, unless the window is another. */
  setPolicy(policy: BreakerPolicy): void;
}

/** The window moves in steps of a tenth: exact sliding would keep a time for each attempt. */
const slots = 10;

/** `starts` is read only: the caller counts. */
export function createBreaker(first: BreakerPolicy, starts: Readonly<Starts>): Breaker {
  let policy = first;
  let stepMs = policy.windowMs / slots;
  const attempts = Array.from({ length: slots }, () => 0);
  const failures = Array.from({ length: slots }, () => 0);
  let newest = 0;
  let openedAt: number | null = null;
  let trip: BreakerTrip | null = null;
  /** The attempt that is the probe under way. */
  let probe: number | null = null;
  /** The first attempt that began after it was closed last: older ones do not count. */
  let firstCounted = 0;

  const forget = (): void => {
    attempts.fill(0);
    failures.fill(0);
  };
  const close = (): void => {
    openedAt = null;
    trip = null;
    probe = null;
    firstCounted = starts.latest + 1;
    forget();
  };
  const advance = (now: number): number => {
    const step = Math.floor(now / stepMs);
    if (step - newest >= slots) forget();
    else {
      for (let passed = newest + 1; passed <= step; passed += 1) {
        attempts[passed % slots] = 0;
        failures[passed % slots] = 0;
      }
    }
    newest = Math.max(newest, step);
    return newest % slots;
  };
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const state = (now: number): BreakerState => {
    if (openedAt === null) return "closed";
    return now - openedAt < policy.openMs ? "open" : "half_open";
  };

  return {
    state,
    get trip() {
      return trip;
    },
    waitMs(now) {
      switch (state(now)) {
        case "closed":
          return 0;
        case "open":
          return (openedAt as number) + policy.openMs - now;
        default:
          return probe === null ? 0 : Infinity;
      }
    },
    started(attempt) {
      if (openedAt !== null) probe = attempt;
    },
    ended(attempt, now, failed) {
      if (openedAt !== null) {
        // Attempts that began before it opened end here too.
        if (attempt !== probe) return;
        probe = null;
        if (failed === true) openedAt = now;
        else if (failed === false) close();
        return;
      }
      if (failed === null || attempt < firstCounted) return;
      const slot = advance(now);
      attempts[slot] = (attempts[slot] as number) + 1;
      if (!failed) return;
      failures[slot] = (failures[slot] as number) + 1;
      const all = sum(attempts);
      const failing = sum(failures);
      if (all < policy.minAttempts || failing / all < policy.failureShare) return;
      openedAt = now;
      trip = { failures: failing, attempts: all };
    },
    reset: close,
    setPolicy(next) {
      if (next.windowMs !== policy.windowMs) {
        forget();
        newest = 0;
      }
      policy = next;
      stepMs = policy.windowMs / slots;
    },
  };
}
