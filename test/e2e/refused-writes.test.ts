import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumber } from "./scenario.ts";

/** Ways in which Redis answers and takes no write (faults.md C5): the code it says, how it begins and ends. */
const refusals: readonly {
  readonly code: string;
  /** What /health shows of backend_refuses_writes; null where it is told as queue_broken. */
  readonly shown: string | null;
  readonly begin: (redis: RedisProcess) => Promise<unknown>;
  readonly end: (redis: RedisProcess) => Promise<unknown>;
}[] = [
  {
    code: "NOREPLICAS",
    shown: "NOREPLICAS",
    begin: ({ client }) => client.config("SET", "min-replicas-to-write", "1"),
    end: ({ client }) => client.config("SET", "min-replicas-to-write", "0"),
  },
  {
    code: "maxmemory",
    shown: "full",
    begin: ({ client }) => client.config("SET", "maxmemory", "1"),
    end: ({ client }) => client.config("SET", "maxmemory", "0"),
  },
  {
    code: "READONLY",
    shown: "READONLY",
    begin: ({ client }) => client.call("REPLICAOF", "127.0.0.1", "1"),
    end: ({ client }) => client.call("REPLICAOF", "NO", "ONE"),
  },
  {
    code: "MISCONF",
    shown: "MISCONF",
    begin: async ({ client }) => {
      await client.config("SET", "dir", "/proc/sys");
      await client.config("SET", "save", "3600 1");
      await client.call("SET", "changed", "1");
      await until(
        async () => {
          await client.call("BGSAVE").catch(() => undefined);
          return (await client.info("persistence")).includes("rdb_last_bgsave_status:err");
        },
        { what: "a snapshot to fail", everyMs: 50 },
      );
    },
    end: ({ client }) => client.config("SET", "save", ""),
  },
  {
    // A right that is missing is for one queue to be mended, and told as that.
    code: "NOPERM",
    shown: null,
    begin: ({ client }) => client.call("ACL", "SETUSER", "default", "-rpush"),
    end: ({ client }) => client.call("ACL", "SETUSER", "default", "+rpush"),
  },
];

/** What the executable says of the state, in every way that it says it. */
async function said(hookline: Executable) {
  const [ready, health, problems, metrics] = await Promise.all([
    hookline.api("GET", "/health/ready"),
    hookline.api("GET", "/health"),
    hookline.api("GET", "/v1/problems"),
    hookline.api("GET", "/metrics"),
  ]);
  return {
    ready: ready.status,
    reason: String(ready.body.reason ?? ""),
    status: health.body.status as string,
    refused: health.body.checks.backend_refuses_writes as { detail: string; queues: string[] } | undefined,
    kinds: (problems.body as { kind: string }[]).map(({ kind }) => kind),
    gauge: Number(
      /^hookline_problems\{kind="backend_refuses_writes",severity="error"\} (\d+)$/m.exec(metrics.text)?.[1],
    ),
  };
}

test("a Redis that refuses writes is told at once, readiness waits for it, and both end without a producer", async () => {
  await using redis = await startRedis({ aof: true, args: ["--enable-protected-configs", "yes"] });
  await using receiver = await startReceiver();
  await using hookline = await startExecutable(
    configFor([{ url: receiver.url }], {
      queue: { driver: "redis", redis: { url_override: redis.url } },
    }),
  );
  expect(await said(hookline)).toMatchObject({ ready: 200, status: "ok", gauge: 0, kinds: [] });
  let number = 0;
  for (const [index, { code, shown, begin, end }] of refusals.entries()) {
    await begin(redis);
    if (index % 2 === 0) {
      const posted = await hookline.api("POST", "/v1/queues/webhooks/jobs", jobNumber((number += 1)));
      expect([code, posted.status]).toEqual([code, 503]);
    } else {
      // Whoever asks for the health finds out too, without a producer.
      await until(async () => (await said(hookline)).ready === 503, {
        what: `${code} to be found`,
        everyMs: 50,
      });
    }
    // A demoted master is connected to anew, and is away for that moment.
    const state = await until(
      async () => {
        const now = await said(hookline);
        return now.ready === 503 && now.status === "degraded" ? now : null;
      },
      { what: `${code} to be told`, everyMs: 20 },
    );
    expect(state.reason).toContain("writes: ");
    if (shown === null) {
      expect(state.kinds).toContain("queue_broken");
    } else {
      expect(state.refused).toMatchObject({
        detail: `the backend refuses writes (${shown})`,
        queues: ["webhooks"],
      });
      expect(state.kinds).toContain("backend_refuses_writes");
      expect(state.gauge).toBe(1);
    }
    await end(redis);
    // The end of that is told by test/e2e/redis-broken.test.ts.
    if (shown === null) continue;
    await until(
      async () => {
        const now = await said(hookline);
        return now.ready === 200 && now.status === "ok" && now.gauge === 0;
      },
      { what: `the end of ${code} to be told`, timeoutMs: 90_000, everyMs: 100 },
    );
    await hookline.enqueue("webhooks", jobNumber((number += 1)));
  }
  await receiver.waitForCount(refusals.length - 1);
  const begins = hookline.logs().filter(({ msg }) => msg.includes("the backend refuses writes"));
  const ends = hookline.logs().filter(({ msg }) => msg.includes("the backend takes writes again"));
  expect(begins.length).toBeGreaterThanOrEqual(refusals.length - 1);
  expect(ends).toHaveLength(begins.length);
  // Neither a probe nor a wait crashed anything.
  const workers = (await hookline.api("GET", "/v1/workers")).body.workers as { restarts: number }[];
  expect(workers.filter(({ restarts }) => restarts > 0)).toEqual([]);
}, 120_000);

test("a Redis that refuses writes at the start is waited for, and /health says why", async () => {
  await using redis = await startRedis({ aof: true, args: ["--min-replicas-to-write", "1"] });
  await using hookline = await startExecutable(
    configFor([], { queue: { driver: "redis", redis: { url_override: redis.url } } }),
    { waitReady: false },
  );
  const { status, body, text } = await hookline.api("GET", "/health");
  expect([status, body.status]).toEqual([503, "down"]);
  expect(body.checks.driver.detail).toContain("NOREPLICAS");
  expect(Object.keys(body.checks)).toContain("backend_refuses_writes");
  expect(text).not.toContain(String(redis.port));
  await redis.client.config("SET", "min-replicas-to-write", "0");
  await until(async () => (await hookline.api("GET", "/health")).body.status === "ok", {
    what: "the start",
    timeoutMs: 90_000,
    everyMs: 50,
  });
}, 240_000);

test("nobody posts and nobody asks: the log tells it, and its end", async () => {
  await using redis = await startRedis({ aof: true });
  await using hookline = await startExecutable(
    configFor([], { queue: { driver: "redis", redis: { url_override: redis.url } } }),
  );
  const told = (text: string): boolean => hookline.logs().some(({ msg }) => msg.includes(text));
  await redis.client.config("SET", "min-replicas-to-write", "1");
  await until(() => told("waiting for jobs fails"), { what: "the log to tell it", timeoutMs: 90_000 });
  await redis.client.config("SET", "min-replicas-to-write", "0");
  await until(() => told("waiting for jobs works again"), {
    what: "the log to tell the end",
    timeoutMs: 90_000,
  });
});
