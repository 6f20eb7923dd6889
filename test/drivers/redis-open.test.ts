import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, DriverUnavailableError } from "../../src/errors.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { certificates } from "../support/certificates.ts";
import { clusterOf, freshPrefix, newJob, redisDriver, warningLogger, wish } from "../support/redis-driver.ts";
import { freePort, startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;
let plain: RedisProcess;
let cluster: RedisProcess;

beforeAll(async () => {
  [plain, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});
afterAll(async () => {
  await Promise.all([plain.stop(), cluster.stop()]);
});

/** Opens a driver and gives what it throws; fails when it throws nothing. */
async function openingError(port: number, options: Partial<RedisDriverOptions>): Promise<Error> {
  const driver = redisDriver(port, { prefix: freshPrefix(), requestTimeoutMs: 1_000, ...options });
  try {
    await driver.open(opened);
  } catch (error) {
    return error as Error;
  } finally {
    await driver.close();
  }
  throw new Error("the driver opened");
}

/** A job goes in and out again. */
async function expectWorking(port: number, options: Partial<RedisDriverOptions>): Promise<void> {
  const driver = redisDriver(port, { prefix: freshPrefix(), ...options });
  await driver.open(opened);
  await driver.enqueue("webhooks", [newJob("a")]);
  const [lease] = await driver.lease("webhooks", wish({ waitMs: 1_000 }));
  expect(lease?.job.id).toBe("a");
  await driver.settle([{ verb: "ack", lease: lease! }]);
  await driver.close();
}

describe("what opening a redis driver refuses", () => {
  test("a wrong password", async () => {
    await using redis = await startRedis({ args: ["--requirepass", "right"], client: { password: "right" } });
    const wrong = await openingError(redis.port, { password: "wrong" });
    expect(wrong).toBeInstanceOf(ConfigError);
    expect(wrong.message).toBe("database.redis: Redis refuses the username or password");
    const none = await openingError(redis.port, {});
    expect(none).toBeInstanceOf(ConfigError);
    expect(none.message).toBe("database.redis: Redis asks for a password, and none is configured");
    await expectWorking(redis.port, { password: "right" });
  });

  test("a database that is not there", async () => {
    const error = await openingError(plain.port, { db: 99 });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe("database.redis: Redis has no database of that number");
    await expectWorking(plain.port, { db: 3 });
  });

  test("a cluster with a database number, and a prefix with a lone brace", async () => {
    const numbered = await openingError(cluster.port, { ...clusterOf(cluster.port), db: 1 });
    expect(numbered).toBeInstanceOf(ConfigError);
    expect(numbered.message).toContain("database 0 only");
    for (const prefix of ["a{b:", "a}b:", "{}a:", "}{:"]) {
      const error = await openingError(plain.port, { prefix });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain("lone brace");
    }
    await expectWorking(cluster.port, { ...clusterOf(cluster.port), prefix: "{mine}:" });
  });

  // Finding: a user without the right to run scripts started as ready, and every call said that Redis is away.
  test("a user who may not do what is needed, naming the command and the rights", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const access = { username: "poor", password: "secret", prefix };
    const keysOf = `~${prefix}* ~{${prefix}*`;
    const least =
      "+@read +@write +@scripting +@blocking +@connection +@pubsub +info +time -@dangerous +info -keys";
    for (const [rules, refusal] of [
      [`${keysOf} ${least} -eval`, "run EVAL "],
      [`${keysOf} ${least} -evalsha`, "run EVALSHA "],
      [`${keysOf} ${least} -time`, "run TIME "],
      [`${keysOf} ${least} -del`, "run DEL "],
      [`${keysOf} ${least} -zadd -hmget`, "run ZADD, HMGET "],
      [`${keysOf} ${least} -blmove`, "run BLMOVE "],
      [`${keysOf} ${least} -type`, "run TYPE "],
      [`~${prefix}* ${least}`, `use the keys of ${prefix}queue:webhooks `],
      [`~other* ${least}`, `use the keys of ${prefix}queue:webhooks `],
      [least, `use the keys of ${prefix}queue:webhooks `],
    ] as const) {
      await redis.client.call("ACL", "SETUSER", "poor", "reset", "on", ">secret", ...rules.split(" "));
      const error = await openingError(redis.port, access);
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toStartWith(`database.redis: the Redis user may not ${refusal}(NOPERM)`);
      expect(error.message).toContain(`~${prefix}* ~{${prefix}* &{${prefix}* +@read +@write +@scripting`);
      expect(await redis.client.dbsize()).toBe(0);
    }
    // What the message says to grant is enough.
    const error = await openingError(redis.port, access);
    const granted = error.message.slice(error.message.indexOf("~")).split(" ");
    await redis.client.call("ACL", "SETUSER", "poor", "reset", "on", ">secret", ...granted);
    await expectWorking(redis.port, access);
  });

  test("a replica is waited for, not refused for good", async () => {
    await using replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(plain.port)] });
    await until(async () => (await replica.client.info("replication")).includes("master_link_status:up"), {
      what: "the replica",
    });
    const error = await openingError(replica.port, {});
    expect(error).toBeInstanceOf(DriverUnavailableError);
    expect(error.message).toContain("is a replica");
  });

  test("nobody there, and a port that answers nothing", async () => {
    expect(await openingError(await freePort(), {})).toBeInstanceOf(DriverUnavailableError);
    expect(await openingError(await freePort(), clusterOf(await freePort()))).toBeInstanceOf(
      DriverUnavailableError,
    );
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const started = performance.now();
    expect(await openingError(silent.port, { requestTimeoutMs: 300 })).toBeInstanceOf(DriverUnavailableError);
    expect(performance.now() - started).toBeLessThan(20_000);
    silent.stop(true);
  });
});

describe("ways to connect", () => {
  test("TLS with a CA, a client certificate and an ACL user of the least rights", async () => {
    const { ca, server, client, selfSigned } = certificates();
    const folder = mkdtempSync(join(tmpdir(), "hookline-redis-tls-"));
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const tlsPort = await freePort();
    const prefix = freshPrefix();
    const tls = { ca, cert: client.cert, key: client.key };
    const rules = [
      `user hookline on >secret ~${prefix}* ~{${prefix}* &{${prefix}*`,
      "+@read +@write +@scripting +@blocking +@connection +@pubsub +info +time -@dangerous +info -keys",
    ].join(" ");
    await using redis = await startRedis({
      args: `--tls-port ${tlsPort} --tls-cert-file ${file("cert", server.cert)} --tls-key-file ${file("key", server.key)} --tls-ca-cert-file ${file("ca", ca)}`.split(
        " ",
      ),
    });
    await redis.client.call("ACL", ...`SETUSER ${rules.slice(5)}`.split(" "));
    const access = { username: "hookline", password: "secret", tls, prefix };
    await expectWorking(tlsPort, access);

    const stranger = await openingError(tlsPort, { ...access, tls: { ...tls, ca: selfSigned.cert } });
    expect(stranger).toBeInstanceOf(ConfigError);
    expect(stranger.message).toContain("certificate");
    expect(await openingError(tlsPort, { ...access, tls: { ca } })).toBeInstanceOf(Error);

    // The wait, the wake-up and the pause need rights of their own.
    const driver = redisDriver(tlsPort, access);
    const { log, warnings } = warningLogger();
    const other = redisDriver(tlsPort, access, { log });
    await driver.open(opened);
    await other.open(opened);
    const pushed = driver.lease("webhooks", wish({ waitMs: 5_000 }));
    await redis.client.rpush(`${prefix}queue:webhooks`, "{}");
    expect((await pushed).length).toBe(1);
    const own = driver.lease("webhooks", wish({ waitMs: 5_000 }));
    await other.enqueue("webhooks", [newJob("b")]);
    expect((await own).length).toBe(1);
    await other.pause("webhooks");
    expect(await driver.lease("webhooks", wish({ waitMs: 50 }))).toEqual([]);
    expect(warnings.map(({ message }) => message).filter((message) => message.includes("refuses"))).toEqual(
      [],
    );
    await Promise.all([driver.close(), other.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("without the right to subscribe, wake-ups and pauses are polled for, and that is said", async () => {
    await using redis = await startRedis();
    await redis.client.call("ACL", ..."SETUSER quiet on >secret ~* resetchannels +@all".split(" "));
    const { log, warnings } = warningLogger();
    const driver = redisDriver(redis.port, { username: "quiet", password: "secret" }, { log });
    await driver.open(opened);
    const waiting = driver.lease("webhooks", wish({ waitMs: 8_000 }));
    await driver.enqueue("webhooks", [newJob("a")]);
    expect((await waiting).map(({ job }) => job.id)).toEqual(["a"]);
    await until(() => warnings.some(({ message }) => message.includes("refuses subscriptions")), {
      what: "the warning",
    });
    await driver.close();
  });

  test("wait_replicas holds an enqueue until a replica has it, and fails when none does", async () => {
    const prefix = freshPrefix();
    const options = { waitReplicas: 1, prefix, requestTimeoutMs: 1_500 };
    await using master = await startRedis();
    const alone = redisDriver(master.port, options);
    await alone.open(opened);
    const refused = await alone.enqueue("webhooks", [newJob("a")]).catch((error: unknown) => String(error));
    expect(refused).toContain("only 0 of 1 replicas");
    await using replica = await startRedis({
      args: ["--replicaof", "127.0.0.1", String(master.port)],
    });
    await until(async () => (await replica.client.info("replication")).includes("master_link_status:up"), {
      what: "the replica",
      timeoutMs: 90_000,
    });
    // A link that is up is not enough: the master counts a replica from its first acknowledgement on, and a
    // replica sends those of its own accord once a second only.
    const counts = async (): Promise<boolean> => {
      await master.client.set("probe", "1");
      return Number(await master.client.call("WAIT", "1", "1000")) === 1;
    };
    await until(counts, { what: "the master to count its replica", timeoutMs: 90_000 });
    const before = await replica.client.llen(`{${prefix}queue:webhooks}:own`);
    expect((await alone.enqueue("webhooks", [newJob("b")]))[0]?.status).toBe("enqueued");
    expect(await replica.client.llen(`{${prefix}queue:webhooks}:own`)).toBe(before + 1);
    await alone.close();
  }, 120_000);
});

describe("what opening a redis driver warns of", () => {
  async function warningsOf(
    redis: RedisProcess,
    options: Partial<RedisDriverOptions> = {},
  ): Promise<string[]> {
    const { log, warnings } = warningLogger();
    const driver = redisDriver(redis.port, { queues: ["webhooks"], ...options }, { log });
    await driver.open(opened);
    await driver.close();
    return warnings.map(({ message }) => message);
  }

  test("jobs that lie where hookline does not read", async () => {
    await using redis = await startRedis({ aof: true });
    const all: readonly (readonly [string, string])[] = [
      ["sockudo_queue::queue:webhooks", "other spelling; set the prefix to sockudo_queue::"],
      ["sockudo_queue:v2:{webhooks}:wait", "Sockudo v5"],
      [":client_event_webhooks:wait", "BullMQ"],
      ["bull:webhooks:wait", "BullMQ"],
    ];
    for (const [key, words] of all) {
      await redis.client.rpush(key, "x");
      expect(await warningsOf(redis)).toEqual([expect.stringMatching(new RegExp(words))]);
      // Where the ready list holds jobs, hookline is at the right place.
      await redis.client.rpush("sockudo_queue:queue:webhooks", "{}");
      expect(await warningsOf(redis)).toEqual([]);
      await redis.client.flushall();
    }
    await redis.client.rpush("sockudo_queue:queue:webhooks", "x");
    expect(await warningsOf(redis, { prefix: "sockudo_queue::" })).toEqual([
      expect.stringContaining("set the prefix to sockudo_queue:"),
    ]);
  });

  test("a server without BLMOVE", async () => {
    await using redis = await startRedis({ aof: true });
    expect(await warningsOf(redis, { serverVersion: "6.0.16" })).toEqual([
      expect.stringContaining("before 6.2"),
    ]);
    expect(await warningsOf(redis, { serverVersion: "6.2.0" })).toEqual([]);
  });
});

test("eight queues are opened in a few round trips, and wait for no block to end", async () => {
  await using proxy = await startTcpProxy(plain.port);
  proxy.delayMs = 50;
  const queues = Array.from({ length: 8 }, (_, index) => `queue-${index}`);
  const driver = redisDriver(proxy.port, { prefix: freshPrefix(), queues });
  const startedAt = performance.now();
  await driver.open(opened);
  const trips = (performance.now() - startedAt) / 100;
  await driver.close();
  // One queue after another took 60.
  expect(trips).toBeLessThan(25);
}, 60_000);
