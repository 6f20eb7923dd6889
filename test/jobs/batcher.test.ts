import { describe, expect, test } from "bun:test";
import { createEventBatcher } from "../../src/jobs/batcher.ts";
import type { EventBatch } from "../../src/jobs/batcher.ts";
import type { EventText } from "../../src/jobs/events.ts";
import { until } from "../support/until.ts";

/** Longer than any test: what is written before was written for another reason. */
const never = 3_600_000;

function events(...names: string[]): EventText[] {
  return names.map((name) => ({ name, channel: null, text: `{"name":"${name}"}` }));
}

function names(batch: EventBatch | undefined): string[] {
  return batch?.events.map(({ name }) => name) ?? [];
}

/** A batcher that writes into `batches` and answers with the batch's number. */
function createRecorder(options: { durationMs?: number; size?: number } = {}) {
  const batches: EventBatch[] = [];
  const batcher = createEventBatcher({
    durationMs: () => options.durationMs ?? never,
    size: () => options.size ?? 100,
    enqueue: (batch) => Promise.resolve(batches.push(batch)),
  });
  return { batches, batcher };
}

describe("batching", () => {
  test("gathers the events of one app and queue, with the oldest one's time", async () => {
    const { batches, batcher } = createRecorder();
    const callers = [
      batcher.add("q", "a", 30, events("one", "two")),
      batcher.add("q", "a", 10, events("three")),
      batcher.add("q", "a", 20, events("four")),
    ];
    await batcher.flush();
    expect(await Promise.all(callers)).toEqual([[1], [1], [1]]);
    expect(batches).toHaveLength(1);
    expect(names(batches[0])).toEqual(["one", "two", "three", "four"]);
    expect(batches[0]).toMatchObject({ queue: "q", appId: "a", timeMs: 10 });
  });

  test("never mixes apps or queues", async () => {
    const { batches, batcher } = createRecorder();
    void batcher.add("q", "a", 1, events("qa"));
    void batcher.add("q", "b", 1, events("qb"));
    void batcher.add("r", "a", 1, events("ra"));
    void batcher.add("q", "a", 1, events("qa2"));
    await batcher.flush();
    const seen = batches.map((batch) => [batch.queue, batch.appId, names(batch)]);
    expect(seen).toEqual([
      ["q", "a", ["qa", "qa2"]],
      ["q", "b", ["qb"]],
      ["r", "a", ["ra"]],
    ]);
  });

  test("writes at once when the size is reached, and splits what is more", async () => {
    const { batches, batcher } = createRecorder({ size: 2 });
    expect(await batcher.add("q", "a", 5, events("1", "2", "3", "4"))).toEqual([1, 2]);
    const open = batcher.add("q", "a", 7, events("5"));
    expect(await batcher.add("q", "a", 6, events("6", "7", "8"))).toEqual([3, 4]);
    expect(await open).toEqual([3]);
    expect(batches.map(names)).toEqual([
      ["1", "2"],
      ["3", "4"],
      ["5", "6"],
      ["7", "8"],
    ]);
    expect(batches.map(({ timeMs }) => timeMs)).toEqual([5, 5, 6, 6]);
  });

  test("writes after the duration without being asked", async () => {
    const { batches, batcher } = createRecorder({ durationMs: 5 });
    expect(await batcher.add("q", "a", 1, events("1"))).toEqual([1]);
    expect(await batcher.add("q", "a", 2, events("2"))).toEqual([2]);
    expect(batches.map(names)).toEqual([["1"], ["2"]]);
  });

  test("resolves only after the driver has the batch", async () => {
    const written = Promise.withResolvers<string>();
    let isResolved = false;
    const batcher = createEventBatcher({
      durationMs: () => never,
      size: () => 1,
      enqueue: () => written.promise,
    });
    const caller = batcher.add("q", "a", 1, events("1")).then((results) => {
      isResolved = true;
      return results;
    });
    let isFlushed = false;
    const flushed = batcher.flush().then(() => (isFlushed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([isResolved, isFlushed]).toEqual([false, false]);
    written.resolve("there");
    expect(await caller).toEqual(["there"]);
    expect(await flushed).toBe(true);
  });
});

describe("a batch that cannot be written", () => {
  test("rejects exactly the callers whose events were in it, also when enqueue throws at once", async () => {
    const batcher = createEventBatcher({
      durationMs: () => never,
      size: () => 2,
      enqueue(batch) {
        if (names(batch).includes("bad")) throw new Error("driver said no");
        return Promise.resolve(names(batch).join("+"));
      },
    });
    const callers = [
      batcher.add("q", "a", 1, events("1", "2")),
      batcher.add("q", "a", 1, events("3")),
      batcher.add("q", "a", 1, events("bad", "4")),
      batcher.add("q", "a", 1, events("5")),
      batcher.add("q", "b", 1, events("6")),
    ];
    const settled = Promise.allSettled(callers);
    await batcher.flush();
    expect(
      (await settled).map((result) => (result.status === "fulfilled" ? result.value : "rejected")),
    ).toEqual([["1+2"], "rejected", "rejected", ["4+5"], ["6"]]);
  });

  test("leaves the next batch alone", async () => {
    let calls = 0;
    const batcher = createEventBatcher({
      durationMs: () => 1,
      size: () => 10,
      enqueue: () => ((calls += 1) === 1 ? Promise.reject(new Error("down")) : Promise.resolve("ok")),
    });
    expect(batcher.add("q", "a", 1, events("1"))).rejects.toThrow("down");
    await until(() => calls === 1);
    expect(await batcher.add("q", "a", 1, events("2"))).toEqual(["ok"]);
  });
});
