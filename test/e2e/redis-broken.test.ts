import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor } from "./scenario.ts";

const ready = "sockudo_queue:queue:webhooks";

interface Problem {
  readonly kind: string;
  readonly object: string;
  readonly detail: string;
}

async function brokenQueues(server: Executable): Promise<Problem[]> {
  const problems = (await server.api("GET", "/v1/problems")).body as Problem[];
  return problems.filter(({ kind }) => kind === "queue_broken");
}

/** All jobs of a queue, wherever they are. */
async function jobsOf(server: Executable, queue: string): Promise<number> {
  const { ready: waiting, delayed, leased, parked, dead } = await server.stats(queue);
  return [waiting, delayed, leased, parked, dead].reduce((sum: number, count) => sum + (count ?? 0), 0);
}

function eventJobs(count: number, queue: string, name: string): unknown[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${queue}-${index}`,
    app_id: app.id,
    payload: { time_ms: 1, events: [{ name, channel: `room-${index}` }] },
  }));
}

// Finding: 20 of 20 jobs were gone and the process had exited with 1, all queues with it (faults.md A1).
test("a ready list that is overwritten for seconds loses nothing, and the other queue goes on", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver();
  await using healthy = await startReceiver();
  let status = 503;
  receiver.behave(() => answer(status));
  await using server = await startExecutable(
    configFor(
      [
        { name: "hook", url: receiver.url, breaker: { min_attempts: 1_000 } },
        { name: "healthy", url: healthy.url, event_types: ["channel_vacated"] },
      ],
      {
        queue: {
          driver: "redis",
          queues: ["webhooks", "other"],
          redis: { url_override: redis.url, concurrency: 20 },
        },
        webhooks: { retry: { schedule_ms: [2_000, 2_000, 2_000, 2_000, 2_000, 2_000], jitter: 0 } },
        supervisor: { max_restarts: 0 },
      },
    ),
  );
  await server.enqueue("webhooks", eventJobs(20, "webhooks", "channel_occupied"));
  await until(() => receiver.requests.length >= 20, { what: "the first attempts" });
  await redis.client.set(ready, "x");
  const brokenAt = performance.now();
  await until(async () => (await brokenQueues(server)).length > 0, {
    what: "the problem",
    timeoutMs: 10_000,
  });
  const [problem, ...others] = await brokenQueues(server);
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ object: "webhooks", detail: expect.stringContaining("list") });
  const health = (await server.api("GET", "/health")).body as { status: string; checks: object };
  expect(health.status).toBe("degraded");
  expect(JSON.stringify(health.checks)).toContain("queue_broken");
  // The other queue is delivered meanwhile.
  await server.enqueue("other", eventJobs(5, "other", "channel_vacated"));
  await until(() => healthy.requests.length === 5, { what: "the other queue's deliveries" });
  // Longer than a retry takes, so that the jobs are due while the list is broken.
  await until(() => performance.now() - brokenAt > 4_000, { what: "four seconds" });
  await redis.client.del(ready);
  expect(await jobsOf(server, "webhooks")).toBe(20);
  status = 200;
  const failed = receiver.requests.length;
  const delivered = () => receiver.requests.slice(failed).map(({ headers }) => headers["webhook-id"]);
  await until(() => new Set(delivered()).size === 20, { what: "all 20 deliveries", timeoutMs: 60_000 });
  await server.untilIdle("webhooks", 30_000);
  await until(async () => (await brokenQueues(server)).length === 0, { what: "the end of the problem" });
  expect((await server.stats("webhooks"))["dead"]).toBe(0);
  expect(await jobsOf(server, "webhooks")).toBe(0);
  expect(delivered().length).toBeLessThanOrEqual(20);
  const told = server.logs().filter(({ msg }) => msg.startsWith("redis refuses what this queue needs"));
  const over = server.logs().filter(({ msg }) => msg === "redis: the queue works again");
  expect([told.length, over.length]).toEqual([1, 1]);
  const workers = (await server.api("GET", "/v1/workers")).body as { workers: { restarts: number }[] };
  expect(workers.workers.map(({ restarts }) => restarts).filter((count) => count > 0)).toEqual([]);
  expect(await server.stop()).toBe(0);
}, 90_000);
