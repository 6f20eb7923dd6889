import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { EnqueueResult, NewJob, QueueDriver } from "../../src/queue/driver.ts";
import { createMemoryDriver } from "../../src/queue/drivers/memory/driver.ts";
import { createJointEnqueue } from "../../src/queue/joint-enqueue.ts";
import { job } from "../drivers/conformance-bench.ts";

/** A memory driver that takes few and small jobs, and how many jobs each of its calls had. */
function smallDriver(): { driver: QueueDriver; calls: [queue: string, jobs: number][] } {
  const driver = createMemoryDriver({
    queues: ["q", "other"],
    capacity: 5,
    whenFull: "reject",
    maxPayloadBytes: 100,
    clock: systemClock,
    events: { trimmed: () => undefined, evicted: () => undefined, reclaimed: () => undefined },
    deadLetterRetention: 100,
    deduplicationTtlMs: 60_000,
  });
  const calls: [string, number][] = [];
  const counted: QueueDriver = {
    ...driver,
    enqueue(queue, jobs) {
      calls.push([queue, jobs.length]);
      return driver.enqueue(queue, jobs);
    },
  };
  return { driver: counted, calls };
}

/** What a call comes to, as its caller sees it. */
async function ended(call: Promise<EnqueueResult[]>): Promise<unknown> {
  return call.then(
    (results) =>
      results.map((result) => ({ ...result, error: "error" in result ? String(result.error) : null })),
    (error: unknown) => `threw ${String(error)}`,
  );
}

const once = (key: string, fingerprint: string): Partial<NewJob> => ({ dedup: { key, fingerprint } });

test("single jobs of one tick share a call per queue, and each gets what a call of its own would have given", async () => {
  const jobs = [
    job("1"),
    job("2", once("k", "same")),
    job("3", once("k", "same")),
    job("4", once("k", "another")),
    job("x".repeat(101)),
    job("5", { group: "g" }),
    job("6"),
    job("7"),
    job("8"),
    // The queue is full by now.
    job("9"),
    job("10"),
    job("11", once("k", "same")),
  ];
  const alone = smallDriver();
  const expected: unknown[] = [];
  for (const one of jobs) expected.push(await ended(alone.driver.enqueue("q", [one])));
  expect(JSON.stringify(expected)).toContain("QueueFullError");

  const joint = smallDriver();
  const enqueue = createJointEnqueue(joint.driver);
  const results = await Promise.all([
    ...jobs.map((one) => ended(enqueue("q", [one]))),
    ended(enqueue("other", [job("1")])),
  ]);
  expect(results.slice(0, -1)).toEqual(expected);
  expect(joint.calls).toEqual([
    ["q", jobs.length],
    ["other", 1],
  ]);
  // The next tick's go with the next call.
  await ended(enqueue("other", [job("2")]));
  expect(joint.calls).toHaveLength(3);
});

test("several jobs at a time are a call of their own, and so is each where the backend orders groups", async () => {
  const { driver, calls } = smallDriver();
  const enqueue = createJointEnqueue(driver);
  await Promise.all([enqueue("q", [job("1"), job("2")]), enqueue("q", [job("3")]), enqueue("q", [])]);
  expect(calls.map(([, count]) => count).sort((a, b) => a - b)).toEqual([0, 1, 2]);
  const ordering = { ...driver, capabilities: { ...driver.capabilities, ordersGroups: true } };
  const inOrder = createJointEnqueue(ordering);
  calls.length = 0;
  await Promise.all([inOrder("q", [job("4")]), inOrder("q", [job("5")])]);
  expect(calls.map(([, count]) => count)).toEqual([1, 1]);
});

test("a call that throws fails all that share it; one short of results fails those without", async () => {
  const { driver } = smallDriver();
  const silent = {
    ...driver,
    enqueue: () => Promise.reject(new DriverUnavailableError("nobody there")),
  };
  const failing = createJointEnqueue(silent);
  const all = await Promise.all(["1", "2", "3"].map((id) => ended(failing("q", [job(id)]))));
  expect(all).toEqual(Array(3).fill("threw DriverUnavailableError: nobody there"));
  const short = createJointEnqueue({
    ...driver,
    enqueue: async (queue, jobs) => driver.enqueue(queue, jobs.slice(0, 1)),
  });
  const [first, second] = await Promise.all([ended(short("q", [job("1")])), ended(short("q", [job("2")]))]);
  expect(first).toMatchObject([{ status: "enqueued" }]);
  expect(second).toBe("threw Error: driver memory answered fewer jobs than it got");
});

test("a call carries a mebibyte and what the driver takes at most; the rest goes with others", async () => {
  const seen: number[] = [];
  const { driver } = smallDriver();
  const enqueue = createJointEnqueue({
    ...driver,
    capabilities: { ...driver.capabilities, maxBatch: 4 },
    async enqueue(_queue, jobs) {
      seen.push(jobs.length);
      return jobs.map(({ id }) => ({ status: "enqueued", id }));
    },
  });
  const large = "x".repeat(400_000);
  const bodies = [large, large, large, "1", "2", "3", "4", "5", "y".repeat(2_000_000), "6"];
  const results = await Promise.all(bodies.map((body) => enqueue("q", [job(body)])));
  expect(results.flat().map(({ status }) => status)).toEqual(bodies.map(() => "enqueued"));
  expect(seen).toEqual([2, 4, 2, 1, 1]);
});
