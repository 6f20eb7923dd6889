import { describe, expect, test } from "bun:test";
import type { Executable } from "../support/executable.ts";
import {
  enqueueBacklog,
  laneJob,
  metric,
  mostWithin,
  startLaneBench,
  untilArrived,
  untilEmpty,
} from "../support/lane-load.ts";
import { until } from "../support/until.ts";

interface Shown {
  readonly mode: string;
  readonly breaker: string;
  readonly held_ms: number;
  readonly in_flight: number;
}

/** GET /v1/endpoints/-/{name}. */
async function shown(server: Executable, name: string): Promise<Shown> {
  return (await server.api("GET", `/v1/endpoints/-/${name}`)).body as Shown;
}

async function reasonsOfDead(server: Executable): Promise<string[]> {
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=1000")).body as {
    items: { reason: string }[];
  };
  return items.map(({ reason }) => reason).sort();
}

// Every expectation here is of what the receiver sees. Issue 5, parts 1 and 2 and "Must show".
describe("what a receiver asks for", () => {
  test("429 with Retry-After: 3 — no request for 3 s, of no job of this endpoint; others go on", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 8,
      endpoints: { held: {}, other: {} },
      webhooks: { retry: { initial_backoff_ms: 10, max_backoff_ms: 60_000 } },
    });
    const { server, receiver } = bench;
    await receiver.behave(["held"], { status: 429, headers: { "retry-after": "3" } });
    await server.enqueue("webhooks", laneJob("held", 0));
    await until(async () => (await shown(server, "held")).held_ms > 2_000, { what: "the hold" });
    await receiver.behave(["held"], { status: 200 });
    for (let n = 1; n <= 30; n += 1) await server.enqueue("webhooks", laneJob("held", n));
    await enqueueBacklog(server, "other", 30);
    await untilArrived(receiver, "other", 30);
    // Job 0 arrived before the hold: its second attempt shows in the empty queue only.
    await untilArrived(receiver, "held", 31);
    await untilEmpty(server);
    const seen = await receiver.look();
    const [first = 0, second = 0, ...rest] = seen["held"]?.at ?? [];
    expect(second - first).toBeWithin(2_990, 6_000);
    expect(rest).toHaveLength(30);
    expect(Math.max(...(seen["other"]?.at ?? []))).toBeLessThan(second);
    expect(await server.stats()).toMatchObject({ ready: 0, delayed: 0, dead: 0 });
  });

  test("rate_limit.per_second: 10 — at most 11 requests in any second", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 8,
      endpoints: {
        limited: { rate_limit: { per_second: 10 } },
        bursty: { rate_limit: { per_second: 5, burst: 8 } },
      },
    });
    const { server, receiver } = bench;
    await enqueueBacklog(server, "limited", 16);
    await enqueueBacklog(server, "bursty", 15);
    await untilArrived(receiver, "limited", 16);
    await untilArrived(receiver, "bursty", 15);
    const seen = await receiver.look();
    const limited = seen["limited"]?.at ?? [];
    // Eleven start in a second (test/endpoints/state.test.ts); on a busy machine some are late, and arrive with the next.
    expect(mostWithin(limited, 1_000)).toBeWithin(7, 14);
    expect((limited.at(-1) ?? 0) - (limited[0] ?? 0)).toBeWithin(1_450, 4_000);
    // Burst and then the rate: 8 + 5 in the first second.
    expect(mostWithin(seen["bursty"]?.at ?? [], 1_000)).toBeWithin(9, 15);
  });
});

describe("an outage", () => {
  test.each(["memory", "redis"] as const)(
    "on %s: few probes while it lasts, the breaker shows, and the first second after it carries no more than the limits",
    async (driver) => {
      const count = 120;
      await using bench = await startLaneBench({
        driver,
        concurrency: 20,
        endpoints: {
          down: {
            rate_limit: { per_second: 100, burst: 5 },
            breaker: { failure_share: 0.5, min_attempts: 5, window_ms: 1_000, open_ms: 700 },
            // The receiver must see that a probe was cut off before the next one comes, on a busy machine too.
            request_timeout_ms: 250,
          },
        },
        webhooks: { retry: { max_attempts: 1_000, initial_backoff_ms: 10, max_backoff_ms: 100 } },
      });
      const { server, receiver } = bench;
      const states: string[] = [];
      const untilShown = (state: string): Promise<unknown> =>
        until(
          async () => {
            const { breaker } = await shown(server, "down");
            if (states.at(-1) !== breaker) states.push(breaker);
            return breaker === state;
          },
          { what: `a breaker that is ${state}` },
        );
      await untilShown("closed");
      await receiver.behave(["down"], { status: 500 });
      await enqueueBacklog(server, "down", count);
      await untilShown("open");
      // Now it hangs, so that a probe lasts long enough to be seen.
      await receiver.behave(["down"], "hang");
      await untilShown("half_open");
      await untilShown("open");
      await receiver.clear();
      await untilShown("half_open");
      await untilShown("open");
      await untilShown("half_open");
      // Single probes, as many as there were half-open times.
      expect((await receiver.look())["down"]?.at.length).toBeLessThanOrEqual(3);
      expect((await receiver.look())["down"]?.mostInFlight).toBe(1);
      await receiver.clear();
      await receiver.behave(["down"], { status: 200 });
      const healedAt = performance.timeOrigin + performance.now();
      await untilShown("closed");
      await untilArrived(receiver, "down", count);
      const { at = [] } = (await receiver.look())["down"] ?? {};
      const since = at.filter((time) => time >= healedAt);
      const first = Math.min(...since);
      // Its rate, its burst, and the probe.
      expect(since.filter((time) => time < first + 1_000).length).toBeLessThanOrEqual(106);
      expect(states.slice(0, 4)).toEqual(["closed", "open", "half_open", "open"]);
      expect(states.at(-1)).toBe("closed");
      await untilEmpty(server);
      expect(await server.stats()).toMatchObject({ dead: 0 });
    },
  );
});

describe("410", () => {
  test("on_gone: disable — three in a row disable it; enable redrives nothing by itself; a redrive delivers", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 4,
      endpoints: { gone: { on_gone: "disable" }, plain: {}, well: {} },
    });
    const { server, receiver } = bench;
    const enqueue = async (name: string, n: number): Promise<void> => {
      await server.enqueue("webhooks", laneJob(name, n));
      await until(async () => (await metric(server, "hookline_jobs_settled_total")) > settled, {
        what: "its end",
      });
      settled += 1;
    };
    let settled = 0;
    await receiver.behave(["gone", "plain"], { status: 410 });
    for (let n = 0; n < 2; n += 1) await enqueue("gone", n);
    // A delivery in between: they must be in a row.
    await receiver.behave(["gone"], { status: 200 });
    await enqueue("gone", 2);
    await receiver.behave(["gone"], { status: 410 });
    for (let n = 3; n < 5; n += 1) await enqueue("gone", n);
    expect((await shown(server, "gone")).mode).toBe("enabled");
    await enqueue("gone", 5);
    expect((await shown(server, "gone")).mode).toBe("disabled");
    for (let n = 6; n < 11; n += 1) await enqueue("gone", n);
    expect(await receiver.count("gone")).toBe(6);
    expect(await reasonsOfDead(server)).toEqual([
      ...Array.from({ length: 5 }, () => "endpoint_disabled"),
      ...Array.from({ length: 5 }, () => "http_410"),
    ]);
    // Without on_gone each ends alone, and others go on.
    for (let n = 0; n < 4; n += 1) await enqueue("plain", n);
    expect((await shown(server, "plain")).mode).toBe("enabled");
    await enqueue("well", 0);
    expect(await receiver.count("well")).toBe(1);

    await receiver.behave(["gone", "plain"], { status: 200 });
    expect((await server.api("POST", "/v1/endpoints/-/gone/enable")).body).toMatchObject({ mode: "enabled" });
    await enqueue("gone", 11);
    expect(await receiver.count("gone")).toBe(7);
    expect(await server.stats()).toMatchObject({ dead: 14 });
    const redriven = await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 1_000 });
    expect(redriven.body).toMatchObject({ redriven: 14 });
    await untilArrived(receiver, "gone", 12);
    await untilEmpty(server);
    expect(await server.stats()).toMatchObject({ dead: 0 });
  });

  test("a disabled endpoint's waiting and parked jobs go to the dead letters; a paused one's stay", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 2,
      endpoints: { paused: {}, disabled: {}, well: {} },
      webhooks: { request_timeout_ms: 400, retry: { initial_backoff_ms: 20, max_backoff_ms: 50 } },
    });
    const { server, receiver } = bench;
    await receiver.behave(["paused", "disabled"], "hang");
    for (const name of ["paused", "disabled"]) await enqueueBacklog(server, name, 200);
    await untilArrived(receiver, "paused", 1);
    await untilArrived(receiver, "disabled", 1);
    await server.api("POST", "/v1/endpoints/-/paused/pause");
    await server.api("POST", "/v1/endpoints/-/disabled/disable");
    const isOver = async (): Promise<boolean> => (await server.stats())["dead"] === 200;
    await until(isOver, { what: "all of the disabled one's jobs among the dead letters" });
    expect((await reasonsOfDead(server)).every((reason) => reason === "endpoint_disabled")).toBe(true);
    await enqueueBacklog(server, "well", 10);
    await untilArrived(receiver, "well", 10);
    const isStill = async (): Promise<boolean> => (await shown(server, "paused")).in_flight === 0;
    await until(isStill, { what: "the end of what was in flight" });
    expect(await server.stats()).toMatchObject({ parked: 200, leased: 0 });
    await receiver.clear();
    await receiver.behave(["paused", "disabled"], { status: 200 });
    expect((await server.api("POST", "/v1/endpoints/-/paused/resume")).body).toMatchObject({
      mode: "enabled",
    });
    await untilArrived(receiver, "paused", 200);
    await untilEmpty(server);
    expect(await receiver.count("disabled")).toBe(0);
  });
});
