import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { startExecutable } from "../support/executable.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { configFor } from "./scenario.ts";

const count = 40;

/** Resident memory of a process in MB. */
function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

// faults.md B2: 300 such dead letters took 1.7 GB in one answer, and /health/live was silent for 7 s.
test("dead letters of 1 MB are listed in little memory, and probes are answered meanwhile", async () => {
  await using redis = await startRedis();
  const queue = { driver: "redis", redis: { url_override: redis.url } };
  await using server = await startExecutable(configFor([], { queue }));
  const data = "x".repeat(1_000_000);
  for (let n = 0; n < count; n += 1) {
    const events = [{ name: "channel_occupied", channel: `room-${n}`, data }];
    const job = { id: `job-${n}`, app_id: "nobody", app_key: "none", payload: { time_ms: 1, events } };
    await redis.client.rpush("sockudo_queue:queue:webhooks", JSON.stringify(job));
  }
  await until(async () => (await server.stats())["dead"] === count, {
    what: "all of them dead",
    timeoutMs: 60_000,
  });
  const before = residentMb(server.pid);
  let most = 0;
  let slowestMs = 0;
  const listing = new AbortController();
  const watch = (async () => {
    while (!listing.signal.aborted) {
      const startedAt = performance.now();
      expect((await server.api("GET", "/health/live")).status).toBe(200);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      most = Math.max(most, residentMb(server.pid));
      // Twenty a second: more would be most of the load.
      await Bun.sleep(50);
    }
  })();
  const ids = new Set<string>();
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${cursor}`;
    const page = await server.api("GET", `/v1/queues/webhooks/dead?limit=1000${query}`);
    expect(page.text.length).toBeLessThanOrEqual(4_000_000);
    for (const item of page.body.items) {
      expect(item.job).toMatchObject({ truncated: true, id: expect.stringMatching(/^job-\d+$/) });
      ids.add(item.id);
    }
    ({ cursor } = page.body);
  } while (cursor !== null);
  listing.abort();
  await watch;
  expect(ids.size).toBe(count);
  // All of them are 40 MB, and were several times that while they were masked and written.
  expect(most - before).toBeLessThan(100);
  // All of them written in one go held it for seven seconds.
  expect(slowestMs).toBeLessThan(4_000);
}, 120_000);
