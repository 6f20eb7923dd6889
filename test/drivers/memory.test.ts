import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError, QueueFullError, UnsupportedByDriverError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
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

  // Finding: retries were exempt, so that one dead receiver filled the memory: 2,000 held of a capacity of 100
  // (faults.md A9).
  test("retries, parked jobs and children count, and `reject` refuses at the capacity", async () => {
    const { driver } = create({ capacity: 6, whenFull: "reject" });
    await put(driver, "1", "2", "3", "4");
    const [one, two, three, four] = await lease(driver);
    await driver.settle([
      { verb: "retry", delayMs: 60_000, endpoint: "app/down", lease: one! },
      { verb: "park", key: "app/down", lease: two! },
      { verb: "replace", jobs: [child("a"), child("b")], lease: three! },
      { verb: "release", lease: four! },
    ]);
    expect(await driver.stats("q")).toMatchObject({ ready: 3, delayed: 1, parked: 1 });
    const results = await driver.enqueue("q", [job("5"), job("6")]);
    expect(results.map(({ status }) => status)).toEqual(["enqueued", "failed"]);
    expect(results[1]?.status === "failed" && results[1].error).toBeInstanceOf(QueueFullError);
  });

  test("children are never refused, but count", async () => {
    const { driver, counts } = create({ capacity: 2, whenFull: "reject" });
    await put(driver, "parent", "2");
    const [parent] = await lease(driver, { max: 1 });
    await driver.settle([{ verb: "replace", jobs: ["a", "b", "c"].map(child), lease: parent! }]);
    expect((await driver.stats("q")).ready).toBe(4);
    expect((await driver.enqueue("q", [job("3")]))[0]?.status).toBe("failed");
    expect(counts.evicted).toBe(0);
  });

  test("children push nobody's siblings out, and with evict_oldest take the room of others", async () => {
    const { driver, counts } = create({ capacity: 3, whenFull: "evict_oldest" });
    await put(driver, "parent", "2", "3", "4");
    expect(counts.evicted).toBe(1);
    const [parent] = await lease(driver, { max: 1 });
    expect(parent?.job.body).toBe("2");
    await driver.settle([{ verb: "replace", jobs: ["a", "b", "c", "d"].map(child), lease: parent! }]);
    expect(bodies(await lease(driver))).toEqual(["a", "b", "c", "d"]);
    expect(counts.evicted).toBe(3);
  });

  test("what goes first is the oldest of the endpoint that holds most, wherever it waits", async () => {
    const { driver, counts } = create({ capacity: 6, whenFull: "evict_oldest" });
    await put(driver, "old-1", "old-2", "small", "parked", "delayed");
    const [one, two, three, four, five] = await lease(driver);
    await driver.settle([
      { verb: "retry", delayMs: 0, endpoint: "app/down", lease: one! },
      { verb: "retry", delayMs: 60_000, endpoint: "app/down", lease: two! },
      { verb: "retry", delayMs: 60_000, endpoint: "app/other", lease: three! },
      { verb: "park", key: "app/down", lease: four! },
      { verb: "retry", delayMs: 50_000, endpoint: "app/down", lease: five! },
    ]);
    await put(driver, "new-1");
    const evict = (): Promise<void> => put(driver, `more-${counts.evicted}`);
    await evict();
    await evict();
    expect(await driver.stats("q")).toMatchObject({ ready: 3, delayed: 2, parked: 1 });
    await evict();
    expect(await driver.stats("q")).toMatchObject({ ready: 4, delayed: 2, parked: 0 });
    await evict();
    await evict();
    // Nothing is held any more: now an untried one goes.
    await evict();
    expect(counts.evicted).toBe(6);
    expect(bodies(await lease(driver))).toEqual(["more-0", "more-1", "more-2", "more-3", "more-4", "more-5"]);
  });

  test("a dead endpoint's jobs stay within the capacity and leave everybody's new ones alone", async () => {
    const { driver, counts } = create({ capacity: 100, whenFull: "evict_oldest" });
    for (let round = 0; round < 50; round += 1) {
      await put(driver, ...Array.from({ length: 40 }, () => "down"));
      for (const one of await lease(driver, { max: 40 })) {
        await driver.settle([{ verb: "retry", delayMs: 60_000, endpoint: "app/down", lease: one }]);
      }
      const { ready, delayed, parked } = await driver.stats("q");
      expect(ready! + delayed! + parked!).toBeLessThanOrEqual(100);
    }
    await put(driver, ...Array.from({ length: 60 }, (_, n) => `new-${n}`));
    expect(counts.evicted).toBe(2_060 - 100);
    expect(bodies(await lease(driver))).toEqual(Array.from({ length: 60 }, (_, n) => `new-${n}`));
  });

  test("an eviction costs the same with many endpoints and many jobs", async () => {
    const { driver, counts } = create({ capacity: 60_000, whenFull: "evict_oldest" });
    const fill = async (count: number): Promise<number> => {
      const started = performance.now();
      await put(driver, ...Array.from({ length: count }, () => "x"));
      const held = await lease(driver, { max: count });
      await driver.settle(
        held.map((one, n) => ({ verb: "retry", delayMs: 60_000, endpoint: `app/${n % 3_000}`, lease: one })),
      );
      return performance.now() - started;
    };
    const free = await fill(60_000);
    const evicting = await fill(60_000);
    expect(counts.evicted).toBe(60_000);
    // A look through all endpoints or jobs at each eviction would make it a thousand times as much.
    expect(evicting).toBeLessThan(free * 20 + 500);
  });

  test("a redrive takes only what has room, and evicts nobody", async () => {
    const { driver, counts } = create({ capacity: 2, whenFull: "evict_oldest" });
    await put(driver, "1", "2");
    await driver.settle((await lease(driver)).map((one) => ({ ...deadly(), lease: one })));
    await put(driver, "3");
    expect(await driver.redrive("q", { max: 5 })).toBe(1);
    expect(await failure(driver.redrive("q", { max: 5 }))).toBeInstanceOf(QueueFullError);
    expect(await driver.redrive("q", { ids: ["nobody"] })).toBe(0);
    expect(await driver.stats("q")).toMatchObject({ ready: 2, dead: 1 });
    expect(counts.evicted).toBe(0);
  });
});

describe("driver memory: dead letters", () => {
  const buryBody = async (driver: QueueDriver, body: string): Promise<void> => {
    await put(driver, body);
    await driver.settle((await lease(driver)).map((one) => ({ ...deadly(), lease: one })));
  };

  // Finding: 10,000 letters were all there was room for, and the oldest went (faults.md A4).
  test("without a number 100,000 are kept, and 64 MiB", async () => {
    const { driver, counts } = create({ deadLetterRetention: null });
    const large = "x".repeat(10 * 1024 * 1024);
    for (let n = 0; n < 7; n += 1) await buryBody(driver, large);
    expect([(await driver.stats("q")).dead, counts.trimmed]).toEqual([6, 1]);
    const { bytes, complete, groups } = (await driver.deadCounts!("q"))!;
    expect([Math.floor(bytes / large.length), complete]).toEqual([6, true]);
    expect(groups).toEqual([{ endpoint: "app-1/one", reason: "http_410", count: 6 }]);
    await buryBody(driver, "small");
    expect(counts.trimmed).toBe(1);
  });

  test("the newest is kept, however large", async () => {
    const { driver, counts } = create({ deadLetterRetention: null, maxPayloadBytes: 128 * 1024 * 1024 });
    await buryBody(driver, "small");
    await buryBody(driver, "x".repeat(70 * 1024 * 1024));
    expect([(await driver.stats("q")).dead, counts.trimmed]).toEqual([1, 1]);
  });

  test("age removes letters by the monotonic clock, counted, whatever the wall clock does", async () => {
    let monotonic = 0;
    let now = 1_700_000_000_000;
    const { driver, counts } = create({
      deadLetterRetentionMs: 1_000,
      clock: { now: () => now, monotonic: () => monotonic },
    });
    await buryBody(driver, "1");
    now += 10 * 365 * 24 * 3_600_000;
    monotonic = 600;
    await buryBody(driver, "2");
    expect((await driver.stats("q")).dead).toBe(2);
    monotonic = 1_001;
    expect(
      (await driver.deadLetters("q", { limit: 10, cursor: null })).items.map(({ body }) => body),
    ).toEqual(["2"]);
    expect(counts.trimmed).toBe(1);
    monotonic = 2_000;
    expect(await driver.redrive("q", { max: 1 })).toBe(0);
    expect(counts.trimmed).toBe(2);
  });

  test("from 80 % of the room on it is a problem that names the endpoints with most, until there is room", async () => {
    const lines: [string, string][] = [];
    const write = (level: string) => (message: string, fields?: object) =>
      void lines.push([level, `${message} ${JSON.stringify(fields)}`]);
    const log = { ...silentLogger, warn: write("warn"), info: write("info") };
    const { driver } = create({ deadLetterRetention: null, log });
    const large = "x".repeat(13 * 1024 * 1024);
    for (let n = 0; n < 3; n += 1) await buryBody(driver, large);
    expect(driver.problems?.()).toEqual([]);
    await buryBody(driver, large);
    expect(driver.problems?.()).toMatchObject([
      { kind: "dead_letters_fill", object: "q", detail: expect.stringContaining("app-1/one (4)") as string },
    ]);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.join()).toContain("warn,dead letters take most of their room");
    expect(lines[0]?.join()).toContain("app-1/one (4)");
    expect(await driver.redrive("q", { max: 1 })).toBe(1);
    expect(driver.problems?.()).toEqual([]);
    expect(lines.map(([level]) => level)).toEqual(["warn", "info"]);
  });
});

test("driver memory: parked jobs count, and go before those that nobody has tried", async () => {
  const { driver, counts } = create({ capacity: 3, whenFull: "evict_oldest" });
  await put(driver, "1", "2", "3");
  for (const one of await lease(driver)) await driver.settle([{ verb: "park", key: "down", lease: one }]);
  await put(driver, "4", "5");
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

async function put(driver: QueueDriver, ...bodies: readonly string[]): Promise<void> {
  await driver.enqueue(
    "q",
    bodies.map((body) => job(body)),
  );
}

function child(id: string) {
  return { id, body: id, endpoint: `app/${id}` };
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
