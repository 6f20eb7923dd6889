import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { leftKeys } from "../support/redis-load.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { runExecutable, startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { findSecrets, secret } from "../support/secrets.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumberOf, jobsFrom } from "./scenario.ts";

const long = process.env["HOOKLINE_LONG"] === "1";
const ready = "sockudo_queue:queue:webhooks";

/** A job as Sockudo v2 to v4 pushes it, without an id. */
function sockudoJob(n: number): string {
  const events = [{ name: "channel_occupied", channel: `room-${n}` }];
  return JSON.stringify({
    app_key: app.key,
    app_id: app.id,
    app_secret: app.secret,
    payload: { time_ms: 1_700_000_000_000 + n, events },
    original_signature: `shop:room-${n}:channel_occupied`,
  });
}

async function push(redis: RedisProcess, from: number, count: number): Promise<void> {
  for (let at = from; at < from + count; at += 500) {
    const jobs = Array.from({ length: Math.min(500, from + count - at) }, (_, index) =>
      sockudoJob(at + index),
    );
    await redis.client.rpush(ready, ...jobs);
  }
}

/** What arrived: job number → the webhook-ids it came with, one entry per arrival. */
function arrivals(receiver: Receiver, status: (n: number) => number = () => 200): Map<number, string[]> {
  const seen = new Map<number, string[]>();
  receiver.behave((request) => {
    const n = jobNumberOf(request);
    if (!isSigned(request)) throw new Error("a delivery with a wrong signature");
    seen.set(n, [...(seen.get(n) ?? []), String(request.headers["webhook-id"])]);
    return answer(status(n));
  });
  return seen;
}

function config(redis: RedisProcess, receiver: Receiver, overrides: object = {}): object {
  return configFor([{ url: receiver.url }], {
    queue: {
      driver: "redis",
      redis: { concurrency: 32, url_override: redis.url },
      reliability: { lease_duration_ms: 1_500 },
      ...overrides,
    },
  });
}

/** Every job came, doubles carry one id, and nothing is left in Redis. */
async function expectAll(redis: RedisProcess, seen: Map<number, string[]>, total: number): Promise<number> {
  await until(() => seen.size >= total, {
    what: `${total} jobs (${seen.size} came)`,
    timeoutMs: 60_000,
    everyMs: 20,
  });
  await until(async () => (await leftKeys(redis.client)).length === 0, {
    what: "no key to be left",
    timeoutMs: 90_000,
  });
  let doubles = 0;
  for (const ids of seen.values()) {
    expect(new Set(ids).size).toBe(1);
    doubles += ids.length - 1;
  }
  return doubles;
}

test("hookline killed again and again while jobs go through: each comes, doubles at most what was leased", async () => {
  const kills = long ? 10 : 3;
  const total = long ? 20_000 : 3_000;
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  await push(redis, 0, total);
  let leased = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const before = seen.size;
    const server = await startExecutable(config(redis, receiver));
    await until(() => seen.size > before + (total / (kills + 2)) * Math.random(), {
      what: "deliveries",
      timeoutMs: 90_000,
      everyMs: 1,
    });
    server.signal("SIGKILL");
    await server.exited;
    leased += await redis.client.hlen(`{${ready}}:leased`);
  }
  await using server = await startExecutable(config(redis, receiver));
  const doubles = await expectAll(redis, seen, total);
  expect(leased).toBeGreaterThan(0);
  // What was delivered and not yet acked at a kill stood among the leases.
  expect(doubles).toBeLessThanOrEqual(leased);
  expect(await server.stop()).toBe(0);
}, 180_000);

test("Redis with AOF killed under load, hookline goes on by itself", async () => {
  const kills = long ? 5 : 2;
  const total = long ? 20_000 : 3_000;
  await using redis = await startRedis({ aof: true });
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  await push(redis, 0, total);
  await using server = await startExecutable(config(redis, receiver));
  for (let kill = 1; kill <= kills; kill += 1) {
    await until(() => seen.size > (total / (kills + 2)) * kill, {
      what: "deliveries",
      timeoutMs: 90_000,
      everyMs: 1,
    });
    await redis.kill();
    if (kill === 1) {
      // Longer than hookline's patience: health says so, and the process stays.
      await until(async () => (await server.api("GET", "/health")).body.status === "down", {
        what: "health to say down",
      });
      expect((await server.api("GET", "/health/live")).status).toBe(200);
      expect((await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(900_000, 1))).status).toBe(503);
    }
    await redis.restart();
    await until(async () => (await server.api("GET", "/health/ready")).status === 200, { what: "readiness" });
  }
  await expectAll(redis, seen, total);
  expect(await server.stop()).toBe(0);
}, 180_000);

test("several processes share a queue: none twice, and one that drains hands its rest over", async () => {
  const total = 2_000;
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  const servers: Executable[] = [];
  try {
    for (let index = 0; index < 3; index += 1) servers.push(await startExecutable(config(redis, receiver)));
    const [first, second] = servers as [Executable, Executable];
    const pushing = push(redis, 0, total / 2);
    const posting = second.enqueue("webhooks", jobsFrom(total / 2, total / 2));
    await until(() => seen.size > 50, { what: "deliveries", everyMs: 1 });
    expect(await first.stop()).toBe(0);
    await Promise.all([pushing, posting]);
    expect(await expectAll(redis, seen, total)).toBe(0);

    // A pause made at one process holds at the other.
    await second.api("POST", "/v1/queues/webhooks/pause");
    await until(async () => (await servers[2]!.api("GET", "/v1/queues/webhooks")).body.paused === true, {
      what: "the pause",
    });
    await push(redis, total, 20);
    const paused = (await servers[2]!.api("GET", "/v1/queues/webhooks")).body;
    expect(paused).toMatchObject({ paused: true, scope: "cluster", driver: "redis" });
    expect(seen.size).toBe(total);
    await servers[2]!.api("POST", "/v1/queues/webhooks/resume");
    await expectAll(redis, seen, total + 20);
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
}, 240_000);

test("what is kept for later holds no app_secret, and redrive delivers it", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  let broken = true;
  const seen = arrivals(receiver, (n) => (broken ? (n % 2 === 0 ? 410 : 500) : 200));
  await using server = await startExecutable(
    configFor([{ url: receiver.url }, { url: `${receiver.url}/second`, name: "second" }], {
      queue: { driver: "redis", redis: { url_override: redis.url } },
      webhooks: { retry: { initial_backoff_ms: 60_000, max_backoff_ms: 60_000 } },
    }),
  );
  await push(redis, 0, 10);
  await until(
    async () => {
      const { dead, delayed } = await server.stats();
      return dead === 10 && delayed === 10;
    },
    { what: "ten dead letters and ten retries" },
  );
  const kept: string[] = [];
  for (const key of await redis.client.keys("*")) {
    const type = await redis.client.type(key);
    if (type === "zset") kept.push(...(await redis.client.zrange(key, "0", "-1")));
    else if (type === "hash") kept.push(...(await redis.client.hvals(key)));
    else if (type === "list") kept.push(...(await redis.client.lrange(key, 0, -1)));
  }
  expect(kept.length).toBeGreaterThanOrEqual(20);
  expect(kept.join("\n")).toContain("room-3");
  expect(kept.join("\n")).not.toContain(app.secret);
  broken = false;
  const before = [...seen.values()].flat().length;
  const page = (await server.api("GET", "/v1/queues/webhooks/dead?limit=100")).body;
  expect(page.items.length).toBe(10);
  expect((await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 100 })).body).toMatchObject({
    redriven: 10,
  });
  await until(() => [...seen.values()].flat().length === before + 10, { what: "the redriven jobs" });
  for (const ids of seen.values()) expect(new Set(ids).size).toBe(2);
  expect(await server.stop()).toBe(0);
}, 240_000);

test("a job pushed with an id of its own is listed, redriven and removed under that id", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  let status = 410;
  const seen = arrivals(receiver, () => status);
  await using server = await startExecutable(config(redis, receiver));
  const withId = (n: number, id: string): string =>
    JSON.stringify({ ...JSON.parse(sockudoJob(n)), job_id: id });
  await redis.client.rpush(ready, withId(1, "JOB-77"), withId(2, "JOB-78"));
  await until(async () => (await server.stats()).dead === 2, { what: "two dead letters" });
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body;
  const names = items.map((item: { id: string; job: { id: string } }) => [item.id, item.job.id]).sort();
  expect(names).toEqual([
    ["JOB-77", "JOB-77"],
    ["JOB-78", "JOB-78"],
  ]);
  expect((await server.api("DELETE", "/v1/queues/webhooks/dead/JOB-78")).status).toBe(204);
  status = 200;
  expect(
    (await server.api("POST", "/v1/queues/webhooks/dead/redrive", { ids: ["JOB-77"] })).body,
  ).toMatchObject({
    state: "done",
    redriven: 1,
  });
  await until(() => seen.get(1)?.length === 2, { what: "the redriven job" });
  expect(new Set(seen.get(1)).size).toBe(1);
  await until(async () => (await leftKeys(redis.client)).length === 0, { what: "no key to be left" });
  expect(await server.stop()).toBe(0);
}, 240_000);

test("with Redis' memory full, enqueue answers 503 and consumption recovers by itself", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  await push(redis, 0, 1_000);
  await redis.client.config("SET", "maxmemory", "1mb");
  // It is not ready while nothing can be enqueued.
  await using server = await startExecutable(config(redis, receiver), { waitReady: false });
  const refused = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(5_000, 1));
  expect([refused.status, refused.body.code]).toEqual([503, "queue_full"]);
  await expectAll(redis, seen, 1_000);
  await redis.client.config("SET", "maxmemory", "0");
  await server.enqueue("webhooks", jobsFrom(2_000, 5));
  await expectAll(redis, seen, 1_005);
  expect(await server.stop()).toBe(0);
}, 240_000);

test("write_for_sockudo puts what is enqueued where Sockudo's workers find it, and delivers it as well", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  const queue = {
    driver: "redis",
    consume: false,
    redis: { url_override: redis.url, write_for_sockudo: true },
  };
  await using writer = await startExecutable(configFor([{ url: receiver.url }], { queue }));
  await writer.enqueue("webhooks", jobsFrom(7, 1));
  const [written] = await redis.client.lrange(ready, 0, -1);
  expect(JSON.parse(written!)).toEqual({
    app_key: app.key,
    app_id: app.id,
    app_secret: app.secret,
    job_id: "job-7",
    original_signature: "shop:room-7:channel_occupied",
    payload: { time_ms: 1_700_000_000_007, events: [{ name: "channel_occupied", channel: "room-7" }] },
  });
  expect(writer.output().match(/write_for_sockudo/g)).toHaveLength(1);
  await using worker = await startExecutable(config(redis, receiver));
  await expectAll(redis, seen, 1);
  expect(seen.get(7)![0]).toStartWith("job-7_");
  expect(await worker.stop()).toBe(0);
}, 240_000);

test("a wrong password, or a database that is not there, ends the start with 78 and says so", async () => {
  const right = secret("redis");
  await using redis = await startRedis({ args: ["--requirepass", right], client: { password: right } });
  const serve = async (url: string) =>
    runExecutable(["serve", "--set", "server.port=0"], {
      env: { QUEUE_DRIVER: "redis", QUEUE_REDIS_URL: url },
    });
  const wrong = await serve(`redis://:${secret("wrong")}@127.0.0.1:${redis.port}`);
  expect(wrong.code).toBe(78);
  expect(wrong.stderr).toContain("queue.redis.url_override: Redis refuses the username or password");
  const numbered = await serve(`redis://:${right}@127.0.0.1:${redis.port}/77`);
  expect(numbered.code).toBe(78);
  expect(numbered.stderr).toContain("no database of that number");
  expect(findSecrets(wrong.stderr + numbered.stderr)).toEqual([]);
});

test("under Deno the sources consume from Redis as well: pushed and posted jobs, and the end by SIGTERM", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const seen = arrivals(receiver);
  const root = resolve(import.meta.dir, "../..");
  // The program itself: the package's own command is a Node script that passes no signals on.
  const [deno] = [...new Bun.Glob("node_modules/@deno/*/deno").scanSync({ cwd: root, absolute: true })];
  const command = [deno!, "run", "-A", resolve(root, "src/main.ts")];
  await using server = await startExecutable(config(redis, receiver), { command });
  await push(redis, 0, 300);
  await server.enqueue("webhooks", jobsFrom(300, 50));
  await expectAll(redis, seen, 350);
  // One more after a wait, which goes through the blocked connection.
  await push(redis, 350, 1);
  await expectAll(redis, seen, 351);
  expect(await server.stop()).toBe(0);
}, 240_000);
