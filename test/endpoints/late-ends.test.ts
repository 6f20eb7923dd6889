/** Attempts that end later than others that began after them: they must not be taken for newer ones. */
import { describe, expect, test } from "bun:test";
import type { EndpointLimits } from "../../src/delivery/endpoint.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { createEndpointGate, type EndpointGate } from "../../src/endpoints/state.ts";
import { testEndpoint } from "../support/endpoint.ts";
import { createRandom } from "../jobs/odd-json.ts";

const ok: Outcome = { kind: "delivered", status: 200, durationMs: 1 };
const answered = (status: number, retryAfterMs: number | null = null): Outcome => ({
  kind: "http_status",
  status,
  retryAfterMs,
  durationMs: 1,
});
const breaker = { failureShare: 0.5, minAttempts: 3, windowMs: 3_600_000, openMs: 1_000 };

function gateOf(limits: Partial<EndpointLimits> = {}) {
  let now = 1_000;
  const gate = createEndpointGate({
    endpoint: testEndpoint({ limits: { breaker, ...limits }, retry: { maxBackoffMs: 60_000 } }),
    clock: { now: () => now, monotonic: () => now },
    onGone: () => undefined,
    onBreaker: () => undefined,
  });
  return {
    gate,
    pass: (ms: number) => void (now += ms),
    [Symbol.dispose]: () => gate.close(),
  };
}

/** Starts as many; throws where the gate does not let them. */
function start(gate: EndpointGate, count: number): number[] {
  return Array.from({ length: count }, () => {
    const started = gate.start();
    if (typeof started !== "number") throw new Error(`the gate said ${started}`);
    return started;
  });
}

function endAll(gate: EndpointGate, attempts: readonly number[], outcome: Outcome | null): void {
  for (const attempt of attempts) gate.ended(attempt, outcome);
}

describe("an attempt that began before the breaker opened", () => {
  test("is not the probe under way, whatever it comes to", () => {
    for (const outcome of [ok, answered(500), answered(404), null]) {
      using bench = gateOf();
      const { gate, pass } = bench;
      const [late = 0, ...failing] = start(gate, 4);
      endAll(gate, failing, answered(500));
      expect(gate.breaker).toBe("open");
      pass(1_000);
      const [probe = 0] = start(gate, 1);
      gate.ended(late, outcome);
      expect([gate.breaker, gate.start(), gate.inFlight]).toEqual(["half_open", "later", 1]);
      gate.ended(probe, ok);
      expect([gate.breaker, typeof gate.start()]).toEqual(["closed", "number"]);
    }
  });

  test("does not shorten or lengthen the time that it is open", () => {
    using bench = gateOf();
    const { gate, pass } = bench;
    const [late = 0, later = 0, ...failing] = start(gate, 5);
    endAll(gate, failing, answered(500));
    const { openUntil } = gate;
    pass(500);
    gate.ended(late, ok);
    gate.ended(later, answered(500));
    expect([gate.breaker, gate.openUntil]).toEqual(["open", openUntil]);
  });

  test("does not count after the breaker was closed, by a probe or by an operator", () => {
    for (const close of ["probe", "operator"]) {
      using bench = gateOf();
      const { gate, pass } = bench;
      const attempts = start(gate, 13);
      endAll(gate, attempts.splice(0, 3), answered(500));
      pass(1_000);
      if (close === "probe") endAll(gate, start(gate, 1), ok);
      else gate.setMode("enabled");
      expect(gate.breaker).toBe("closed");
      endAll(gate, attempts, answered(500));
      expect([gate.breaker, gate.trip]).toEqual(["closed", null]);
      endAll(gate, start(gate, 3), answered(500));
      expect([gate.breaker, gate.trip?.failures]).toEqual(["open", 3]);
    }
  });

  test("an old probe that an operator's enable outran is none of the next outage", () => {
    using bench = gateOf();
    const { gate, pass } = bench;
    endAll(gate, start(gate, 3), answered(500));
    pass(1_000);
    const [oldProbe = 0] = start(gate, 1);
    gate.setMode("enabled");
    endAll(gate, start(gate, 3), answered(500));
    pass(1_000);
    start(gate, 1);
    gate.ended(oldProbe, ok);
    expect([gate.breaker, gate.start()]).toEqual(["half_open", "later"]);
  });
});

describe("an attempt that began before a 429 narrowed the window", () => {
  test("neither narrows nor opens it, however many newer ones have ended before", () => {
    using bench = gateOf({ breaker: { ...breaker, minAttempts: 1_000 } });
    const { gate } = bench;
    const old = start(gate, 8);
    gate.ended(old.pop() as number, answered(429));
    expect(gate.window).toBe(4);
    endAll(gate, old.splice(0, 4), ok);
    // Newer ones come and go while the old ones hang.
    for (let round = 0; round < 20; round += 1) endAll(gate, start(gate, 1), answered(500));
    endAll(gate, old, answered(429));
    expect(gate.window).toBe(4);
    // The next overload is one of its own.
    endAll(gate, start(gate, 4), answered(429));
    expect(gate.window).toBe(2);
  });

  test("narrows nothing after an operator has enabled the endpoint", () => {
    using bench = gateOf();
    const { gate } = bench;
    const old = start(gate, 4);
    gate.setMode("enabled");
    endAll(gate, old, answered(429));
    expect(gate.window).toBe(Infinity);
  });
});

describe("an attempt that began before an operator set the mode", () => {
  test("does not disable the endpoint by a 410", () => {
    for (const mode of ["enabled", "paused"] as const) {
      using bench = gateOf({ onGone: "disable", goneThreshold: 2 });
      const { gate } = bench;
      const old = start(gate, 4);
      gate.setMode(mode);
      endAll(gate, old, answered(410));
      expect(gate.mode).toBe(mode);
    }
  });

  test("still holds the endpoint by a Retry-After: that is the receiver's word of now", () => {
    using bench = gateOf();
    const { gate } = bench;
    const [late = 0] = start(gate, 1);
    gate.setMode("enabled");
    gate.ended(late, answered(503, 5_000));
    expect([gate.ask(), gate.heldMs]).toEqual(["closed", 5_000]);
    // One that asks for less does not shorten it.
    gate.ended(late, answered(503, 1));
    expect(gate.heldMs).toBe(5_000);
  });
});

/** What a plain reader of the rules would keep of one attempt. */
interface Attempt {
  readonly number: number;
  /** The breaker's and the window's states in which it began, counted. */
  readonly breakerEra: number;
  readonly windowEra: number;
  readonly isProbe: boolean;
}

const seed = Number(process.env["HOOKLINE_SEED"] ?? 20_261_130);
test(`after any events, breaker and window stand as a plain model has them (HOOKLINE_SEED=${seed})`, () => {
  const random = createRandom(seed);
  const seen = { opened: 0, closed: 0, probes: 0, narrowed: 0, late: 0 };
  using bench = gateOf();
  const { gate, pass } = bench;
  const running: Attempt[] = [];
  let model = { era: 0, openSince: null as number | null, failures: 0, attempts: 0 };
  let window = { era: 0, size: Infinity };
  let time = 0;
  const setBreaker = (openSince: number | null): void => {
    model = { era: model.era + 1, openSince, failures: 0, attempts: 0 };
  };

  const end = (attempt: Attempt, outcome: Outcome | null, inFlight: number): void => {
    if (attempt.windowEra === window.era && outcome?.kind === "http_status" && outcome.status === 429) {
      window = {
        era: window.era + 1,
        size: Math.max(1, Math.floor(Math.min(window.size, inFlight) / 2)),
      };
      seen.narrowed += 1;
    }
    if (attempt.breakerEra !== model.era) {
      seen.late += 1;
      return;
    }
    if (outcome === null) return;
    const failed =
      outcome.kind !== "delivered" && !(outcome.kind === "http_status" && outcome.status === 429);
    if (attempt.isProbe) {
      seen.probes += 1;
      if (!failed) seen.closed += 1;
      setBreaker(failed ? time : null);
      return;
    }
    model.attempts += 1;
    if (failed) model.failures += 1;
    if (!failed || model.attempts < 3 || model.failures / model.attempts < 0.5) return;
    seen.opened += 1;
    setBreaker(time);
  };

  for (let step = 0; step < 20_000; step += 1) {
    const dice = random();
    if (dice < 0.5) {
      const number = gate.start();
      const isOpen = model.openSince !== null;
      const mayStart =
        running.length < window.size &&
        (!isOpen ||
          (time - (model.openSince as number) >= 1_000 &&
            !running.some(({ isProbe, breakerEra }) => isProbe && breakerEra === model.era)));
      expect([seed, step, typeof number === "number"]).toEqual([seed, step, mayStart]);
      if (typeof number === "number") {
        running.push({ number, breakerEra: model.era, windowEra: window.era, isProbe: isOpen });
      }
    } else if (dice < 0.9) {
      const [attempt] = running.splice(Math.floor(random() * running.length), 1);
      if (attempt === undefined) continue;
      const kind = random();
      const outcome = kind < 0.5 ? ok : kind < 0.87 ? answered(500) : kind < 0.95 ? null : answered(429);
      const before = gate.window;
      gate.ended(attempt.number, outcome);
      end(attempt, outcome, running.length + 1);
      // How far deliveries open it is tested beside it (state.test.ts).
      if (gate.window === before + 1) window.size = gate.window;
    } else if (dice < 0.998) {
      const ms = Math.floor(random() * 800);
      time += ms;
      pass(ms);
    } else {
      gate.setMode("enabled");
      setBreaker(null);
      window = { era: window.era + 1, size: Infinity };
    }
    const isOver = model.openSince !== null && time - model.openSince >= 1_000;
    const shown = model.openSince === null ? "closed" : isOver ? "half_open" : "open";
    expect([seed, step, gate.breaker, gate.window]).toEqual([seed, step, shown, window.size]);
  }
  for (const [what, count] of Object.entries(seen)) expect([what, count >= 20]).toEqual([what, true]);
});
