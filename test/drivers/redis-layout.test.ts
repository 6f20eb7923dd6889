import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { hashTagProblem, queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import { readBody, readRecord } from "../../src/queue/drivers/redis/record.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import { replyCode, translateError } from "../../src/queue/drivers/redis/errors.ts";
import { hasBlockingMove } from "../../src/queue/drivers/redis/facts.ts";
import { countEvents, freshPrefix, newJob, redisDriver, wish } from "../support/redis-driver.ts";
import { leftKeys } from "../support/redis-load.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { Redis, ReplyError } from "ioredis";

const opened = new AbortController().signal;
let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function openDriver(overrides: Parameters<typeof redisDriver>[1] = {}) {
  await redis.client.flushall();
  const driver = redisDriver(redis.port, overrides);
  await driver.open(opened);
  return driver;
}

describe("redis keys", () => {
  test("the ready list is the producers' own; helper keys wrap it as a hash tag, or keep its own", () => {
    expect(queueKeys("sockudo_queue:", "webhooks")).toMatchObject({
      ready: "sockudo_queue:queue:webhooks",
      claimed: "{sockudo_queue:queue:webhooks}:claimed",
    });
    expect(queueKeys("sockudo_queue::", "webhooks").ready).toBe("sockudo_queue::queue:webhooks");
    expect(queueKeys("{mine}:", "webhooks").claimed).toBe("{mine}:queue:webhooks:claimed");
  });

  test("a lone brace is refused, a complete tag is not", () => {
    for (const prefix of ["", "a:", "{a}", "x{a}y:", "{a}{", "{a}}"])
      expect(hashTagProblem(prefix)).toBeNull();
    for (const prefix of ["{", "}", "{}", "a{}b", "}a{", "{a"])
      expect(hashTagProblem(prefix)).toContain("lone brace");
  });

  test("every key of a queue is in the ready list's slot, whatever the prefix", async () => {
    await using cluster = await startRedis({ args: ["--cluster-enabled", "yes"] });
    for (const prefix of ["sockudo_queue:", "sockudo_queue::", "{mine}:", "a{b}c:"]) {
      const { all } = queueKeys(prefix, "webhooks");
      const slots = await Promise.all(all.map((key) => cluster.client.cluster("KEYSLOT", key)));
      expect(new Set(slots).size).toBe(1);
    }
  });
});

describe("redis records and replies", () => {
  // Finding: while a cluster hung, an enqueue was answered with advice about an option of the client library.
  test("a connection lost under a command is told in plain words, whatever the client library says", async () => {
    const mute = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    const client = new Redis(mute.port, {
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
      retryStrategy: () => 10_000,
    });
    client.on("error", () => undefined);
    const failure: unknown = await client.get("key").catch((error: unknown) => error);
    client.disconnect();
    mute.stop(true);
    expect(String(failure)).toContain("max retries per request");
    const told = translateError(failure, "enqueueing");
    expect(told).toBeInstanceOf(DriverUnavailableError);
    expect(told.message).toBe("redis: enqueueing: the connection was lost before the answer came");
  });

  test("bytes that are no record become a job with these bytes", () => {
    expect(readRecord(Buffer.from("no line feed"), "t")).toEqual({
      id: "t",
      attempts: 0,
      enqueuedAt: null,
      body: "no line feed",
    });
    expect(readRecord(Buffer.from("a b\nbody"), "t").body).toBe("a b\nbody");
    expect(readRecord(Buffer.from("u 2 1700000000000 id\n{}\n"), "t")).toEqual({
      id: "id",
      attempts: 2,
      enqueuedAt: 1_700_000_000_000,
      body: "{}\n",
    });
  });

  test("a byte order mark stays, and bytes that are not UTF-8 stay bytes", () => {
    expect(readBody(Buffer.from([0xef, 0xbb, 0xbf, 0x61]))).toBe("\ufeffa");
    expect(readBody(Buffer.from([0xed, 0xa0, 0x80]))).toEqual(Uint8Array.of(0xed, 0xa0, 0x80));
  });

  test("a reply's code is its first word, also inside a script's error on Redis 6", () => {
    expect(replyCode(new ReplyError("OOM command not allowed"))).toBe("OOM");
    const wrapped =
      "ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -OOM command not allowed";
    expect(replyCode(new ReplyError(wrapped))).toBe("OOM");
    expect(replyCode(new ReplyError("ERR unknown command"))).toBe("ERR");
    expect(replyCode(new Error("OOM of our own"))).toBeNull();
  });

  test("BLMOVE is there from 6.2 on, and where the version is not told", () => {
    const versions = ["5.0.14", "6.0.16", "6.1.240", "6.2.0", "7.0.15", "8.10.1", null, "unknown"];
    expect(versions.map(hasBlockingMove)).toEqual([false, false, false, true, true, true, true, true]);
  });
});

describe("beside other workers", () => {
  test("what a producer pushed goes through without leaving a key behind", async () => {
    const driver = await openDriver();
    await redis.client.rpush("sockudo_queue:queue:webhooks", "1", "2", "3");
    const leases = await driver.lease("webhooks", wish());
    await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
    expect(await leftKeys(redis.client)).toEqual([]);
    await driver.close();
  });

  test("a job once leased, and one that hookline enqueued, never lie on the producers' list", async () => {
    const driver = await openDriver();
    await redis.client.rpush("sockudo_queue:queue:webhooks", "1", "2", "3", "4", "5");
    const [a, b, c, d] = await driver.lease("webhooks", wish({ max: 4 }));
    await driver.settle([
      { verb: "retry", delayMs: 0, lease: a! },
      { verb: "release", lease: b! },
      { verb: "park", key: "k", lease: c! },
      { verb: "replace", jobs: [{ id: "child", body: "child", endpoint: "e" }], lease: d! },
    ]);
    await driver.enqueue("webhooks", [newJob("own"), newJob("later", "x", { delayMs: 1 })]);
    const [e] = (await driver.lease("webhooks", wish())).slice(-1);
    await driver.settle([
      { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true, lease: e! },
    ]);
    await driver.redrive("webhooks", { max: 1 });
    expect(await redis.client.lrange("sockudo_queue:queue:webhooks", 0, -1)).toEqual([]);
    await driver.close();
  });

  test("own jobs and pushed ones take turns: neither list starves the other", async () => {
    const driver = await openDriver();
    await redis.client.rpush("sockudo_queue:queue:webhooks", ...Array.from({ length: 100 }, () => "pushed"));
    await driver.enqueue(
      "webhooks",
      Array.from({ length: 100 }, (_, index) => newJob(`o${index}`, "own")),
    );
    for (const max of [1, 3, 10]) {
      const bodies: unknown[] = [];
      for (let round = 0; round < 8; round += 1) {
        const leases = await driver.lease("webhooks", wish({ max }));
        bodies.push(...leases.map(({ job }) => job.body));
        await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
      }
      const own = bodies.filter((body) => body === "own").length;
      expect(own).toBeGreaterThanOrEqual(bodies.length * 0.4);
      expect(own).toBeLessThanOrEqual(bodies.length * 0.6);
    }
    await driver.close();
  });

  test("a job that a blocked process took and did not live to lease is leased by the next", async () => {
    const driver = await openDriver();
    await redis.client.rpush("{sockudo_queue:queue:webhooks}:claimed", '{"id":"orphan"}');
    const [lease] = await driver.lease("webhooks", wish());
    expect(lease?.job).toMatchObject({ body: '{"id":"orphan"}', attempts: 0 });
    await driver.close();
  });

  test("the id given at first lease survives crash, retry, release, park, death and redrive", async () => {
    const driver = await openDriver();
    await redis.client.rpush("sockudo_queue:queue:webhooks", "{}");
    const take = async (leaseMs = 60_000) => {
      const [lease] = await driver.lease("webhooks", wish({ leaseMs, waitMs: 2_000 }));
      return lease!;
    };
    const first = await take(60);
    const { id } = first.job;
    expect(id).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
    const ids: string[] = [];
    const again = await take();
    ids.push(again.job.id);
    await driver.settle([{ verb: "retry", delayMs: 1, lease: again }]);
    const third = await take();
    ids.push(third.job.id);
    await driver.settle([{ verb: "release", lease: third }]);
    const fourth = await take();
    ids.push(fourth.job.id);
    await driver.settle([{ verb: "park", key: "k", lease: fourth }]);
    const fifth = await take();
    ids.push(fifth.job.id);
    await driver.settle([
      { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true, lease: fifth },
    ]);
    await driver.redrive("webhooks", { max: 1 });
    ids.push((await take()).job.id);
    expect(ids).toEqual([id, id, id, id, id]);
    await driver.close();
  });

  test("write_for_sockudo puts own jobs on the producers' list in their form, others stay", async () => {
    const driver = await openDriver({
      encodeForSockudo: (job) => (job.id === "theirs" ? '{"app_secret":"s","job_id":"theirs"}' : null),
    });
    await driver.enqueue("webhooks", [
      newJob("theirs"),
      newJob("mine"),
      newJob("theirs", "x", { delayMs: 60_000 }),
    ]);
    expect(await redis.client.lrange("sockudo_queue:queue:webhooks", 0, -1)).toEqual([
      '{"app_secret":"s","job_id":"theirs"}',
    ]);
    expect(await redis.client.llen("{sockudo_queue:queue:webhooks}:own")).toBe(1);
    expect(await redis.client.zcard("{sockudo_queue:queue:webhooks}:delayed")).toBe(1);
    await driver.close();
  });

  test("close does not touch what lies in Redis, and takes this process off the waiters", async () => {
    const driver = await openDriver();
    await redis.client.rpush("sockudo_queue:queue:webhooks", "1", "2");
    await driver.lease("webhooks", wish({ max: 1 }));
    expect(await driver.lease("other", wish({ waitMs: 30 }))).toEqual([]);
    await driver.close();
    expect(await leftKeys(redis.client)).toEqual([
      "sockudo_queue:queue:webhooks",
      "{sockudo_queue:queue:webhooks}:leased",
      "{sockudo_queue:queue:webhooks}:leases",
    ]);
    expect(await redis.client.keys("*waiters")).toEqual([]);
  });
});

describe("redis stats and large things", () => {
  test("the oldest ready age comes from the payload's time, or the enqueue's", async () => {
    const driver = await openDriver();
    expect((await driver.stats("webhooks")).oldestReadyAgeMs).toBeNull();
    await redis.client.rpush("sockudo_queue:queue:webhooks", "no time");
    expect((await driver.stats("webhooks")).oldestReadyAgeMs).toBeNull();
    await driver.enqueue("webhooks", [newJob("a")]);
    expect((await driver.stats("webhooks")).oldestReadyAgeMs).toBeWithin(0, 5_000);
    await redis.client.lpush(
      "sockudo_queue:queue:webhooks",
      `{"payload":{"time_ms": ${Date.now() - 60_000},"events":[]}}`,
    );
    expect((await driver.stats("webhooks")).oldestReadyAgeMs).toBeWithin(59_000, 70_000);
    await driver.close();
  });

  test("a lease of large jobs stops at a few megabytes and goes on with the next call", async () => {
    const driver = await openDriver();
    const body = "x".repeat(300_000);
    for (let index = 0; index < 200; index += 1)
      await redis.client.rpush("sockudo_queue:queue:webhooks", body);
    const first = await driver.lease("webhooks", wish({ max: 200 }));
    expect(first.length).toBeLessThan(100);
    let rest = 0;
    while (rest < 200 - first.length) rest += (await driver.lease("webhooks", wish({ max: 200 }))).length;
    expect(rest + first.length).toBe(200);
    await driver.close();
  });

  test("thousands of jobs in one call: enqueue, lease, settle, redrive", async () => {
    const { counts, events } = countEvents();
    await redis.client.flushall();
    const driver = redisDriver(redis.port, { deadLetterRetention: 2_500 }, { events });
    await driver.open(opened);
    const jobs = Array.from({ length: 3_000 }, (_, index) => newJob(`j${index}`));
    const results = await driver.enqueue("webhooks", jobs);
    expect(results.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
    const leases = [];
    while (leases.length < 3_000) leases.push(...(await driver.lease("webhooks", wish({ max: 10_000 }))));
    expect(leases.map(({ job }) => job.id)).toEqual(jobs.map(({ id }) => id));
    expect(new Set(await driver.extend(leases, 60_000))).toEqual(new Set(["extended"]));
    const dead = { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true } as const;
    const settled = await driver.settle(leases.map((lease) => ({ ...dead, lease })));
    expect(new Set(settled.map(({ status }) => status))).toEqual(new Set(["settled"]));
    expect(counts.trimmed).toBe(500);
    expect(await driver.redrive("webhooks", { max: 10_000 })).toBe(2_500);
    expect(await driver.stats("webhooks")).toMatchObject({ ready: 2_500, dead: 0, leased: 0 });
    await driver.close();
  });

  test("a fan-out to a thousand endpoints is one step", async () => {
    const driver = await openDriver({ prefix: freshPrefix() });
    await driver.enqueue("webhooks", [newJob("parent")]);
    const [lease] = await driver.lease("webhooks", wish());
    const children = Array.from({ length: 2_500 }, (_, index) => ({
      id: `c${index}`,
      body: "c",
      endpoint: `e${index}`,
    }));
    expect(await driver.settle([{ verb: "replace", jobs: children, lease: lease! }])).toEqual([
      { status: "settled" },
    ]);
    expect((await driver.stats("webhooks")).ready).toBe(2_500);
    await driver.close();
  });
});
