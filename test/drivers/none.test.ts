import { describe, expect, test } from "bun:test";
import { createNoneDriver } from "../../src/queue/drivers/none/driver.ts";
import { deadly, job } from "./conformance-bench.ts";

// The conformance suite is about jobs that are kept. This driver keeps none, so its few claims stand here.
describe("driver none", () => {
  const never = new AbortController().signal;
  const wish = { max: 10, leaseMs: 1_000, closedKeys: new Set<string>(), parkedMax: 10 };

  test("every job is discarded, whatever it asks for, and nothing comes out", async () => {
    const driver = createNoneDriver();
    const jobs = [job("1"), job("2", { delayMs: 5 }), job("3", { group: "g" })];
    expect(await driver.enqueue("q", jobs)).toEqual(jobs.map(({ id }) => ({ status: "discarded", id })));
    expect(await driver.lease("q", { ...wish, waitMs: 0, signal: never })).toEqual([]);
    expect(await driver.stats("q")).toEqual({
      ready: 0,
      delayed: 0,
      leased: 0,
      parked: 0,
      dead: 0,
      oldestReadyAgeMs: null,
      paused: false,
    });
  });

  test("a lease call waits until its time is over, its signal aborts or the driver is closed", async () => {
    const driver = createNoneDriver();
    const stop = new AbortController();
    const started = performance.now();
    expect(await driver.lease("q", { ...wish, waitMs: 30, signal: never })).toEqual([]);
    expect(performance.now() - started).toBeGreaterThan(20);
    const aborted = driver.lease("q", { ...wish, waitMs: 60_000, signal: stop.signal });
    const closed = driver.lease("q", { ...wish, waitMs: 60_000, signal: never });
    stop.abort();
    expect(await aborted).toEqual([]);
    await driver.close();
    expect(await closed).toEqual([]);
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  test("no lease is current, no dead letter is there", async () => {
    const driver = createNoneDriver();
    const id = "job-1";
    const made = { id, body: "{}", attempts: 0, enqueuedAt: null, message: null };
    const lease = { queue: "q", token: "1", job: made };
    expect(await driver.extend([lease], 1_000)).toEqual(["lost"]);
    expect(await driver.settle([{ ...deadly(), lease }])).toEqual([{ status: "lost" }]);
    expect(await driver.deadLetters("q", { limit: 10, cursor: null })).toEqual({
      items: [],
      cursors: [],
      looked: 0,
      cursor: null,
      complete: true,
    });
    expect(await driver.redrive("q", { max: 10 })).toBe(0);
    expect(await driver.removeDead("q", id)).toBe(false);
  });

  test("pause and resume are told by stats", async () => {
    const driver = createNoneDriver();
    await driver.pause("q");
    expect((await driver.stats("q")).paused).toBe(true);
    expect((await driver.stats("other")).paused).toBe(false);
    await driver.resume("q");
    expect((await driver.stats("q")).paused).toBe(false);
  });
});
