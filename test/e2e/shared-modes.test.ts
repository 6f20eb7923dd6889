import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { leftKeys } from "../support/redis-load.ts";
import { startRedis, startSingleCluster, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobNumber, jobNumberOf, jobsFrom } from "./scenario.ts";

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const main = `/v1/endpoints/${app.id}/main`;
const key = "{sockudo_queue:hookline}:shared";

/** A process whose deliveries can be told by their path. */
function start(redis: RedisProcess, driver: string, name: string, webhook: object = {}, queue: object = {}) {
  return startExecutable(
    configFor([{ name: "main", url: `${receiver.url}/${name}`, ...webhook }], {
      queue: {
        driver,
        redis: { url_override: redis.url, concurrency: 8 },
        redis_cluster: { nodes: [redis.url], concurrency: 8 },
        ...queue,
      },
      // Their webhooks differ, yet each may have every job.
      reload: { revision: 1 },
    }),
  );
}

async function modeOf(server: Executable): Promise<string> {
  const one = (await server.api("GET", main)).body;
  const all = (await server.api("GET", "/v1/endpoints")).body.endpoints;
  expect(all).toHaveLength(1);
  expect([one.scope, all[0].scope]).toEqual(["cluster", "cluster"]);
  return all[0].mode;
}

/** Two seconds are promised; the rest is for a busy machine. */
async function untilMode(server: Executable, mode: string, timeoutMs = 3_000): Promise<void> {
  await until(async () => (await modeOf(server)) === mode, { what: `it to be ${mode}`, timeoutMs });
}

async function switchTo(server: Executable, verb: string): Promise<void> {
  const { status, body } = await server.api("POST", `${main}/${verb}`);
  expect([status, body.scope]).toEqual([200, "cluster"]);
}

const deliveredBy = (name: string): number =>
  receiver.requests.filter(({ path }) => path === `/${name}`).length;

for (const driver of ["redis", "redis-cluster"] as const) {
  describe(`processes on ${driver}`, () => {
    test("an endpoint paused at one is paused at all, also at one that starts later, and nothing is lost", async () => {
      await using redis = await (driver === "redis" ? startRedis() : startSingleCluster());
      await using a = await start(redis, driver, "a");
      await using b = await start(redis, driver, "b");
      let sent = 0;
      const enqueue = async (server: Executable, count: number): Promise<void> => {
        await server.enqueue("webhooks", jobsFrom(sent, count));
        sent += count;
      };
      await until(
        async () => {
          await enqueue(a, 10);
          return deliveredBy("a") > 0 && deliveredBy("b") > 0;
        },
        { what: "both to deliver" },
      );
      await switchTo(a, "pause");
      expect(await modeOf(a)).toBe("paused");
      await untilMode(b, "paused");
      // What was in flight ends; with one endpoint only, what comes after that may wait as ready.
      const untilKept = (): Promise<unknown> =>
        until(
          async () => {
            const { ready, delayed, leased, parked } = await a.stats();
            return leased === 0 && ready! + delayed! + parked! + receiver.count === sent;
          },
          { what: "all that was not delivered to be kept" },
        );
      await untilKept();
      const before = receiver.count;
      await enqueue(b, 20);
      await enqueue(a, 20);
      await using c = await start(redis, driver, "c");
      expect(await modeOf(c)).toBe("paused");
      await enqueue(c, 20);
      await untilKept();
      expect(receiver.count).toBe(before);
      expect(sent).toBeGreaterThanOrEqual(before + 60);

      await switchTo(c, "resume");
      for (const server of [a, b]) await untilMode(server, "enabled");
      await receiver.waitForCount(sent);
      await until(async () => (await leftKeys(redis.client)).length === 0, { what: "no key to be left" });
      expect(receiver.count).toBe(sent);
      expect(new Set(receiver.requests.map(jobNumberOf)).size).toBe(sent);
      for (const server of [a, b, c]) expect(await server.stop()).toBe(0);
    }, 240_000);
  });
}

test("what answers of 410 disable at one process is disabled at another, and enabled from there", async () => {
  await using redis = await startRedis();
  receiver.behave(answer(410));
  const gone = { on_gone: "disable", concurrency: 1 };
  await using a = await start(redis, "redis", "a", gone);
  await using b = await start(redis, "redis", "b", gone, { consume: false });
  await b.enqueue("webhooks", jobsFrom(0, 10));
  await untilMode(b, "disabled", 10_000);
  await until(async () => (await b.stats())["dead"] === 10, { what: "ten dead letters" });
  expect(receiver.count).toBe(3);
  expect(await redis.client.hgetall(key)).toEqual({ "endpoint:shop/main": "disabled" });

  receiver.behave(answer(200));
  receiver.clear();
  await switchTo(b, "enable");
  await untilMode(a, "enabled");
  expect((await b.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 100 })).body).toMatchObject({
    redriven: 10,
  });
  await receiver.waitForCount(10);
  await until(async () => (await leftKeys(redis.client)).length === 0, { what: "no key to be left" });
  expect(receiver.count).toBe(10);
}, 240_000);

test("while Redis is away nothing is paused, and it says so; a pause outlives Redis and all processes", async () => {
  await using redis = await startRedis({ aof: true });
  const a = await start(redis, "redis", "a");
  await redis.kill();
  const refused = await a.api("POST", `${main}/pause`);
  expect([refused.status, refused.body.code]).toEqual([503, "driver_unavailable"]);
  expect(await modeOf(a)).toBe("enabled");
  await redis.restart();
  await until(async () => (await a.api("POST", `${main}/pause`)).status === 200, { what: "the pause" });
  await redis.kill();
  await redis.restart();
  await until(async () => (await a.api("GET", "/health/ready")).status === 200, { what: "readiness" });
  expect(await modeOf(a)).toBe("paused");
  expect(await a.stop()).toBe(0);
  await using b = await start(redis, "redis", "b");
  expect(await modeOf(b)).toBe("paused");
  await b.enqueue("webhooks", jobNumber(1));
  expect([receiver.count, (await b.stats())["dead"]]).toEqual([0, 0]);
  await switchTo(b, "resume");
  await receiver.waitForCount(1);
}, 240_000);
