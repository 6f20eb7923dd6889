import { describe, expect, test } from "bun:test";
import { answer, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

describe("queues in groups, end to end", () => {
  const start = (strategy: "weighted" | "strict", url: string) =>
    startWorker({
      start: false,
      config: {
        queue: {
          queues: ["high", "low"],
          groups: [
            {
              name: "group",
              concurrency: 4,
              strategy,
              queues: [{ name: "high", weight: 3 }, "low"],
            },
          ],
        },
        // No slots beyond the group's: an endpoint's first attempt would use them.
        webhooks: { max_in_flight: 4 },
      },
      webhooks: [{ url }],
    });

  test("weighted: both are served, the heavier more often", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 3 }) });
    await using bench = await start("weighted", receiver.url);
    await bench.put(newJobs(200, "high"), "high");
    await bench.put(newJobs(200, "low"), "low");
    bench.consumption.start();
    await bench.untilEmpty(90_000, "high");
    await bench.untilEmpty(90_000, "low");
    const first = receiver.requests.slice(0, 160).map(jobIdOf);
    expect(receiver.count).toBe(400);
    expect(first.filter((id) => id.startsWith("high")).length).toBeWithin(100, 140);
  });

  test.each([1, 2, 3])(
    "weighted with concurrency %i: three and one of every four starts, slots beyond the group's or not",
    async (concurrency) => {
      await using receiver = await startReceiver({ record: false });
      const order: string[] = [];
      await using bench = await startWorker({
        start: false,
        config: {
          queue: {
            queues: ["high", "low"],
            groups: [{ name: "group", concurrency, queues: [{ name: "high", weight: 3 }, "low"] }],
          },
        },
        webhooks: [{ url: receiver.url }],
        attempt: (real) => (delivery, cut) => {
          order.push(delivery.held.lease.queue);
          return real(delivery, cut);
        },
      });
      await bench.put(newJobs(300, "high"), "high");
      await bench.put(newJobs(300, "low"), "low");
      bench.consumption.start();
      await receiver.waitForCount(600);
      // Both have work until the heavier one's is done. At the start one may have leased before the other.
      const both = order.slice(20, 380);
      const highIn = (from: number, to: number): number =>
        both.slice(from, to).filter((queue) => queue === "high").length;
      expect(highIn(0, 360) / 360).toBeWithin(0.72, 0.78);
      const rounds = Array.from({ length: 357 }, (_, from) => highIn(from, from + 4));
      expect(rounds.filter((high) => high === 3).length / rounds.length).toBeGreaterThan(0.95);
    },
  );

  test("strict: the first goes first, and the second has all slots when the first has nothing", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 3 }) });
    await using bench = await start("strict", receiver.url);
    await bench.put(newJobs(200, "high"), "high");
    await bench.put(newJobs(100, "low"), "low");
    bench.consumption.start();
    await bench.untilEmpty(90_000, "low");
    const order = receiver.requests.map(jobIdOf);
    expect(order).toHaveLength(300);
    expect(order.slice(0, 200).filter((id) => id.startsWith("high")).length).toBeGreaterThan(185);
  });

  test("an empty queue's wait delays nobody", async () => {
    await using receiver = await startReceiver();
    await using bench = await start("strict", receiver.url);
    bench.consumption.start();
    await until(() => bench.supervisor.isAlive(), { what: "the workers" });
    const startedAt = performance.now();
    await bench.put(newJobs(20, "low"), "low");
    await receiver.waitForCount(20);
    // The empty one's wait takes five seconds.
    expect(performance.now() - startedAt).toBeLessThan(4_500);
  });
});
