import { describe, expect, test } from "bun:test";
import type { Executable } from "../support/executable.ts";
import {
  allWith,
  endpointNames,
  enqueueBacklog,
  laneJob,
  percentile,
  startLaneBench,
  untilArrived,
  untilEmpty,
} from "../support/lane-load.ts";
import { everything } from "../support/receiver-process.ts";

/** Enqueues `count` jobs for each endpoint, one of each in turns, in one call. */
async function enqueueMixed(server: Executable, names: readonly string[], count: number): Promise<void> {
  const jobs = Array.from({ length: count * names.length }, (_, n) =>
    laneJob(names[n % names.length] as string, n),
  );
  await server.enqueue("webhooks", jobs);
}

describe("shares of the slots, as receivers see them", () => {
  test("a lone endpoint uses all slots; two busy ones hold half of them each, and no more", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 8,
      endpoints: allWith(["a", "b"]),
    });
    const { server, receiver } = bench;
    await receiver.behave(["a", "b"], { status: 200, delayMs: 20 });
    await enqueueBacklog(server, "a", 60);
    await untilArrived(receiver, "a", 60);
    await untilEmpty(server);
    expect((await receiver.clear())["a"]?.mostInFlight).toBe(8);

    await enqueueMixed(server, ["a", "b"], 120);
    await untilArrived(receiver, "a", 60);
    // Both still have work here; when one has no more, the other may have all.
    const both = await receiver.clear();
    expect(both["a"]?.mostInFlight).toBe(4);
    expect(both["b"]?.mostInFlight).toBe(4);
    expect(Math.abs((both["a"]?.jobs.length ?? 0) - (both["b"]?.jobs.length ?? 0))).toBeLessThanOrEqual(8);
  });

  test("an endpoint's own concurrency takes the place of its share, above it and below", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 8,
      endpoints: { narrow: { concurrency: 2 }, wide: { concurrency: 6 }, usual: {} },
    });
    const { server, receiver } = bench;
    const names = ["narrow", "wide", "usual"];
    await receiver.behave(names, { status: 200, delayMs: 20 });
    await enqueueMixed(server, names, 150);
    await untilArrived(receiver, "usual", 20);
    const seen = await receiver.look();
    expect(seen["narrow"]?.mostInFlight).toBe(2);
    expect(seen["wide"]?.mostInFlight).toBeWithin(5, 7);
    // A third of eight.
    expect(seen["usual"]?.mostInFlight).toBe(2);
  });

  test("each endpoint's first attempt goes beyond the slots, but never beyond webhooks.max_in_flight", async () => {
    const names = endpointNames(12);
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 4,
      endpoints: allWith(names),
      webhooks: { max_in_flight: 6 },
    });
    const { server, receiver } = bench;
    await receiver.behave(names, { status: 200, delayMs: 30 });
    await enqueueMixed(server, names, 10);
    await untilEmpty(server);
    const seen = await receiver.look();
    expect(seen[everything]?.mostInFlight).toBe(6);
    for (const name of names) expect(seen[name]?.jobs).toHaveLength(10);
  });

  test.each([
    ["slow", { concurrency: 1 }, 15],
    ["limited", { rate_limit: { per_second: 50, burst: 1 } }, 0],
  ])("a backlog of a %s endpoint is not in the way of another's jobs", async (_, settings, delayMs) => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 20,
      endpoints: { a: settings, b: {} },
    });
    const { server, receiver } = bench;
    await receiver.behave(["a"], { status: 200, delayMs });
    // Two minutes' work for one, a millisecond's for the other.
    await enqueueBacklog(server, "a", 6_000);
    await enqueueBacklog(server, "b", 20);
    await untilArrived(receiver, "b", 20);
    // One's work takes two minutes; the other's does not wait for it.
    expect(Math.max(...((await receiver.look())["b"]?.delaysMs ?? []))).toBeLessThan(60_000);
    // And beside it: 20 that come one by one.
    await receiver.clear();
    for (let n = 0; n < 20; n += 1) {
      await server.enqueue("webhooks", laneJob("b", n));
      await untilArrived(receiver, "b", n + 1);
    }
    // Nothing was lost on the way, and what is limited goes on.
    expect((await receiver.look())["a"]?.jobs.length).toBeGreaterThan(0);
    const { ready, delayed, leased, parked, dead } = await server.stats();
    const done = await receiver.count("a");
    expect(dead).toBe(0);
    expect((ready ?? 0) + (delayed ?? 0) + (leased ?? 0) + (parked ?? 0)).toBeWithin(5_700 - done, 6_001);
  });
});

describe("polling groups", () => {
  const groupOf = (group: object): object => ({
    queues: ["first", "second"],
    groups: [{ name: "group", concurrency: 4, queues: ["first", "second"], ...group }],
  });

  async function startGroup(group: object, webhooks: object) {
    const bench = await startLaneBench({
      driver: "memory",
      concurrency: 4,
      endpoints: allWith(["a", "b"]),
      queue: groupOf(group),
      webhooks,
    });
    await bench.receiver.behave(["a", "b"], { status: 200, delayMs: 10 });
    return bench;
  }

  const queues = ["first", "second"] as const;

  /** Pauses both queues and puts so many jobs on each. */
  async function load(server: Executable, counts: { first: number; second: number }): Promise<void> {
    for (const queue of queues) await server.api("POST", `/v1/queues/${queue}/pause`);
    await enqueueBacklog(server, "a", counts.first, { queue: "first" });
    await enqueueBacklog(server, "b", counts.second, { queue: "second" });
  }

  const resume = (server: Executable, queue: string) => server.api("POST", `/v1/queues/${queue}/resume`);

  test("weighted 3 to 1: the starts come about so, and within the group's concurrency", async () => {
    const weights = [
      { name: "first", weight: 3 },
      { name: "second", weight: 1 },
    ];
    // Without first attempts of endpoints beyond the slots: what is in flight is the group's own.
    await using bench = await startGroup({ strategy: "weighted", queues: weights }, { max_in_flight: 4 });
    const { server, receiver } = bench;
    await load(server, { first: 200, second: 200 });
    await Promise.all(queues.map((queue) => resume(server, queue)));
    await untilArrived(receiver, "a", 150);
    const seen = await receiver.look();
    const share = (seen["a"]?.at.length ?? 0) / ((seen["a"]?.at.length ?? 0) + (seen["b"]?.at.length ?? 0));
    expect(share).toBeWithin(0.68, 0.82);
    expect(seen[everything]?.mostInFlight).toBe(4);
  });

  test("strict: the second queue starts only when the first has nothing", async () => {
    await using bench = await startGroup({ strategy: "strict" }, {});
    const { server, receiver } = bench;
    await load(server, { first: 150, second: 50 });
    // Until the first queue runs, the second one may have the group to itself.
    await resume(server, "first");
    await untilArrived(receiver, "a", 1);
    await resume(server, "second");
    await untilEmpty(server, "first");
    await untilEmpty(server, "second");
    const seen = await receiver.look();
    const lastOfFirst = Math.max(...(seen["a"]?.at ?? []));
    // What the first left over at its very end may be used.
    const before = (seen["b"]?.at ?? []).filter((at) => at < lastOfFirst).length;
    expect(before).toBeLessThanOrEqual(4);
    expect(seen["b"]?.jobs).toHaveLength(50);
    expect(seen[everything]?.mostInFlight).toBe(4);
  });

  test("an endpoint that hangs in one queue does not hold up the other queue's", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 4,
      endpoints: allWith(["a", "b"]),
      queue: groupOf({}),
    });
    const { server, receiver } = bench;
    await receiver.behave(["a"], "hang");
    await enqueueBacklog(server, "a", 50, { queue: "first" });
    await untilArrived(receiver, "a", 4);
    await enqueueBacklog(server, "b", 20, { queue: "second" });
    await untilArrived(receiver, "b", 20);
    expect((await receiver.look())["a"]?.inFlight).toBe(4);
  });

  test.each(["weighted", "strict"])(
    "%s: an empty queue does not delay the other, paused or not",
    async (strategy) => {
      await using bench = await startGroup({ strategy, empty_pause_ms: 60_000 }, {});
      const { server, receiver } = bench;
      await server.enqueue("second", laneJob("b", 0));
      await untilArrived(receiver, "b", 1);
      for (let n = 1; n <= 20; n += 1) {
        await server.enqueue("second", laneJob("b", n));
        await untilArrived(receiver, "b", n + 1);
      }
      const delays = ((await receiver.look())["b"]?.delaysMs ?? []).toSorted((left, right) => left - right);
      expect(delays[10]).toBeLessThan(100);
    },
  );

  test("empty_pause_ms: a queue found empty is left alone for so long, and delays no other meanwhile", async () => {
    await using bench = await startLaneBench({
      driver: "memory",
      concurrency: 4,
      endpoints: allWith(["a", "b"]),
      queue: groupOf({ empty_pause_ms: 1_500 }),
      // A lease call waits a third of it at most: then the queue was empty.
      supervisor: { stall_ms: 900 },
    });
    const { server, receiver } = bench;
    // The second queue has work all the time.
    for (let n = 0; n < 10; n += 1) {
      await server.enqueue("second", laneJob("b", n));
      await untilArrived(receiver, "b", n + 1);
      await Bun.sleep(50);
    }
    await server.enqueue("first", laneJob("a", 0));
    await untilArrived(receiver, "a", 1);
    const seen = await receiver.look();
    expect(seen["a"]?.delaysMs[0]).toBeWithin(300, 3_000);
    expect(percentile(seen["b"]?.delaysMs ?? [], 0.5)).toBeLessThan(100);
  });
});
