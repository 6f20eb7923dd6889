import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError, QueueBrokenError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import type { Logger } from "../../src/log.ts";
import { createQueueTrouble } from "../../src/queue/drivers/redis/queue-trouble.ts";
import { queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import type { Settlement } from "../../src/queue/driver.ts";
import { newJob, redisDriver, wish, openInTheEnd } from "../support/redis-driver.ts";
import { wrongType } from "../support/redis-faults.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;
const { all } = queueKeys("sockudo_queue:", "webhooks");
const own = all[2] as string;
const dead = all[10] as string;
let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.client.flushall();
  await redis.client.call("ACL", "SETUSER", "worker", "on", ">pw", "~*", "&*", "+@all");
});

/** A logger that keeps what an operator sees. */
function keeping(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (message) => void lines.push(message),
    info: (message) => void lines.push(message),
    child: () => log,
  };
  return { log, lines };
}

async function openDriver(log: Logger = silentLogger) {
  const driver = redisDriver(redis.port, { username: "worker", password: "pw" }, { log });
  await driver.open(opened);
  return driver;
}

describe("a queue that Redis refuses something of", () => {
  test("is named with what is wrong, from the first refusal until it works, and told once each", async () => {
    const { log, lines } = keeping();
    const driver = await openDriver(log);
    const broken = () => (driver.problems?.() ?? []).filter(({ kind }) => kind === "queue_broken");
    lines.length = 0;
    const before = Date.now();
    const end = await wrongType(redis.client, own).begin();
    for (let round = 0; round < 3; round += 1) {
      const writing = driver.enqueue("webhooks", [newJob("a")]);
      expect(writing).rejects.toBeInstanceOf(QueueBrokenError);
      await writing.catch(() => undefined);
      expect((await driver.enqueue("other", [newJob("b")]))[0]?.status).toBe("enqueued");
      const leasing = driver.lease("webhooks", wish());
      expect(leasing).rejects.toBeInstanceOf(DriverUnavailableError);
      await leasing.catch(() => undefined);
    }
    await until(() => broken()[0]?.detail.includes(own), { what: "the examination" });
    const [problem, ...others] = broken();
    expect(others).toEqual([]);
    expect([problem?.object, problem!.since >= before - 5]).toEqual(["webhooks", true]);
    expect(problem?.detail).toContain(`the key ${own} is a string where a list belongs`);
    await end();
    expect((await driver.enqueue("webhooks", [newJob("a")]))[0]?.status).toBe("enqueued");
    expect((await driver.lease("webhooks", wish())).length).toBe(1);
    expect(broken()).toEqual([]);
    expect(lines.filter((line) => line.startsWith("redis refuses"))).toHaveLength(1);
    expect(lines.filter((line) => line === "redis: the queue is broken")).toHaveLength(1);
    expect(lines.filter((line) => line === "redis: the queue works again")).toHaveLength(1);
    await driver.close();
  });

  test("is named with the command that the user may not run", async () => {
    const driver = await openDriver();
    await redis.client.call("ACL", "SETUSER", "worker", "-rpush", "-zpopmax");
    await driver.enqueue("webhooks", [newJob("a")]).catch(() => undefined);
    const told = (): string => driver.problems?.().find(({ kind }) => kind === "queue_broken")?.detail ?? "";
    await until(() => told().includes("the Redis user may not run RPUSH, ZPOPMAX"), { what: "the commands" });
    await driver.close();
  });

  test("counts what can be counted", async () => {
    const driver = await openDriver();
    await driver.enqueue("webhooks", [newJob("a"), newJob("late", "x", { delayMs: 60_000 })]);
    await redis.client.sadd(all[10]!, "x");
    await redis.client.set(all[7]!, "x");
    expect(await driver.stats("webhooks")).toMatchObject({
      ready: 1,
      delayed: 1,
      leased: 0,
      parked: null,
      dead: null,
    });
    await driver.close();
  });

  test("works again without a call, where the one that was refused is not repeated", async () => {
    const clock = { now: () => 1_000, monotonic: () => at };
    let at = 0;
    let found: string | null = "a key is wrong";
    const { log, lines } = keeping();
    const trouble = createQueueTrouble({ queue: "q", clock, log, examine: () => Promise.resolve(found) });
    trouble.failed("redriving", new DriverUnavailableError("away"));
    expect(trouble.findings()).toEqual([]);
    trouble.failed("redriving", new QueueBrokenError("refused"));
    trouble.worked("leasing");
    await until(() => trouble.findings()[0]?.detail === "a key is wrong (refused)", {
      what: "what is wrong",
    });
    // Long ago, and still wrong.
    at = 60_000;
    expect(trouble.findings()).toHaveLength(1);
    found = null;
    await until(() => trouble.findings().length === 0, { what: "the end" });
    expect(lines.at(-1)).toBe("redis: the queue works again");
    trouble.close();
  });

  test("is not taken for broken by one refusal that has an end of its own", async () => {
    const { log, lines } = keeping();
    const trouble = createQueueTrouble({
      queue: "q",
      clock: systemClock,
      log,
      examine: () => Promise.resolve(null),
    });
    trouble.failed("settling", new QueueBrokenError("refused"));
    trouble.worked("settling");
    expect(trouble.findings()).toEqual([]);
    expect(lines).toEqual([
      "redis refuses what this queue needs; trying again until it works",
      "redis: the queue works again",
    ]);
    trouble.close();
  });
});

describe("a call that is done in part", () => {
  test("of settlements is asked for again whole: each takes effect once, none is lost", async () => {
    const driver = await openDriver();
    const jobs = Array.from({ length: 1_200 }, (_, index) => newJob(`job-${index}`));
    await driver.enqueue("webhooks", jobs);
    const leases = [];
    while (leases.length < 1_200) leases.push(...(await driver.lease("webhooks", wish({ max: 500 }))));
    const settlements = leases.map((lease, index): Settlement => {
      if (index % 3 === 0) return { verb: "ack", lease };
      if (index % 3 === 1) return { verb: "park", key: "k", lease };
      return { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true, lease };
    });
    const end = await wrongType(redis.client, dead).begin();
    for (let round = 0; round < 2; round += 1) {
      await expect(driver.settle(settlements)).rejects.toBeInstanceOf(QueueBrokenError);
      expect(await driver.stats("webhooks")).toMatchObject({ leased: 400, parked: 400, dead: null });
    }
    await end();
    await redis.client.script("FLUSH");
    const results = await driver.settle(settlements);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["settled"]));
    expect(await driver.stats("webhooks")).toMatchObject({ ready: 0, leased: 0, parked: 400, dead: 400 });
    // Now it is over: the same again is lost.
    const [again] = await driver.settle(settlements.slice(0, 1));
    expect(again?.status).toBe("lost");
    await driver.close();
  }, 240_000);

  test("of an enqueue says of each job whether it is there", async () => {
    await using proxy = await startTcpProxy(redis.port);
    const driver = redisDriver(proxy.port, { requestTimeoutMs: 500 });
    await openInTheEnd(driver);
    let calls = 0;
    proxy.onRequest = (chunk) => (chunk.includes("job-500") && (calls += 1) === 1 ? "cut" : "pass");
    const jobs = Array.from({ length: 1_200 }, (_, index) => newJob(`job-${index}`));
    const results = await driver.enqueue("webhooks", jobs);
    const statuses = results.map(({ status }) => status);
    expect(statuses.slice(0, 500).every((status) => status === "enqueued")).toBe(true);
    expect(statuses.slice(500).every((status) => status === "failed")).toBe(true);
    expect(await redis.client.llen(own)).toBe(500);
    await driver.close();
  });

  test("of an enqueue to two lists tells the jobs of one from those of the other", async () => {
    const driver = redisDriver(redis.port, {
      encodeForSockudo: (job) => (job.id.startsWith("theirs") ? "{}" : null),
    });
    await driver.open(opened);
    const end = await wrongType(redis.client, all[0] as string).begin();
    const job = (id: string) => newJob(id, "{}", { dedup: { key: id, fingerprint: "f" } });
    const some = [job("mine"), job("theirs"), job("theirs"), { ...job("late"), delayMs: 60_000 }];
    const results = await driver.enqueue("webhooks", some);
    expect(results.map(({ status }) => status)).toEqual(["enqueued", "failed", "failed", "enqueued"]);
    await end();
    expect((await driver.enqueue("webhooks", some)).map(({ status }) => status)).toEqual([
      "duplicate",
      "enqueued",
      "duplicate",
      "duplicate",
    ]);
    expect(await driver.stats("webhooks")).toMatchObject({ ready: 2, delayed: 1 });
    await driver.close();
  });
});
