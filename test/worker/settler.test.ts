import { describe, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { QueueDriver, Settlement } from "../../src/queue/driver.ts";
import { startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJob, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

type Settle = QueueDriver["settle"];

/** The memory driver with another `settle`; `n` counts its calls from 1. */
function withSettle(
  settle: (real: Settle, settlements: readonly Settlement[], n: number) => ReturnType<Settle>,
) {
  let calls = 0;
  return (memory: QueueDriver): QueueDriver => ({
    ...memory,
    settle: (settlements) => settle((all) => memory.settle(all), settlements, ++calls),
  });
}

const ids = (count: number): string[] => newJobs(count).map(({ id }) => id);
/** A settler's crash in these tests is expected; a restart should not be waited for. */
const quickRestarts = { restart_delay_ms: 1, max_restart_delay_ms: 5 };

describe("the settler", () => {
  test("settles what ended while a call was under way with one call", async () => {
    await using receiver = await startReceiver();
    const batches: number[] = [];
    const first = Promise.withResolvers<void>();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { queue: { memory: { concurrency: 32 } } },
      driver: withSettle(async (real, settlements, n) => {
        batches.push(settlements.length);
        if (n === 1) await first.promise;
        return real(settlements);
      }),
    });
    await bench.put(newJobs(1));
    await until(() => batches.length === 1, { what: "the first settlement" });
    await bench.put(newJobs(20, "later"));
    await receiver.waitForCount(21);
    first.resolve();
    await bench.untilEmpty();
    expect(batches[0]).toBe(1);
    expect(batches.slice(1).reduce((sum, size) => sum + size, 0)).toBe(20);
    expect(batches.length).toBeLessThanOrEqual(4);
    expect(bench.settled("ack")).toBe(21);
  });

  test("a lease that is settling, or gone, takes no second settlement", async () => {
    await using receiver = await startReceiver();
    const asked: string[] = [];
    const first = Promise.withResolvers<void>();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: withSettle(async (real, settlements, n) => {
        asked.push(...settlements.map(({ verb, lease }) => `${verb} ${lease.job.id}`));
        if (n === 1) await first.promise;
        return real(settlements);
      }),
      attempt: (real) => async (delivery, cut) => {
        const outcome = await real(delivery, cut);
        // Somebody else ends the lease first, as a bug would, or a drain that cuts off what has just ended.
        delivery.held.settle({ verb: "retry", delayMs: 3_600_000 });
        if (delivery.jobId === "gone") {
          first.resolve();
          await until(() => delivery.held.state === "gone", { what: "its confirmation" });
          delivery.held.settle({ verb: "dead", reason: "x", detail: null, endpoint: null, attempted: true });
        }
        return outcome;
      },
    });
    await bench.put([newJob("twice")]);
    await until(() => asked.length > 0, { what: "its settlement" });
    await bench.put([newJob("gone")]);
    await until(async () => (await bench.stats()).delayed === 2, { what: "both of them" });
    await bench.drain(0);
    expect(asked).toEqual(["retry twice", "retry gone"]);
    expect(bench.metrics.deadLettered.labels({ queue: "webhooks", reason: "x" }).value).toBe(0);
  });

  test("one settlement of unknown fate is asked for again, and the others are done", async () => {
    await using receiver = await startReceiver();
    let asked = 0;
    let isAway = true;
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: withSettle(async (real, settlements) => {
        const isMeant = ({ lease }: Settlement): boolean => isAway && lease.job.id === ids(4)[2];
        if (settlements.some(isMeant)) asked += 1;
        const results = await real(settlements.filter((one) => !isMeant(one)));
        const error = new DriverUnavailableError("not this one");
        return settlements.map((one) => (isMeant(one) ? { status: "unknown", error } : results.shift()!));
      }),
    });
    await bench.put(newJobs(4));
    await until(() => bench.settled("ack") === 3 && asked >= 3, {
      what: "three settled and one asked for again",
    });
    expect(bench.faults.findings().map(({ detail }) => detail)).toEqual(["settle: not this one"]);
    isAway = false;
    await bench.untilEmpty();
    await until(() => bench.settled("ack") === 4, { what: "the last one" });
    expect([receiver.count, bench.faults.findings()]).toEqual([4, []]);
  });

  test("an outage of the backend loses no settlement and needs no restart", async () => {
    await using receiver = await startReceiver();
    let isAway = true;
    let refused = 0;
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: withSettle((real, settlements) => {
        if (!isAway) return real(settlements);
        refused += 1;
        throw new DriverUnavailableError("away");
      }),
    });
    await bench.put(newJobs(40));
    await receiver.waitForCount(10);
    await until(() => refused >= 3, { what: "three refused calls" });
    expect(bench.faults.findings().map(({ detail }) => detail)).toEqual(["settle: away"]);
    isAway = false;
    await bench.untilEmpty();
    expect(receiver.requests.map(jobIdOf).sort()).toEqual(ids(40).sort());
    expect(bench.settled("ack")).toBe(40);
    expect(bench.faults.findings()).toEqual([]);
    expect(bench.supervisor.children().every(({ restarts }) => restarts === 0)).toBe(true);
  });

  test("a call that took effect although it failed is made again, and counted as lost, not as settled twice", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: withSettle(async (real, settlements, n) => {
        const results = await real(settlements);
        if (n === 1) throw new DriverUnavailableError("the answer did not arrive");
        return results;
      }),
    });
    await bench.put(newJobs(5));
    await bench.untilEmpty();
    const lost = bench.metrics.lost.labels({ queue: "webhooks" });
    await until(() => bench.settled("ack") + lost.value === 5, { what: "five ends" });
    expect(lost.value).toBeGreaterThan(0);
    expect(receiver.count).toBe(5);
  });

  test("what was pending when its child crashed is settled by the next run", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { supervisor: quickRestarts },
      driver: withSettle((real, settlements, n) => {
        if (n <= 2) throw new TypeError("a bug in the driver");
        return real(settlements);
      }),
    });
    await bench.put(newJobs(30));
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(30);
    expect(receiver.requests.map(jobIdOf).sort()).toEqual(ids(30).sort());
    const settler = bench.supervisor.children().find(({ id }) => id === "webhooks/settler");
    expect(settler?.restarts).toBe(2);
  });

  test("a call that never answers is given up with its run, and its settlements go again", async () => {
    await using receiver = await startReceiver();
    let hanging: readonly Settlement[] = [];
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { supervisor: { ...quickRestarts, stall_ms: 300 } },
      driver: withSettle((real, settlements, n) => {
        if (n > 1) return real(settlements);
        hanging = settlements;
        return new Promise(() => undefined);
      }),
    });
    await bench.put(newJobs(10));
    await bench.untilEmpty();
    expect(hanging.length).toBeGreaterThan(0);
    expect(bench.settled("ack")).toBe(10);
    expect(receiver.count).toBe(10);
  });

  test("an answer that comes after its call was given up settles nothing twice", async () => {
    await using receiver = await startReceiver();
    const late = Promise.withResolvers<void>();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { supervisor: { ...quickRestarts, stall_ms: 300 } },
      driver: withSettle(async (real, settlements, n) => {
        const results = await real(settlements);
        if (n === 1) await late.promise;
        return results;
      }),
    });
    await bench.put(newJobs(3));
    const lost = bench.metrics.lost.labels({ queue: "webhooks" });
    await until(() => bench.settled("ack") + lost.value === 3, { what: "three ends" });
    late.resolve();
    await bench.put(newJobs(1, "after"));
    await until(() => bench.settled("ack") + lost.value === 4, { what: "the fourth end" });
    expect(receiver.count).toBe(4);
    expect((await bench.stats()).leased).toBe(0);
  });

  test("one settlement that fails for good leaves the others, and its job comes back when the lease ends", async () => {
    await using receiver = await startReceiver();
    let isFirst = true;
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { queue: { reliability: { lease_duration_ms: 1_000 } } },
      driver: withSettle((real, settlements) => {
        if (!isFirst) return real(settlements);
        isFirst = false;
        const [, ...rest] = settlements;
        return real(rest).then((results) => [
          { status: "failed", error: new Error("too large") },
          ...results,
        ]);
      }),
    });
    await bench.put(newJobs(8));
    await bench.untilEmpty();
    expect(receiver.count).toBe(9);
    expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(8);
    expect(bench.logged.some((line) => line.includes("a settlement failed"))).toBe(true);
  });

  test("an answer that is too short crashes the settler and settles the rest again", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { supervisor: quickRestarts },
      driver: withSettle(async (real, settlements, n) => {
        if (n > 1) return real(settlements);
        const results = await real(settlements.slice(0, -1));
        return results;
      }),
    });
    await bench.put(newJobs(6));
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(6);
    expect(receiver.count).toBe(6);
  });
});
