import { expect, test } from "bun:test";
import { laneJob, startLaneBench, untilArrived } from "../support/lane-load.ts";
import { until } from "../support/until.ts";

/** Milliseconds between neighbours. */
function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - (times[index] as number));
}

/** A timer is never early but for the rounding of clocks, and on a busy machine late by far. */
function expectGaps(times: readonly number[], expected: readonly number[]): void {
  expect(times).toHaveLength(expected.length + 1);
  for (const [index, gap] of gaps(times).entries()) {
    expect(gap).toBeWithin((expected[index] as number) - 5, (expected[index] as number) + 2_000);
  }
}

// Issue 5, part 3, each on real deliveries. One server for all, because they only wait.
test("each endpoint is tried again by its own schedule, until its own end", async () => {
  const retries = {
    // Delays after attempts 1, 2 and 3; the last repeats.
    list: { schedule_ms: [50, 250, 400], max_attempts: 5 },
    exponential: { initial_backoff_ms: 60, max_backoff_ms: 200, max_attempts: 5 },
    aged: { schedule_ms: [100, 200, 900], max_age_ms: 700 },
    on404: { schedule_ms: [50], retry_on: [404], max_attempts: 3 },
    plain404: { schedule_ms: [50] },
    on503: { schedule_ms: [50], dead_on: [503] },
    plain503: { schedule_ms: [50], max_backoff_ms: 60, initial_backoff_ms: 10, max_attempts: 2 },
    standard: { schedule_ms: "standard" },
  };
  const names = Object.keys(retries);
  await using bench = await startLaneBench({
    driver: "memory",
    concurrency: 20,
    endpoints: Object.fromEntries(
      Object.entries(retries).map(([name, retry]) => [name, { retry: { jitter: 0, ...retry } }]),
    ),
  });
  const { server, receiver } = bench;
  await receiver.behave(names, { status: 500 });
  await receiver.behave(["on404", "plain404"], { status: 404 });
  await receiver.behave(["on503", "plain503"], { status: 503 });
  await server.enqueue(
    "webhooks",
    names.map((name, n) => laneJob(name, n)),
  );
  const isOver = async (): Promise<boolean> => (await server.stats())["dead"] === names.length - 1;
  await until(isOver, { timeoutMs: 90_000, what: "the end of all but the standard schedule" });
  const seen = await receiver.look();
  const timesOf = (name: string): readonly number[] => seen[name]?.at ?? [];
  expectGaps(timesOf("list"), [50, 250, 400, 400]);
  expectGaps(timesOf("exponential"), [60, 120, 200, 200]);
  expectGaps(timesOf("aged"), [100, 200]);
  expectGaps(timesOf("on404"), [50, 50]);
  expectGaps(timesOf("plain404"), []);
  expectGaps(timesOf("on503"), []);
  expectGaps(timesOf("plain503"), [50]);
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=100")).body as {
    items: { endpoint: string; reason: string; attempts: number }[];
  };
  const ends = Object.fromEntries(
    items.map(({ endpoint, reason, attempts }) => [endpoint, `${reason} ${attempts}`]),
  );
  expect(ends).toEqual({
    list: "attempts_exhausted 5",
    exponential: "attempts_exhausted 5",
    aged: "max_age 3",
    on404: "attempts_exhausted 3",
    plain404: "http_404 1",
    on503: "http_503 1",
    plain503: "attempts_exhausted 2",
  });
  // The standard schedule's second attempt comes after five seconds.
  await receiver.behave(["standard"], { status: 200 });
  await until(async () => (await receiver.look())["standard"]?.at.length === 2, {
    what: "the second attempt",
  });
  expectGaps((await receiver.look())["standard"]?.at ?? [], [5_000]);
  await untilArrived(receiver, "standard", 1);
}, 120_000);
