import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError, QueueFullError, UnsupportedByDriverError } from "../../src/errors.ts";
import { createMemoryDriver } from "../../src/queue/drivers/memory/driver.ts";
import type { MemoryDriverOptions } from "../../src/queue/drivers/memory/driver.ts";
import type { Lease, LeaseOptions, QueueDriver } from "../../src/queue/driver.ts";
import { describeDriver } from "./conformance.ts";
import { deadly, job } from "./conformance-bench.ts";

const maxPayloadBytes = 1024 * 1024;

describeDriver("memory", {
  capabilities: {
    durable: false,
    dedup: true,
    fenced: true,
    refundsAttempt: true,
    exactStats: true,
    listsDeadLetters: true,
    ordersGroups: false,
    maxBatch: 10_000,
    maxPayloadBytes,
    maxDelayMs: 366 * 24 * 3_600_000,
    pauseScope: "process",
  },
  timing: { leaseMs: 60, delayMs: 50 },
  loadJobs: 20_000,
  create: async (options) => ({
    driver: createMemoryDriver({
      ...options,
      capacity: 100_000,
      whenFull: "reject",
      maxPayloadBytes,
      clock: systemClock,
    }),
  }),
  skips: {
    peer: "the jobs are in this process and nobody else's",
    produce: "nobody else can write to this process",
    durable: "contract §1: nothing survives the process",
    clusterPause: "there is one process",
    faults: "the backend is this process: no command of it can fail",
  },
});

describe("driver memory: capacity", () => {
  test("evict_oldest drops the oldest waiting job and counts it", async () => {
    const { driver, counts } = create({ capacity: 3, whenFull: "evict_oldest" });
    await driver.enqueue(
      "q",
      [1, 2, 3, 4, 5].map((n) => job(`${n}`)),
    );
    expect(bodies(await lease(driver))).toEqual(["3", "4", "5"]);
    expect(counts.evicted).toBe(2);
  });

  test("evict_oldest takes from delayed jobs when none is ready", async () => {
    const { driver, counts } = create({ capacity: 2, whenFull: "evict_oldest" });
    await driver.enqueue("q", [job("1", { delayMs: 50_000 }), job("2", { delayMs: 60_000 })]);
    await driver.enqueue("q", [job("3", { delayMs: 70_000 })]);
    expect(await driver.stats("q")).toMatchObject({ ready: 0, delayed: 2 });
    expect(counts.evicted).toBe(1);
  });

  test("reject refuses job by job, and a refused dedup key may be sent again", async () => {
    const { driver, counts } = create({ capacity: 2, whenFull: "reject" });
    const dedup = { key: "k", fingerprint: "f" };
    const results = await driver.enqueue("q", [job("1"), job("2"), job("3", { dedup })]);
    expect(results.map(({ status }) => status)).toEqual(["enqueued", "enqueued", "failed"]);
    expect(results[2]?.status === "failed" && results[2].error).toBeInstanceOf(QueueFullError);
    expect(bodies(await lease(driver))).toEqual(["1", "2"]);
    expect((await driver.enqueue("q", [job("3", { dedup })]))[0]?.status).toBe("enqueued");
    expect(counts.evicted).toBe(0);
  });

  test("retries, released jobs, children and redriven ones neither count nor are evicted", async () => {
    const { driver, counts } = create({ capacity: 4, whenFull: "evict_oldest" });
    await driver.enqueue(
      "q",
      [1, 2, 3, 4].map((n) => job(`${n}`)),
    );
    const [one, two, three, four] = await lease(driver);
    await driver.settle([
      { verb: "retry", delayMs: 0, lease: one! },
      { verb: "release", lease: two! },
      { verb: "replace", jobs: [{ id: "c", body: "child", endpoint: "app/x" }], lease: three! },
      { ...deadly(), lease: four! },
    ]);
    await driver.redrive("q", { max: 1 });
    await driver.enqueue(
      "q",
      [5, 6, 7, 8, 9].map((n) => job(`${n}`)),
    );
    expect(counts.evicted).toBe(1);
    expect(bodies(await lease(driver))).toEqual(["1", "2", "child", "4", "6", "7", "8", "9"]);
  });
});

test("driver memory: parked jobs count, and go before those of endpoints that are well", async () => {
  const { driver, counts } = create({ capacity: 3, whenFull: "evict_oldest" });
  await driver.enqueue(
    "q",
    [1, 2, 3].map((n) => job(`${n}`)),
  );
  for (const one of await lease(driver)) await driver.settle([{ verb: "park", key: "down", lease: one }]);
  await driver.enqueue("q", [job("4"), job("5")]);
  expect(counts.evicted).toBe(2);
  expect(await driver.stats("q")).toMatchObject({ ready: 2, parked: 1 });
  expect(bodies(await lease(driver)).sort()).toEqual(["3", "4", "5"]);
});

describe("driver memory: limits", () => {
  test("a group, a deduplication id and a delay of two years are refused by name", async () => {
    const { driver } = create({});
    const results = await driver.enqueue("q", [
      job("1", { group: "g" }),
      job("2", { deduplicationId: "d" }),
      job("3", { delayMs: 2 * 366 * 24 * 3_600_000 }),
      job("4"),
    ]);
    const errors = results.map((result) => (result.status === "failed" ? result.error : null));
    for (const error of errors.slice(0, 3)) expect(error).toBeInstanceOf(UnsupportedByDriverError);
    expect(errors.map((error) => error?.message.match(/group|deduplication_id|delay_ms/)?.[0])).toEqual([
      "group",
      "deduplication_id",
      "delay_ms",
      undefined,
    ]);
    expect(bodies(await lease(driver))).toEqual(["4"]);
  });

  test("a redrive of more than there is ends", async () => {
    const { driver } = create({});
    await driver.enqueue("q", [job("1")]);
    const [held] = await lease(driver);
    await driver.settle([{ ...deadly(), lease: held! }]);
    expect(await driver.redrive("q", { max: Number.MAX_SAFE_INTEGER })).toBe(1);
  });

  test("a queue that is not configured is a bug, not an empty queue", async () => {
    const { driver } = create({});
    expect(String(await failure(driver.enqueue("other", [job("1")])))).toContain('no queue "other"');
  });

  test("close answers who waits, and takes nothing in afterwards", async () => {
    const { driver } = create({});
    const waiting = lease(driver, { waitMs: 60_000 });
    await driver.close();
    expect(await waiting).toEqual([]);
    expect(await failure(driver.enqueue("q", [job("1")]))).toBeInstanceOf(DriverUnavailableError);
    expect(await failure(lease(driver))).toBeInstanceOf(DriverUnavailableError);
  });

  test("a job does not keep the request alive that it was cut from", async () => {
    const { driver } = create({});
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    for (let index = 0; index < 1_500; index += 1) {
      const request = Buffer.alloc(200_000, 97 + (index % 20)).toString("latin1");
      await driver.enqueue("q", [job(request.slice(1_000, 1_300)), job(`{"p":${request.slice(0, 300)}}`)]);
    }
    Bun.gc(true);
    // The requests are 300 MB; the jobs less than 2 MB.
    expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(150);
    expect((await driver.stats("q")).ready).toBe(3_000);
  });
});

describe("driver memory: time", () => {
  test("leases and delays follow the monotonic clock, whatever the wall clock does", async () => {
    let monotonic = 1_000;
    let now = 1_700_000_000_000;
    const { driver, counts } = create({ clock: { now: () => now, monotonic: () => monotonic } });
    await driver.enqueue("q", [job("delayed", { delayMs: 5_000 }), job("leased")]);
    expect(bodies(await lease(driver, { leaseMs: 10_000 }))).toEqual(["leased"]);
    now -= 3_600_000;
    expect(await driver.stats("q")).toMatchObject({ ready: 0, delayed: 1, leased: 1 });
    now += 7_200_000;
    expect(await lease(driver)).toEqual([]);
    monotonic += 5_000;
    expect(bodies(await lease(driver))).toEqual(["delayed"]);
    monotonic += 5_000;
    const [back] = await lease(driver);
    expect([back?.job.body, back?.job.attempts]).toEqual(["leased", 1]);
    expect(counts.reclaimed).toBe(1);
  });

  test("the oldest ready job's age is told, and is never negative", async () => {
    let now = 1_700_000_000_000;
    const { driver } = create({ clock: { now: () => now, monotonic: () => 0 } });
    await driver.enqueue("q", [job("1")]);
    now += 1_500;
    await driver.enqueue("q", [job("2")]);
    expect((await driver.stats("q")).oldestReadyAgeMs).toBe(1_500);
    now -= 10_000;
    expect((await driver.stats("q")).oldestReadyAgeMs).toBe(0);
  });

  test("delayed jobs come out by their due times", async () => {
    let monotonic = 0;
    const { driver } = create({ clock: { now: () => 0, monotonic: () => monotonic } });
    const delays = Array.from({ length: 500 }, (_, index) => 1 + ((index * 7_919) % 500));
    await driver.enqueue(
      "q",
      delays.map((delayMs) => job(`${delayMs}`, { delayMs })),
    );
    monotonic = 1_000;
    const order = bodies(await lease(driver, { max: 500 })).map(Number);
    expect(order).toEqual(delays.toSorted((a, b) => a - b));
  });
});

function create(options: Partial<MemoryDriverOptions>) {
  const counts = { evicted: 0, trimmed: 0, reclaimed: 0 };
  const driver = createMemoryDriver({
    queues: ["q"],
    capacity: 100_000,
    whenFull: "evict_oldest",
    deadLetterRetention: 100,
    deduplicationTtlMs: 60_000,
    clock: systemClock,
    events: {
      evicted: (_, count) => void (counts.evicted += count),
      trimmed: (_, count) => void (counts.trimmed += count),
      reclaimed: (_, count) => void (counts.reclaimed += count),
    },
    ...options,
  });
  return { driver, counts };
}

function lease(driver: QueueDriver, wish: Partial<LeaseOptions> = {}): Promise<Lease[]> {
  return driver.lease("q", {
    max: 100,
    leaseMs: 60_000,
    waitMs: 0,
    closedKeys: new Set(),
    parkedMax: 100,
    signal: new AbortController().signal,
    ...wish,
  });
}

function bodies(leases: readonly Lease[]): string[] {
  return leases.map(({ job }) => String(job.body));
}

/** What a promise is rejected with; undefined when it is not. */
function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
