import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor } from "./scenario.ts";

const ready = "sockudo_queue:queue:webhooks";

interface Problem {
  readonly kind: string;
  readonly severity: string;
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
  // Named at once, and a moment later with what an examination finds.
  const named = await until(
    async () => (await brokenQueues(server)).find(({ detail }) => detail.includes("where a list belongs")),
    { what: "the problem", timeoutMs: 90_000 },
  );
  expect(named.object).toBe("webhooks");
  expect(await brokenQueues(server)).toHaveLength(1);
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
  await until(() => new Set(delivered()).size === 20, { what: "all 20 deliveries", timeoutMs: 90_000 });
  await server.untilIdle("webhooks");
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
}, 240_000);

// Finding: the same at the start ended the process with 78, all queues with it.
test.each(["redis", "redis-cluster"] as const)(
  "on %s a ready list and a shared hash that are overwritten at the start are told, and the other queue goes on",
  async (driver) => {
    await using redis = driver === "redis" ? await startRedis() : await startSingleCluster();
    await using receiver = await startReceiver();
    const shared = "{sockudo_queue:hookline}:shared";
    await redis.client.set(ready, "x");
    await redis.client.set(shared, "x");
    await using server = await startExecutable(
      configFor([{ name: "hook", url: receiver.url }], {
        queue: {
          driver,
          queues: ["webhooks", "other"],
          redis: { url_override: redis.url },
          redis_cluster: { nodes: [redis.url] },
        },
      }),
    );
    const kinds = async (): Promise<string[]> =>
      ((await server.api("GET", "/v1/problems")).body as Problem[])
        .filter(({ severity }) => severity === "error")
        .map(({ kind, object }) => `${kind}:${object}`)
        .sort();
    await until(async () => (await kinds()).length === 2, { what: "both problems" });
    expect(await kinds()).toEqual(["queue_broken:webhooks", "shared_state_broken:"]);
    const { body } = await server.api("GET", "/health");
    expect(body).toMatchObject({
      status: "degraded",
      checks: { queue_broken: { queues: ["webhooks"] }, shared_state_broken: { status: "degraded" } },
    });
    expect((await server.api("GET", "/health/ready")).status).toBe(200);
    expect((await server.api("GET", "/metrics")).text).toContain(
      'hookline_problems{kind="shared_state_broken",severity="error"} 1',
    );
    // A pause that cannot be shared is refused, and the other queue is delivered.
    expect((await server.api("POST", "/v1/endpoints/shop/hook/pause")).status).toBe(503);
    await server.enqueue("other", eventJobs(5, "other", "channel_occupied"));
    await until(() => receiver.requests.length === 5, { what: "the other queue's deliveries" });
    // What is accepted for the broken one lies in a list of hookline's own, and is delivered afterwards.
    await server.enqueue("webhooks", eventJobs(1, "early", "channel_occupied"));

    await redis.client.del(ready);
    await redis.client.del(shared);
    await until(async () => (await kinds()).length === 0, { what: "the end of both problems" });
    await server.enqueue("webhooks", eventJobs(5, "webhooks", "channel_occupied"));
    await until(() => receiver.requests.length >= 11, { what: "the queue's deliveries" });
    expect((await server.api("POST", "/v1/endpoints/shop/hook/pause")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  },
  240_000,
);

// The same kind by missing rights: each was a crash of the loop, and after some of them jobs were gone.
test("rights that are taken away for a moment, one after another, lose nothing under load", async () => {
  await using redis = await startRedis();
  const acl = (...rules: string[]): Promise<unknown> =>
    redis.client.call("ACL", "SETUSER", "worker", ...rules);
  await acl("on", ">pw", "~*", "&*", "+@all");
  await using receiver = await startReceiver();
  let answered = 0;
  /** Job → how often it was accepted. */
  const times = new Map<string, number>();
  receiver.behave(({ text }) => {
    // Every fourth is tried again.
    if ((answered += 1) % 4 === 0) return answer(503);
    const id = /"channel":"(load-\d+)"/.exec(text)?.[1] ?? "";
    times.set(id, (times.get(id) ?? 0) + 1);
    return answer(200);
  });
  await using server = await startExecutable(
    configFor([{ name: "hook", url: receiver.url, breaker: { min_attempts: 100_000 } }], {
      queue: {
        driver: "redis",
        redis: { url_override: redis.url.replace("redis://", "redis://worker:pw@"), concurrency: 20 },
      },
      webhooks: { retry: { initial_backoff_ms: 50, max_backoff_ms: 200 } },
      supervisor: { max_restarts: 0 },
    }),
  );
  const accepted = new Set<string>();
  const loaded = new AbortController();
  let number = 0;
  const load = async (): Promise<void> => {
    while (!loaded.signal.aborted) {
      const ids = Array.from({ length: 10 }, () => `load-${(number += 1)}`);
      const jobs = ids.map((id) => ({
        id,
        app_id: app.id,
        payload: { time_ms: 1, events: [{ name: "channel_occupied", channel: id }] },
      }));
      const response = await server.api("POST", "/v1/queues/webhooks/jobs", jobs);
      if (response.status === 202) {
        for (const { id, status } of response.body.jobs) if (status === "enqueued") accepted.add(id);
      } else expect(response.status).toBe(503);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const loading = load();
  for (const command of ["hset", "zadd", "ltrim", "hdel", "zrem", "rpush", "zrangebyscore", "hget"]) {
    const before = receiver.requests.length;
    await acl(`-${command}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
    await acl(`+${command}`);
    await until(() => receiver.requests.length > before + 20, {
      what: `deliveries after ${command}`,
      timeoutMs: 90_000,
    });
  }
  loaded.abort();
  await loading;
  expect(accepted.size).toBeGreaterThan(100);
  await server.untilIdle("webhooks");
  expect((await server.stats("webhooks"))["dead"]).toBe(0);
  expect([...accepted].filter((id) => !times.has(id))).toEqual([]);
  expect([...times].filter(([, count]) => count > 1)).toEqual([]);
  expect(await server.stop()).toBe(0);
}, 240_000);

// Finding: a page with such a letter was 500, and so was every redrive (faults.md B4).
test("dead letters that nobody can read are listed, redriven and removed over the API", async () => {
  await using redis = await startRedis();
  await using server = await startExecutable(
    configFor([{ name: "hook", url: "http://127.0.0.1:9/" }], {
      queue: { driver: "redis", redis: { url_override: redis.url } },
    }),
  );
  const plant = async (): Promise<void> => {
    for (const [name, score, content] of [
      ["broken", "1764000000000001", '1764000000000 1 1764000000000 job-1 {"reason":\n{}'],
      ["long", "1764000000000002", '99999999999999999999 1 99999999999999999999 job-2 {"reason":"r"}\n{}'],
      ["noise", "inf", "\u0000\u0001"],
    ] as const) {
      await redis.client.zadd(`{${ready}}:dead`, score, name);
      await redis.client.hset(`{${ready}}:dead-jobs`, name, content);
    }
  };
  const list = async (): Promise<string[]> => {
    const { status, body } = await server.api("GET", "/v1/queues/webhooks/dead");
    expect(status).toBe(200);
    return (body as { items: { id: string }[] }).items.map(({ id }) => id).sort();
  };
  await plant();
  expect(await list()).toEqual(["broken", "long", "noise"]);
  const removed = await server.api("DELETE", "/v1/queues/webhooks/dead/broken");
  expect(removed.status).toBe(204);
  const redriven = await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 10 });
  expect(redriven.body).toMatchObject({ redriven: 2 });
  // They are no jobs, and so become dead letters that can be read.
  await until(async () => (await list()).length === 2, { what: "their end" });
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body as {
    items: { reason: string }[];
  };
  expect(new Set(items.map(({ reason }) => reason))).toEqual(new Set(["malformed"]));
  expect(await server.stop()).toBe(0);
}, 240_000);
