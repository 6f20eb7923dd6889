import { describe, expect, test } from "bun:test";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

/** What the worker asked of its driver so far. */
interface Calls {
  lease: number;
  leased: number;
  park: number;
}

/** The memory driver, counting. */
function counting(): { readonly calls: Calls; readonly driver: (memory: QueueDriver) => QueueDriver } {
  const calls: Calls = { lease: 0, leased: 0, park: 0 };
  return {
    calls,
    driver: (memory) => ({
      ...memory,
      async lease(queue, options) {
        calls.lease += 1;
        const leases = await memory.lease(queue, options);
        calls.leased += leases.length;
        return leases;
      },
      settle(settlements) {
        for (const { verb } of settlements) if (verb === "park") calls.park += 1;
        return memory.settle(settlements);
      },
    }),
  };
}

/** What was asked between now and `ms` later. */
async function callsWithin(ms: number, calls: Calls): Promise<Calls> {
  const before = { ...calls };
  const startedAt = performance.now();
  await until(() => performance.now() - startedAt > ms, { what: `${ms} ms` });
  return {
    lease: calls.lease - before.lease,
    leased: calls.leased - before.leased,
    park: calls.park - before.park,
  };
}

const ids = (count: number, prefix: string): string[] =>
  newJobs(count, prefix)
    .map(({ id }) => id)
    .sort();

describe("one endpoint that hangs and one that is well", () => {
  test("5,000 jobs ahead of them do not delay the healthy ones, are parked uncharged, and cost no calls afterwards", async () => {
    await using stuck = await startReceiver({ behaviour: hang(), record: false });
    await using well = await startReceiver();
    const { calls, driver } = counting();
    await using bench = await startWorker({
      start: false,
      driver,
      webhooks: [
        { name: "stuck", url: stuck.url, event_types: ["stuck"], request_timeout_ms: 60_000 },
        { name: "well", url: well.url, event_types: ["well"] },
      ],
    });
    await bench.put(newJobs(5_000, "stuck", { event: "stuck" }));
    await bench.put(newJobs(300, "well", { event: "well" }));
    bench.consumption.start();
    // Long before the first hanging attempt ends.
    await well.waitForCount(300);
    expect(well.requests.map(jobIdOf).sort()).toEqual(ids(300, "well"));

    await until(() => bench.settled("ack") === 300, { what: "all settlements" });
    // Each was fetched and put aside once, and that was it.
    expect(calls.park).toBeLessThan(6_000);
    const quiet = await callsWithin(500, calls);
    expect(quiet.lease).toBeLessThanOrEqual(3);
    expect(quiet.park).toBe(0);

    // A job that comes now is delivered at once.
    const lateAt = performance.now();
    await bench.put(newJobs(1, "late", { event: "well" }));
    const { at } = await well.waitFor(301);
    expect(at - lateAt).toBeLessThan(500);

    await until(() => bench.settled("ack") === 301, { what: "its settlement" });
    await bench.drain(0);
    const { ready, parked, leased, delayed, dead } = await bench.stats();
    expect([(ready ?? 0) + (parked ?? 0), leased, delayed, dead]).toEqual([5_000, 0, 0, 0]);
    const attempts = new Set<number>();
    for (;;) {
      const leases = await bench.memory.lease("webhooks", {
        max: 1_000,
        leaseMs: 60_000,
        waitMs: 0,
        closedKeys: new Set(),
        parkedMax: 1_000,
        signal: new AbortController().signal,
      });
      if (leases.length === 0) break;
      for (const { job } of leases) attempts.add(job.attempts);
    }
    expect([...attempts]).toEqual([0]);
  });

  test("when it is well again, all that was parked is delivered", async () => {
    await using stuck = await startReceiver({ behaviour: hang() });
    await using well = await startReceiver({ record: false });
    await using bench = await startWorker({
      webhooks: [
        { name: "stuck", url: stuck.url, event_types: ["stuck"], request_timeout_ms: 300 },
        { name: "well", url: well.url, event_types: ["well"] },
      ],
    });
    await bench.put(newJobs(2_000, "stuck", { event: "stuck" }));
    await bench.put(newJobs(100, "well", { event: "well" }));
    await well.waitForCount(100);
    await until(async () => ((await bench.stats()).parked ?? 0) > 1_900, { what: "parked jobs" });
    stuck.behave(answer(200));
    stuck.clear();
    await bench.untilEmpty();
    expect(new Set(stuck.requests.map(jobIdOf)).size).toBe(2_000);
    // One whose answer a busy machine reads after the attempt's end is sent again.
    expect(stuck.count).toBeWithin(2_000, 2_100);
  });

  test("a slow one is sent everything in one fetch more each", async () => {
    await using slow = await startReceiver({ behaviour: answer(200, { delayMs: 40 }), record: false });
    await using well = await startReceiver({ record: false });
    const { calls, driver } = counting();
    await using bench = await startWorker({
      driver,
      webhooks: [
        { name: "slow", url: slow.url, event_types: ["slow"] },
        { name: "well", url: well.url, event_types: ["well"] },
      ],
    });
    await bench.put(newJobs(500, "slow", { event: "slow" }));
    await bench.put(newJobs(100, "well", { event: "well" }));
    await bench.untilEmpty();
    expect([slow.count, well.count]).toEqual([500, 100]);
    expect(calls.leased).toBeLessThan(600 * 2.2);
    expect(calls.park).toBeLessThan(600 * 1.2);
  });
});

describe("one endpoint alone", () => {
  test("is sent everything with one fetch each, however slow it is", async () => {
    await using slow = await startReceiver({ behaviour: answer(200, { delayMs: 30 }) });
    const { calls, driver } = counting();
    await using bench = await startWorker({ driver, start: false, webhooks: [{ url: slow.url }] });
    await bench.put(newJobs(200));
    bench.consumption.start();
    await bench.untilEmpty();
    expect(slow.count).toBe(200);
    expect(calls).toMatchObject({ leased: 200, park: 0 });
    expect(calls.lease).toBeLessThan(60);
  });

  test("leaves its jobs in line while it is paused, and goes on at once when it is enabled", async () => {
    await using receiver = await startReceiver();
    const { calls, driver } = counting();
    await using bench = await startWorker({ driver, webhooks: [{ url: receiver.url }] });
    const gate = bench.gates.all()[0];
    gate?.setMode("paused");
    await bench.put(newJobs(1_000));
    await until(async () => ((await bench.stats()).ready ?? 0) >= 900, { what: "a queue at rest" });
    expect((await callsWithin(300, calls)).lease).toBeLessThanOrEqual(1);
    expect(receiver.count).toBe(0);
    gate?.setMode("enabled");
    await receiver.waitForCount(1);
    await bench.untilEmpty();
    expect(new Set(receiver.requests.map(jobIdOf)).size).toBe(1_000);
    expect(receiver.count).toBe(1_000);
  });

  test("with an open breaker it is left alone, probed, and then sent everything", async () => {
    await using receiver = await startReceiver({ behaviour: answer(500) });
    await using bench = await startWorker({
      webhooks: [
        {
          url: receiver.url,
          breaker: { min_attempts: 5, window_ms: 1_000, open_ms: 1_500 },
          retry: { max_attempts: 50 },
        },
      ],
    });
    await bench.put(newJobs(300));
    await until(() => bench.gates.all()[0]?.breaker === "open", { what: "the breaker to open" });
    await until(async () => (await bench.stats()).leased === 0, { what: "nothing in flight" });
    const before = receiver.count;
    expect(before).toBeLessThan(25);
    receiver.behave(answer(200));
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(300);
  });
});

test("a disabled endpoint's jobs are given up, those that wait and those that come, and it can be redriven", async () => {
  await using receiver = await startReceiver({ behaviour: answer(410) });
  await using well = await startReceiver();
  await using bench = await startWorker({
    webhooks: [
      { name: "gone", url: receiver.url, event_types: ["gone"], on_gone: "disable", gone_threshold: 3 },
      { name: "well", url: well.url, event_types: ["well"] },
    ],
  });
  await bench.put(newJobs(200, "gone", { event: "gone" }));
  await bench.put(newJobs(50, "well", { event: "well" }));
  await bench.untilEmpty();
  await bench.put(newJobs(10, "later", { event: "gone" }));
  await bench.untilEmpty();
  // Those that were in flight when the third answer came are the most it can have got.
  expect(receiver.count).toBeLessThanOrEqual(3 + 5);
  expect(well.count).toBe(50);
  const reasons = (await bench.dead()).map(({ reason }) => reason);
  expect(reasons.filter((reason) => reason === "http_410").length).toBe(receiver.count);
  expect(reasons.filter((reason) => reason === "endpoint_disabled").length).toBe(210 - receiver.count);

  receiver.behave(answer(200));
  receiver.clear();
  bench.gates.all()[0]?.setMode("enabled");
  expect(await bench.memory.redrive("webhooks", { max: 1_000 })).toBe(210);
  await bench.untilEmpty();
  expect(receiver.count).toBe(210);
});

test("the process never has more attempts in flight than webhooks.max_in_flight", async () => {
  let most = 0;
  let now = 0;
  await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 5 }), record: false });
  await using bench = await startWorker({
    config: { queue: { memory: { concurrency: 4 } }, webhooks: { max_in_flight: 6 } },
    webhooks: Array.from({ length: 20 }, (_, index) => ({
      name: `hook-${index}`,
      url: `${receiver.url}/${index}`,
      event_types: [`event-${index}`],
    })),
    attempt: (real) => async (delivery, cut) => {
      now += 1;
      most = Math.max(most, now);
      try {
        return await real(delivery, cut);
      } finally {
        now -= 1;
      }
    },
  });
  for (let index = 0; index < 20; index += 1) {
    await bench.put(newJobs(20, `j${index}`, { event: `event-${index}` }));
  }
  await bench.untilEmpty();
  expect(receiver.count).toBe(400);
  expect(most).toBeGreaterThan(4);
  expect(most).toBeLessThanOrEqual(6);
});
