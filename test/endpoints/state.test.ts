import { describe, expect, test } from "bun:test";
import { createBreaker } from "../../src/endpoints/breaker.ts";
import type { EndpointLimits } from "../../src/delivery/endpoint.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { createRateLimit } from "../../src/endpoints/rate-limit.ts";
import type { Verdict } from "../../src/endpoints/gate.ts";
import { createEndpointGate, type EndpointGate } from "../../src/endpoints/state.ts";
import { testEndpoint } from "../support/endpoint.ts";
import { until } from "../support/until.ts";

const ok: Outcome = { kind: "delivered", status: 200, durationMs: 1 };
const status = (code: number, retryAfterMs: number | null = null): Outcome => ({
  kind: "http_status",
  status: code,
  retryAfterMs,
  durationMs: 1,
});

function fakeClock() {
  let now = 1_000;
  return {
    clock: { now: () => now, monotonic: () => now },
    pass: (ms: number) => void (now += ms),
  };
}

function gateOf(limits: Partial<EndpointLimits>, clock = fakeClock()) {
  const gone: string[] = [];
  const endpoint = testEndpoint({ label: "app/hook", limits, retry: { maxBackoffMs: 60_000 } });
  const breaker: (string | null)[] = [];
  const real = createEndpointGate({
    endpoint,
    clock: clock.clock,
    onGone: ({ label }) => gone.push(label),
    onBreaker: (_endpoint, trip) =>
      breaker.push(trip === null ? null : `${trip.failures}/${trip.attempts} ${trip.last.kind}`),
  });
  return { gate: byOldest(real), gone, breaker, pass: clock.pass };
}

/** The gate with ends that are told by nothing but their order: the oldest start ends, or one that is made for it. */
function byOldest(gate: EndpointGate) {
  const running: number[] = [];
  const start = (): Verdict => {
    const said = gate.start();
    if (typeof said !== "number") return said;
    running.push(said);
    return "open";
  };
  return Object.assign(Object.create(gate) as Omit<EndpointGate, "start" | "ended">, {
    start,
    ended(outcome: Outcome | null): void {
      if (running.length === 0) start();
      gate.ended(running.shift() ?? 0, outcome);
    },
  });
}

describe("breaker", () => {
  const policy = { failureShare: 0.5, minAttempts: 4, windowMs: 1_000, openMs: 500 };
  const breakerOf = () => {
    const starts = { latest: 0 };
    const breaker = createBreaker(policy, starts);
    return Object.assign(Object.create(breaker) as Omit<typeof breaker, "started" | "ended">, {
      started(_now: number): void {
        starts.latest += 1;
        breaker.started(starts.latest);
      },
      /** The end of the newest attempt while it is not closed, else of one that has just started. */
      ended(now: number, failed: boolean | null): void {
        if (breaker.state(now) === "closed") starts.latest += 1;
        breaker.ended(starts.latest, now, failed);
      },
    });
  };
  const fail = (breaker: ReturnType<typeof breakerOf>, times: number, now = 0): void => {
    for (let index = 0; index < times; index += 1) breaker.ended(now, true);
  };

  test("stays closed below min_attempts", () => {
    const breaker = breakerOf();
    fail(breaker, 3);
    expect(breaker.state(0)).toBe("closed");
  });

  test("opens at the failure share, not below it", () => {
    const below = breakerOf();
    for (const failed of [true, false, false, false, true]) below.ended(0, failed);
    expect(below.state(0)).toBe("closed");
    const at = breakerOf();
    for (const failed of [false, false, true, true]) at.ended(0, failed);
    expect(at.state(0)).toBe("open");
    expect(at.waitMs(100)).toBe(400);
  });

  test("failures older than the window do not count", () => {
    const breaker = breakerOf();
    fail(breaker, 3, 0);
    breaker.ended(1_100, true);
    expect(breaker.state(1_100)).toBe("closed");
  });

  test("half-opens after open_ms and lets one probe through at a time", () => {
    const breaker = breakerOf();
    fail(breaker, 4);
    expect(breaker.state(500)).toBe("half_open");
    expect(breaker.waitMs(500)).toBe(0);
    breaker.started(500);
    expect(breaker.waitMs(500)).toBe(Infinity);
  });

  test("a probe that succeeds closes it and forgets the failures", () => {
    const breaker = breakerOf();
    fail(breaker, 4);
    breaker.started(500);
    breaker.ended(510, false);
    expect(breaker.state(510)).toBe("closed");
    fail(breaker, 3, 520);
    expect(breaker.state(520)).toBe("closed");
  });

  test("a probe that fails opens it again for open_ms", () => {
    const breaker = breakerOf();
    fail(breaker, 4);
    breaker.started(500);
    breaker.ended(600, true);
    expect(breaker.state(1_099)).toBe("open");
    expect(breaker.state(1_100)).toBe("half_open");
  });

  test("a probe that was cut off lets the next one through", () => {
    const breaker = breakerOf();
    fail(breaker, 4);
    breaker.started(500);
    breaker.ended(510, null);
    expect(breaker.waitMs(510)).toBe(0);
  });

  test("attempts that began before it opened decide nothing", () => {
    const breaker = breakerOf();
    fail(breaker, 4);
    breaker.ended(10, false);
    expect(breaker.state(10)).toBe("open");
    expect(breaker.state(499)).toBe("open");
  });
});

describe("rate limit", () => {
  test("any second of a long run starts at most per_second + burst", () => {
    const limit = createRateLimit({ perSecond: 10, burst: 1 });
    const starts: number[] = [];
    for (let now = 0; now < 10_000; now += 1) if (limit.take(now) === 0) starts.push(now);
    for (const start of starts) {
      expect(starts.filter((time) => time >= start && time < start + 1_000).length).toBeLessThanOrEqual(11);
    }
    expect(starts.length).toBeGreaterThanOrEqual(98);
  });

  test("says how long to wait, and has a token then", () => {
    const limit = createRateLimit({ perSecond: 4, burst: 2 });
    expect([limit.take(0), limit.take(0)]).toEqual([0, 0]);
    const waitMs = limit.take(0);
    expect(waitMs).toBe(250);
    expect(limit.take(waitMs)).toBe(0);
  });

  test("a pause fills it up to its burst, however long it is", () => {
    const limit = createRateLimit({ perSecond: 4, burst: 2 });
    for (const now of [0, 10_000, 3_600_000]) {
      expect([now, limit.take(now), limit.take(now), limit.take(now)]).toEqual([now, 0, 0, 250]);
    }
  });

  test("a clock that goes back fills nothing", () => {
    const limit = createRateLimit({ perSecond: 1, burst: 1 });
    expect(limit.take(5_000)).toBe(0);
    expect(limit.take(1_000)).toBeGreaterThan(0);
  });
});

describe("a 429 without Retry-After", () => {
  /** Starts as many attempts as the gate allows, at most `most`. */
  const startAll = (gate: ReturnType<typeof gateOf>["gate"], most = 100): number => {
    let started = 0;
    while (started < most && gate.start() === "open") started += 1;
    return started;
  };
  const endAll = (gate: ReturnType<typeof gateOf>["gate"], outcome: Outcome): void => {
    while (gate.inFlight > 0) gate.ended(outcome);
  };

  test("halves what may be in flight, once for all that were in flight together, down to 1", () => {
    const { gate } = gateOf({});
    const sizes: number[] = [];
    expect(startAll(gate, 16)).toBe(16);
    for (let round = 0; round < 5; round += 1) {
      endAll(gate, status(429));
      sizes.push(startAll(gate));
    }
    expect(sizes).toEqual([8, 4, 2, 1, 1]);
    expect(gate.window).toBe(1);
    expect([gate.heldMs, gate.ask()]).toEqual([0, "full"]);
  });

  test("counts from what is in flight, and nothing starts until that is below the window", () => {
    const { gate } = gateOf({});
    startAll(gate, 8);
    gate.ended(status(429));
    expect(gate.window).toBe(4);
    for (let ended = 1; ended < 4; ended += 1) {
      expect(gate.start()).toBe("full");
      gate.ended(ok);
    }
    expect(gate.start()).toBe("full");
    gate.ended(ok);
    expect(gate.start()).toBe("open");
    expect(gate.start()).toBe("full");
  });

  test("each window's worth of accepted deliveries opens it by one, and others do not", () => {
    const { gate } = gateOf({});
    startAll(gate, 4);
    endAll(gate, status(429));
    expect(startAll(gate)).toBe(2);
    gate.ended(ok);
    gate.ended(status(500));
    gate.ended(null);
    expect(gate.window).toBe(2);
    startAll(gate);
    gate.ended(ok);
    expect(gate.window).toBe(3);
    for (let accepted = 0; accepted < 3; accepted += 1) {
      startAll(gate);
      gate.ended(ok);
    }
    expect(gate.window).toBe(4);
  });

  test("opens no further than the endpoint has a use for", () => {
    const { gate } = gateOf({});
    startAll(gate, 8);
    endAll(gate, status(429));
    for (let accepted = 0; accepted < 100; accepted += 1) {
      // Its share of the slots is 3.
      startAll(gate, 3 - gate.inFlight);
      gate.ended(ok);
    }
    expect(gate.window).toBe(4);
  });

  test("says when there is room again, to each queue in turn", () => {
    const { gate } = gateOf({});
    startAll(gate, 2);
    const starts = [0, 0];
    const queue = (index: number) => (): void => {
      if (gate.start() === "open") starts[index] = (starts[index] ?? 0) + 1;
    };
    gate.onChange(queue(0));
    gate.onChange(queue(1));
    endAll(gate, status(429));
    expect(gate.window).toBe(1);
    startAll(gate);
    for (let round = 0; round < 20; round += 1) {
      queue(round % 2)();
      gate.ended(status(500));
    }
    expect(Math.min(...starts)).toBeGreaterThanOrEqual(8);
  });

  test("enabling the endpoint forgets it; one that names a wait holds instead", () => {
    const { gate } = gateOf({});
    startAll(gate, 4);
    endAll(gate, status(429));
    gate.setMode("enabled");
    expect(gate.window).toBe(Infinity);
    startAll(gate, 4);
    endAll(gate, status(429, 500));
    expect([gate.window, gate.heldMs]).toEqual([Infinity, 500]);
    gate.close();
  });
});

describe("gate", () => {
  test("Retry-After holds the lane and not only the job", () => {
    const { gate, pass } = gateOf({});
    expect(gate.start()).toBe("open");
    gate.ended(status(429, 3_000));
    expect(gate.ask()).toBe("closed");
    expect(gate.start()).toBe("closed");
    pass(2_999);
    expect(gate.start()).toBe("later");
    pass(1);
    expect(gate.start()).toBe("open");
    gate.close();
  });

  test("a 503 without Retry-After is a failure like any 5xx: only the breaker counts it", () => {
    const breaker = { failureShare: 0.5, minAttempts: 4, windowMs: 60_000, openMs: 30_000 };
    const { gate } = gateOf({ breaker });
    for (let index = 0; index < 3; index += 1) {
      gate.ended(status(503));
      expect([gate.heldMs, gate.window, gate.start()]).toEqual([0, Infinity, "open"]);
    }
    gate.ended(status(503));
    expect(gate.breaker).toBe("open");
    gate.close();
  });

  test("a 503 with Retry-After holds it", () => {
    const { gate } = gateOf({});
    gate.ended(status(503, 5_000));
    expect([gate.heldMs, gate.ask(), gate.window]).toEqual([5_000, "closed", Infinity]);
    gate.close();
  });

  test("a hold is never longer than max_backoff", () => {
    const { gate } = gateOf({});
    gate.ended(status(429, 86_400_000));
    expect(gate.heldMs).toBe(60_000);
    gate.close();
  });

  test("a plain 500 holds nothing", () => {
    const { gate } = gateOf({});
    gate.ended(status(500));
    expect(gate.start()).toBe("open");
  });

  test("410 in a row disables where on_gone says so, and says it once", () => {
    const { gate, gone } = gateOf({ onGone: "disable", goneThreshold: 3 });
    gate.ended(status(410));
    gate.ended(status(410));
    gate.ended(ok);
    for (let index = 0; index < 2; index += 1) gate.ended(status(410));
    expect(gate.ask()).not.toBe("disabled");
    gate.ended(status(410));
    gate.ended(status(410));
    expect(gate.ask()).toBe("disabled");
    expect(gone).toEqual(["app/hook"]);
    gate.setMode("enabled");
    expect(gate.start()).toBe("open");
  });

  test("410 disables nothing by default", () => {
    const { gate } = gateOf({});
    for (let index = 0; index < 10; index += 1) gate.ended(status(410));
    expect(gate.mode).toBe("enabled");
  });

  test("a paused endpoint starts nothing until it is enabled, and says when", () => {
    const { gate } = gateOf({});
    let changes = 0;
    gate.onChange(() => (changes += 1));
    gate.setMode("paused");
    expect(gate.ask()).toBe("closed");
    expect(gate.start()).toBe("closed");
    gate.setMode("enabled");
    expect(changes).toBe(2);
    expect(gate.start()).toBe("open");
  });

  test("the end of a hold is announced by itself", async () => {
    const { systemClock } = await import("../../src/clock.ts");
    const { gate } = gateOf({}, { clock: systemClock, pass: () => undefined });
    let changes = 0;
    gate.ended(status(429, 30));
    gate.onChange(() => (changes += 1));
    await until(() => changes > 0, { what: "the gate to announce that the hold is over" });
    expect(gate.start()).toBe("open");
    gate.close();
  });

  test("a breaker that opens and closes is told once each, with what opened it", () => {
    const limits = { breaker: { failureShare: 0.5, minAttempts: 4, windowMs: 60_000, openMs: 30_000 } };
    const { gate, breaker, pass } = gateOf(limits);
    gate.ended(ok);
    for (let index = 0; index < 3; index += 1) gate.ended(status(503));
    expect(breaker).toEqual(["3/4 http_status"]);
    expect(gate.trip).toEqual({ failures: 3, attempts: 4, since: 1_000, last: status(503) });
    expect([gate.openUntil, gate.heldMs]).toEqual([31_000, 30_000]);
    // Attempts that began before, and a probe that fails, tell nothing new.
    gate.ended(status(503));
    pass(30_000);
    expect([gate.openUntil, gate.heldMs, gate.breaker]).toEqual([null, 0, "half_open"]);
    gate.start();
    gate.ended({ kind: "timeout", durationMs: 10 });
    expect([breaker.length, gate.openUntil, gate.trip?.since]).toEqual([1, 61_000, 1_000]);
    pass(30_000);
    gate.start();
    gate.ended(ok);
    expect(breaker).toEqual(["3/4 http_status", null]);
    expect([gate.trip, gate.openUntil, gate.heldMs]).toEqual([null, null, 0]);
    gate.close();
  });

  test("enabling an endpoint closes its breaker, and tells so only where it was open", () => {
    const { gate, breaker } = gateOf({
      breaker: { failureShare: 0.5, minAttempts: 1, windowMs: 60_000, openMs: 30_000 },
    });
    gate.setMode("enabled");
    expect(breaker).toEqual([]);
    gate.ended(status(500));
    gate.setMode("enabled");
    gate.setMode("enabled");
    expect(breaker).toEqual(["1/1 http_status", null]);
    gate.close();
  });

  test("the time that nothing starts is the longer of what the receiver asked for and its breaker's", () => {
    const breaker = { failureShare: 0.5, minAttempts: 1, windowMs: 60_000, openMs: 30_000 };
    const { gate, pass } = gateOf({ breaker });
    gate.ended(status(503, 45_000));
    expect([gate.heldMs, gate.openUntil]).toEqual([45_000, 31_000]);
    pass(40_000);
    expect([gate.heldMs, gate.openUntil, gate.breaker]).toEqual([5_000, null, "half_open"]);
    gate.close();
  });

  test("an open breaker closes the gate; its probe's failure closes it again", () => {
    const { gate, pass } = gateOf({
      breaker: { failureShare: 0.5, minAttempts: 2, windowMs: 60_000, openMs: 30_000 },
    });
    gate.ended(status(500));
    gate.ended(status(500));
    expect([gate.ask(), gate.breaker]).toEqual(["closed", "open"]);
    pass(30_000);
    expect(gate.start()).toBe("open");
    expect(gate.start()).toBe("later");
    gate.ended({ kind: "timeout", durationMs: 10 });
    expect(gate.ask()).toBe("closed");
    pass(30_000);
    expect(gate.start()).toBe("open");
    gate.ended(ok);
    expect(gate.breaker).toBe("closed");
    gate.close();
  });
});
