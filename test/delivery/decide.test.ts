import { describe, expect, test } from "bun:test";
import { type DecidableOutcome, decide } from "../../src/delivery/decide.ts";
import { parseRetryAfter } from "../../src/delivery/retry-after.ts";
import { backoffMs, type RetryPolicy } from "../../src/delivery/retry.ts";
import { testRetry } from "../support/endpoint.ts";

const policy: RetryPolicy = testRetry();
const context = { random: () => 0.5 };

function answered(status: number, retryAfterMs: number | null = null): DecidableOutcome {
  if (status >= 200 && status <= 299) return { kind: "delivered", status, durationMs: 1 };
  if (status >= 300 && status <= 399) return { kind: "redirect", status, location: null, durationMs: 1 };
  return { kind: "http_status", status, retryAfterMs, durationMs: 1 };
}

describe("the status table", () => {
  const retried = new Set([408, 409, 425, 429]);
  for (let status = 500; status <= 599; status++) retried.add(status);

  test.each(Array.from({ length: 500 }, (_, index) => index + 100))("%d", (status) => {
    const decision = decide(answered(status), 1, policy, context);
    if (status >= 200 && status <= 299) expect(decision).toEqual({ verb: "ack" });
    else if (status >= 300 && status <= 399) {
      const detail = `HTTP ${status}, redirects are not followed`;
      expect(decision).toEqual({ verb: "dead", reason: "redirect", detail });
    } else if (retried.has(status)) expect(decision).toEqual({ verb: "retry", delayMs: 1000 });
    else expect(decision).toEqual({ verb: "dead", reason: `http_${status}`, detail: `HTTP ${status}` });
  });
});

describe("without a status", () => {
  const transport: DecidableOutcome[] = [
    ...(["dns", "connect", "tls", "reset", "protocol"] as const).map((kind) => ({
      kind,
      code: "CODE",
      durationMs: 1,
    })),
    { kind: "timeout", durationMs: 10_000 },
    { kind: "function_error", code: "Unhandled", durationMs: 1 },
  ];
  test.each(transport)("$kind is retried, and dead after the last attempt", (outcome) => {
    expect(decide(outcome, 1, policy, context)).toEqual({ verb: "retry", delayMs: 1000 });
    expect(decide(outcome, 11, policy, context).verb).toBe("retry");
    expect(decide(outcome, 12, policy, context)).toMatchObject({
      verb: "dead",
      reason: "attempts_exhausted",
    });
  });

  test("the last outcome stands in the detail", () => {
    const refused: DecidableOutcome = { kind: "connect", code: "ECONNREFUSED", durationMs: 1 };
    expect(decide(refused, 12, policy, context)).toMatchObject({ detail: "connect: ECONNREFUSED" });
    expect(decide(answered(503), 99, policy, context)).toMatchObject({ detail: "HTTP 503" });
  });

  test("a blocked address is dead at once", () => {
    const blocked: DecidableOutcome = { kind: "blocked", code: "link-local 169.254.169.254", durationMs: 0 };
    expect(decide(blocked, 1, policy, context)).toEqual({
      verb: "dead",
      reason: "blocked",
      detail: "blocked by the egress rules: link-local 169.254.169.254",
    });
  });
});

describe("status lists and age", () => {
  test("retry_on retries what the table would give up", () => {
    const own = { ...policy, retryOn: [404, 302] };
    expect(decide(answered(404), 1, own, context).verb).toBe("retry");
    expect(decide(answered(302), 1, own, context).verb).toBe("retry");
    expect(decide(answered(410), 1, own, context).verb).toBe("dead");
  });

  test("dead_on gives up what the table would retry, and wins over retry_on", () => {
    const own = { ...policy, deadOn: [500, 302], retryOn: [500, 302] };
    expect(decide(answered(500), 1, own, context)).toMatchObject({ verb: "dead", reason: "http_500" });
    expect(decide(answered(302), 1, own, context)).toMatchObject({ verb: "dead", reason: "redirect" });
    expect(decide(answered(502), 1, own, context).verb).toBe("retry");
  });

  test("a retry that would start past max_age_ms is not made", () => {
    const own = { ...policy, maxAgeMs: 5000 };
    expect(decide(answered(500), 1, own, { ...context, ageMs: 4000 })).toEqual({
      verb: "retry",
      delayMs: 1000,
    });
    expect(decide(answered(500), 1, own, { ...context, ageMs: 4001 })).toMatchObject({
      verb: "dead",
      reason: "max_age",
    });
    expect(decide(answered(500), 1, own, { ...context, ageMs: null }).verb).toBe("retry");
  });
});

describe("Retry-After in the decision", () => {
  test.each([
    [null, 1000],
    [0, 1000],
    [999, 1000],
    [3000, 3000],
    [3_600_000, 3_600_000],
    [86_400_000, 3_600_000],
    [Number.MAX_SAFE_INTEGER, 3_600_000],
  ])("%p ms waits %d ms", (retryAfterMs, delayMs) => {
    expect(decide(answered(429, retryAfterMs), 1, policy, context)).toEqual({ verb: "retry", delayMs });
  });
});

describe("backoff", () => {
  test("doubles up to the limit", () => {
    const delays = [1, 2, 3, 4, 12, 13, 2000].map((attempt) => backoffMs(attempt, policy, 0));
    expect(delays).toEqual([1000, 2000, 4000, 8000, 2_048_000, 3_600_000, 3_600_000]);
  });

  test("jitter is symmetric and never passes the limit", () => {
    const jittered = { ...policy, jitter: 0.2, maxBackoffMs: 4000 };
    expect(backoffMs(1, jittered, 0)).toBe(800);
    expect(backoffMs(1, jittered, 0.5)).toBe(1000);
    expect(backoffMs(1, jittered, 0.999_999)).toBe(1200);
    for (let i = 0; i < 100; i++) {
      const delay = backoffMs(9, jittered, i / 100);
      expect(delay).toBeGreaterThanOrEqual(3200);
      expect(delay).toBeLessThanOrEqual(4000);
    }
  });

  test("a schedule is followed and its last entry repeats", () => {
    const scheduled = { ...policy, scheduleMs: [5000, 300_000, 7_200_000] };
    const delays = [1, 2, 3, 4, 50].map((attempt) => backoffMs(attempt, scheduled, 0));
    expect(delays).toEqual([5000, 300_000, 7_200_000, 7_200_000, 7_200_000]);
  });

  test("a backoff of 0 stays 0", () => {
    expect(backoffMs(3, { ...policy, initialBackoffMs: 0, jitter: 1 }, 0.9)).toBe(0);
  });
});

describe("the Retry-After header", () => {
  const now = Date.UTC(2026, 0, 1, 0, 0, 0);
  test.each([
    ["120", 120_000],
    [" 3 ", 3000],
    ["0", 0],
    ["1.5", 1500],
    ["99999999999999999999999999", Number.MAX_SAFE_INTEGER],
    ["Thu, 01 Jan 2026 00:00:10 GMT", 10_000],
    ["Thursday, 01-Jan-26 00:00:10 GMT", 10_000],
    ["Thu Jan  1 00:00:10 2026", 10_000],
    ["Wed, 31 Dec 2025 23:00:00 GMT", 0],
    ["-5", null],
    ["soon", null],
    ["", null],
    ["3, 5", null],
    ["1e3", null],
    ["0x10", null],
    ["2026-01-01T00:00:10Z", null],
    [null, null],
    [undefined, null],
  ])("%p is %p ms", (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
