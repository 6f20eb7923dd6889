import type { Clock } from "../clock.ts";
import { createBreaker, type BreakerState, type BreakerTrip } from "./breaker.ts";
import type { Endpoint } from "../delivery/endpoint.ts";
import { isEndpointFailure, type Outcome } from "../delivery/outcome.ts";
import { createGateNews } from "./gate-news.ts";
import { createRateLimit } from "./rate-limit.ts";
import { createWindow, windowAnswer } from "./window.ts";
import type { Gate, Verdict } from "./gate.ts";

/** What an operator or the endpoint's own answers have made of it. */
export const endpointModes = ["enabled", "paused", "disabled"] as const;

export type EndpointMode = (typeof endpointModes)[number];

/** An endpoint's gate with what the admin API shows and changes. */
export interface EndpointGate extends Gate {
  readonly endpoint: Endpoint;
  readonly mode: EndpointMode;
  /** Epoch ms since when it has this mode. */
  readonly modeSince: number;
  readonly breaker: BreakerState;
  /** Why the breaker is not closed, and since when; null while it is. */
  readonly trip: EndpointTrip | null;
  /** Epoch ms at which an open breaker lets a probe through; null while it is not open. */
  readonly openUntil: number | null;
  /** Milliseconds for which nothing starts, as the receiver asked for it or its breaker is open; 0 = something may. */
  readonly heldMs: number;
  /** Starts that were taken and have not ended, over all queues. */
  readonly inFlight: number;
  /** Most attempts in flight that its answers of 429 leave it; Infinity = they limit nothing. */
  readonly window: number;
  setMode(mode: EndpointMode): void;
  /** Other settings of the same endpoint: what it has counted, its breaker, holds and mode stay. */
  configure(endpoint: Endpoint): void;
  /** The endpoint is gone, or the process ends: lets go of timers, and counts only what is in flight. */
  close(): void;
}

/** An endpoint's breaker that is not closed. */
export interface EndpointTrip extends BreakerTrip {
  /** Epoch ms at which it opened first. */
  readonly since: number;
  /** The attempt that opened it. */
  readonly last: Outcome;
}

export interface EndpointGateOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** Called when answers of 410 in a row disable the endpoint (`on_gone: "disable"`). */
  readonly onGone: (endpoint: Endpoint) => void;
  /** Called when the breaker opens, with what opened it, and with null when it closes; not for probes that fail. */
  readonly onBreaker: (endpoint: Endpoint, trip: EndpointTrip | null) => void;
}

/** A wait shorter than this is waited for here; a longer one is worth two writes in the backend. */
const parkAboveMs = 1_000;

/**
 * One endpoint's rules in this process: mode, breaker, the receiver's own Retry-After, window, rate limit.
 *
 * An answer with Retry-After holds the endpoint and not only the job: what the receiver says of one request
 * holds for the next one too, whenever the answered attempt began: it is the receiver's word of now. A 429 without one narrows the window (window.ts). A 503 without one is a failure
 * like any 5xx, for one bad node behind a load balancer must not stop the others.
 */
export function createEndpointGate(options: EndpointGateOptions): EndpointGate {
  const { clock } = options;
  let { endpoint } = options;
  let limits = endpoint.limits;
  const starts = { latest: 0 };
  const breaker = createBreaker(limits.breaker, starts);
  let rateLimit = limits.rateLimit === null ? null : createRateLimit(limits.rateLimit);
  let mode: EndpointMode = "enabled";
  let modeSince = clock.now();
  let trip: EndpointTrip | null = null;
  const window = createWindow(starts);
  let heldUntil = 0;
  /** Until when the rate limit has refused a start. */
  let limitedUntil = 0;
  /** Held, limited, its breaker not closed, or its window narrowed: a start needs a closer look. */
  let isTroubled = false;
  let goneInRow = 0;
  /** The first attempt that began after the mode was set last: only these may disable the endpoint. */
  let firstAfterMode = 0;
  let inFlight = 0;
  let isClosed = false;

  /** Milliseconds of a wait that is known: the hold's or the breaker's. */
  const knownWaitMs = (now: number): number =>
    Math.max(heldUntil - now, breaker.state(now) === "open" ? breaker.waitMs(now) : 0, 0);

  const news = createGateNews(clock, (now) => Math.max(knownWaitMs(now), limitedUntil - now));
  const { announce, announceWhenOver } = news;

  /** What it says now; `isTroubled` becomes false when there is nothing left to look at. */
  const look = (now: number): Verdict => {
    const waitMs = knownWaitMs(now);
    if (waitMs > parkAboveMs) return "closed";
    // Infinity: a probe is under way, and its end is told.
    if (waitMs > 0 || limitedUntil > now || breaker.waitMs(now) > 0) return "later";
    if (!window.admits(inFlight)) {
      news.isAwaited = true;
      return "full";
    }
    isTroubled = window.size !== Infinity || breaker.state(now) !== "closed";
    return "open";
  };

  const ask = (): Verdict => {
    if (mode !== "enabled") return mode === "paused" ? "closed" : "disabled";
    if (!isTroubled) return "open";
    const now = clock.monotonic();
    announceWhenOver(now);
    return look(now);
  };

  const hold = (outcome: Outcome, now: number): void => {
    if (outcome.kind !== "http_status" || outcome.retryAfterMs === null) return;
    const waitMs = Math.min(outcome.retryAfterMs, endpoint.retry.maxBackoffMs);
    heldUntil = Math.max(heldUntil, now + waitMs);
  };

  const changeMode = (next: EndpointMode): void => {
    if (next !== mode) modeSince = clock.now();
    mode = next;
  };

  /** Tells of a breaker that opened or closed. */
  const tellBreaker = (last: Outcome | null): void => {
    const why = breaker.trip;
    if ((why === null) === (trip === null)) return;
    trip = why === null || last === null ? null : { ...why, since: clock.now(), last };
    options.onBreaker(endpoint, trip);
  };

  const countGone = (attempt: number, outcome: Outcome): void => {
    if (attempt < firstAfterMode) return;
    if (outcome.kind === "http_status" && outcome.status === 410) goneInRow += 1;
    else if (outcome.kind === "delivered") goneInRow = 0;
    if (limits.onGone !== "disable" || goneInRow < limits.goneThreshold || mode === "disabled") return;
    changeMode("disabled");
    options.onGone(endpoint);
  };

  return {
    get endpoint() {
      return endpoint;
    },
    get mode() {
      return mode;
    },
    get modeSince() {
      return modeSince;
    },
    get breaker() {
      return breaker.state(clock.monotonic());
    },
    get trip() {
      return trip;
    },
    get openUntil() {
      const now = clock.monotonic();
      return breaker.state(now) === "open" ? Math.round(clock.now() + breaker.waitMs(now)) : null;
    },
    get heldMs() {
      return Math.round(knownWaitMs(clock.monotonic()));
    },
    get inFlight() {
      return inFlight;
    },
    get window() {
      return window.size;
    },
    ask,
    start() {
      const verdict = ask();
      if (verdict !== "open") return verdict;
      if (rateLimit !== null || isTroubled) {
        const now = clock.monotonic();
        const limitedMs = rateLimit?.take(now) ?? 0;
        if (limitedMs > 0) {
          limitedUntil = now + limitedMs;
          isTroubled = true;
          announceWhenOver(now);
          return "later";
        }
        breaker.started(starts.latest + 1);
      }
      inFlight += 1;
      starts.latest += 1;
      return starts.latest;
    },
    ended(attempt, outcome) {
      const now = clock.monotonic();
      // Its endpoint is gone: what this attempt says must not change one that has the same name since.
      if (isClosed) {
        inFlight -= 1;
        return;
      }
      // What nearly always happens: it was delivered, and nothing was wrong before.
      if (outcome?.kind === "delivered" && !isTroubled) {
        inFlight -= 1;
        goneInRow = 0;
        breaker.ended(attempt, now, false);
        return;
      }
      window.ended(attempt, inFlight, windowAnswer(outcome));
      inFlight -= 1;
      const before = breaker.state(now);
      breaker.ended(attempt, now, outcome === null ? null : isEndpointFailure(outcome));
      if (outcome !== null) {
        hold(outcome, now);
        countGone(attempt, outcome);
      }
      tellBreaker(outcome);
      const after = breaker.state(now);
      const waitMs = knownWaitMs(now);
      isTroubled = after !== "closed" || waitMs > 0 || limitedUntil > now || window.size !== Infinity;
      announceWhenOver(now);
      const hasRoom = news.isAwaited && inFlight < window.size;
      const changed = before !== after || before === "half_open" || hasRoom;
      if (changed || mode === "disabled" || waitMs > parkAboveMs) announce();
    },
    onChange: news.onChange,
    setMode(next) {
      changeMode(next);
      goneInRow = 0;
      firstAfterMode = starts.latest + 1;
      if (next === "enabled") {
        breaker.reset();
        tellBreaker(null);
        window.reset();
        heldUntil = 0;
        limitedUntil = 0;
        isTroubled = false;
      }
      announce();
    },
    configure(next) {
      endpoint = next;
      limits = next.limits;
      breaker.setPolicy(limits.breaker);
      const { rateLimit: rate } = limits;
      if (rate === null || rateLimit === null) rateLimit = rate === null ? null : createRateLimit(rate);
      else rateLimit.setPolicy(rate);
      // A wait that the old settings asked for may be over; the next start finds out.
      limitedUntil = 0;
      isTroubled = true;
      announce();
    },
    close() {
      isClosed = true;
      news.close();
    },
  };
}
