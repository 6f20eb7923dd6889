import { describe, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { Lease, LeaseOptions, QueueDriver } from "../../src/queue/driver.ts";
import { startReceiver } from "../support/receiver.ts";
import { jobIdOf, jobOf, newJob, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

type LeaseCall = (options: LeaseOptions, n: number) => Promise<Lease[]>;

/** The memory driver with another `lease`; `n` counts its calls from 1. */
function withLease(lease: (real: (options: LeaseOptions) => Promise<Lease[]>) => LeaseCall) {
  let calls = 0;
  return (memory: QueueDriver): QueueDriver => ({
    ...memory,
    lease: (queue, options) => lease((wish) => memory.lease(queue, wish))(options, ++calls),
  });
}

const quick = { supervisor: { restart_delay_ms: 1, max_restart_delay_ms: 5, max_restarts: 1000 } };

describe("an outage of the backend", () => {
  test("is backed off, shown while it lasts, and recovered from without a restart", async () => {
    await using receiver = await startReceiver();
    let isAway = true;
    const times: number[] = [];
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: withLease((real) => async (options) => {
        if (!isAway) return real(options);
        times.push(performance.now());
        throw new DriverUnavailableError("away");
      }),
    });
    await bench.put(newJobs(20));
    await until(() => times.length >= 4, { what: "four refused calls" });
    const pauses = times.slice(1).map((time, index) => time - (times[index] as number));
    // 100 ms doubling, each with the upper half of its jitter.
    expect(pauses[0]).toBeGreaterThan(45);
    expect(pauses[2]).toBeGreaterThan(190);
    expect(bench.faults.findings()).toMatchObject([
      { kind: "backend_unreachable", object: "webhooks", detail: "lease: away" },
    ]);
    isAway = false;
    await bench.untilEmpty();
    expect(receiver.count).toBe(20);
    expect(bench.faults.findings()).toEqual([]);
    expect(bench.supervisor.children().every(({ restarts }) => restarts === 0)).toBe(true);
    const warnings = bench.logged.filter((line) => line.includes("the backend does not answer"));
    expect(warnings).toHaveLength(1);
  });

  test("that a backoff outlasts is no stall", async () => {
    let calls = 0;
    await using bench = await startWorker({
      config: { supervisor: { ...quick.supervisor, stall_ms: 60 } },
      driver: withLease(() => async () => {
        calls += 1;
        throw new DriverUnavailableError("away");
      }),
    });
    await until(() => calls >= 4, { what: "four refused calls" });
    const poller = bench.supervisor.children().find(({ id }) => id === "webhooks/poller");
    expect(poller?.restarts).toBe(0);
  });
});

test("a bug in the driver crashes the poller, which is restarted and goes on", async () => {
  await using receiver = await startReceiver();
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: quick,
    driver: withLease((real) => (options, n) => {
      if (n === 1) throw new TypeError("a bug in the driver");
      return real(options);
    }),
  });
  await bench.put(newJobs(20));
  await bench.untilEmpty();
  expect(receiver.count).toBe(20);
  const poller = bench.supervisor.children().find(({ id }) => id === "webhooks/poller");
  expect(poller).toMatchObject({ restarts: 1, lastError: "TypeError: a bug in the driver" });
});

test("a lease call that never answers is given up; what it brings later is delivered all the same", async () => {
  await using receiver = await startReceiver();
  const late = Promise.withResolvers<void>();
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: { supervisor: { ...quick.supervisor, stall_ms: 200 } },
    start: false,
    driver: withLease((real) => async (options, n) => {
      if (n > 1) return real(options);
      const leases = await real({ ...options, signal: new AbortController().signal });
      await late.promise;
      return leases;
    }),
  });
  await bench.put(newJobs(40));
  bench.consumption.start();
  await receiver.waitForCount(24);
  expect((await bench.stats()).leased).toBeGreaterThan(0);
  late.resolve();
  await bench.untilEmpty();
  expect(receiver.requests.map(jobIdOf).sort()).toEqual(
    newJobs(40)
      .map(({ id }) => id)
      .sort(),
  );
});

test("a job whose planning throws is charged each time and ends dead, masked; others are unharmed", async () => {
  await using receiver = await startReceiver();
  const secret = "a-secret-on-the-wire";
  // Throws where it is decoded, as a body that meets a bug would.
  const poisoned = (lease: Lease): Lease =>
    lease.job.id !== "poison"
      ? lease
      : {
          ...lease,
          job: new Proxy(lease.job, {
            get(job, key) {
              if (key === "message") throw new TypeError("a bug in the plan");
              return Reflect.get(job, key) as unknown;
            },
          }),
        };
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: quick,
    driver: withLease((real) => async (options) => (await real(options)).map(poisoned)),
  });
  await bench.put([
    ...newJobs(30),
    jobOf(
      "poison",
      newJob("poison").body.toString().replace('"app_id"', `"app_secret":"${secret}","app_id"`),
    ),
    ...newJobs(30, "after"),
  ]);
  await bench.untilEmpty();
  expect(receiver.count).toBe(60);
  const [letter, ...others] = await bench.dead();
  expect(others).toEqual([]);
  expect(letter).toMatchObject({
    jobId: "poison",
    reason: "internal_error",
    detail: "TypeError: a bug in the plan",
    attempts: 3,
  });
  expect(String(letter?.body)).toContain('"payload"');
  // It is a bug, and shows as one.
  const poller = () => bench.supervisor.children().find(({ id }) => id === "webhooks/poller");
  await until(() => poller()?.restarts === 3, { what: "a restart for each of the three" });
  expect(poller()?.lastError).toBe("TypeError: a bug in the plan");
  expect(String(letter?.body)).not.toContain(secret);
});

test("leases as much as there is room for, in batches", async () => {
  await using receiver = await startReceiver();
  const asked: number[] = [];
  let brought = 0;
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: { queue: { memory: { concurrency: 64 } } },
    start: false,
    driver: withLease((real) => async (options) => {
      asked.push(options.max);
      const leases = await real(options);
      brought += leases.length;
      return leases;
    }),
  });
  await bench.put(newJobs(3_000));
  bench.consumption.start();
  await bench.untilEmpty();
  expect(brought).toBe(3_000);
  expect(Math.max(...asked)).toBeLessThanOrEqual(256);
  expect(asked.length).toBeLessThan(3_000 / 16);
});

test("a paused queue is asked no more often than an empty one", async () => {
  await using receiver = await startReceiver();
  let calls = 0;
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    driver: withLease((real) => (options) => {
      calls += 1;
      return real(options);
    }),
  });
  await bench.memory.pause("webhooks");
  await bench.put(newJobs(10));
  const startedAt = performance.now();
  await until(() => performance.now() - startedAt > 300, { what: "0.3 s" });
  expect(calls).toBeLessThanOrEqual(2);
  await bench.memory.resume("webhooks");
  await receiver.waitForCount(10);
});
