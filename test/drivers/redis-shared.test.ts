import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ConfigError, DriverUnavailableError } from "../../src/errors.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import type { Logger } from "../../src/log.ts";
import { sharedKey } from "../../src/queue/drivers/redis/keys.ts";
import { clusterOf, freshPrefix, newJob, redisDriver, warningLogger, wish } from "../support/redis-driver.ts";
import { startCluster, startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { claimSharedState, witness } from "./shared-state-claims.ts";
import type { SharedProcess, Witness } from "./shared-state-claims.ts";

let single: RedisProcess;
let cluster: RedisProcess;

beforeAll(async () => {
  [single, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});
afterAll(async () => {
  await Promise.all([single.stop(), cluster.stop()]);
});

/** A driver as the claims see a process. */
function processOf(
  port: number,
  options: Partial<RedisDriverOptions>,
  log?: Logger,
): SharedProcess & { driver: QueueDriver } {
  const driver = redisDriver(port, options, log === undefined ? {} : { log });
  return {
    driver,
    shared: driver.shared!,
    open: () => driver.open(new AbortController().signal),
    close: () => driver.close(),
  };
}

claimSharedState("redis", () => {
  const prefix = freshPrefix();
  return () => processOf(single.port, { prefix });
});
claimSharedState("redis-cluster", () => {
  const prefix = freshPrefix();
  return () => processOf(cluster.port, { ...clusterOf(cluster.port), prefix });
});

/** Within two seconds, and what a busy machine needs. */
const soonMs = 3_000;

/** Two processes on one server, with a prefix of their own; `driver` is the other's. */
async function twoProcesses(
  port: number,
  options: Partial<RedisDriverOptions> = {},
): Promise<AsyncDisposable & { one: Witness; other: Witness; driver: QueueDriver; key: string }> {
  const all = { prefix: freshPrefix(), ...options };
  const one = await witness(processOf(port, all));
  const process = processOf(port, all);
  const other = await witness(process);
  return {
    one,
    other,
    driver: process.driver,
    key: sharedKey(all.prefix),
    async [Symbol.asyncDispose]() {
      await Promise.all([one.close(), other.close()]);
    },
  };
}

/** Clients that listen on the channel, as the server counts them. */
async function subscribers(redis: RedisProcess, channel: string): Promise<number> {
  return Number(((await redis.client.call("PUBSUB", "NUMSUB", channel)) as unknown[])[1]);
}

/** Waits for jobs until the signal, as a worker does. */
async function waitForJobs(driver: QueueDriver, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await driver.lease("webhooks", wish({ waitMs: 5_000, signal })).catch((error: unknown) => {
      if (!(error instanceof DriverUnavailableError)) throw error;
      return new Promise((resolve) => setTimeout(resolve, 100));
    });
  }
}

/** Sets until it has resolved: while the backend is away, setting it again is safe. */
async function setUntilThere(one: Witness, key: string, value: string | null): Promise<void> {
  await until(
    () =>
      one.shared.set(key, value).then(
        () => true,
        (error: unknown) => {
          if (error instanceof DriverUnavailableError) return false;
          throw error;
        },
      ),
    { what: `${key} to be set`, timeoutMs: 30_000, everyMs: 20 },
  );
}

describe("the key of what processes share", () => {
  test("stands under the prefix, in one slot, apart from every queue's keys", () => {
    expect(sharedKey("sockudo_queue:")).toBe("{sockudo_queue:hookline}:shared");
    expect(sharedKey("{mine}:")).toBe("{mine}:hookline:shared");
    expect(sharedKey("")).toBe("{hookline}:shared");
  });

  test("is gone when nothing is shared, and prefixes do not see each other", async () => {
    await using here = await twoProcesses(single.port);
    await using there = await twoProcesses(single.port);
    await here.one.shared.set("a", "1");
    await here.other.untilSees({ a: "1" });
    expect([await single.client.exists(here.key), await single.client.exists(there.key)]).toEqual([1, 0]);
    expect(Object.fromEntries(await there.one.shared.all())).toEqual({});
    await here.other.shared.set("a", null);
    expect(await single.client.exists(here.key)).toBe(0);
  });

  test("a prefix with a hash tag of its own keeps it, on a cluster too", async () => {
    await using both = await twoProcesses(cluster.port, { ...clusterOf(cluster.port), prefix: "{tagged}:" });
    await both.one.shared.set("a", "1");
    await both.other.untilSees({ a: "1" });
    expect(await cluster.client.hgetall("{tagged}:hookline:shared")).toEqual({ a: "1" });
  });

  test("that holds something else ends the start", async () => {
    const prefix = freshPrefix();
    await single.client.set(sharedKey(prefix), "text");
    const process = processOf(single.port, { prefix });
    const error = await process.open().then(
      () => null,
      (problem: unknown) => problem,
    );
    await process.close();
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain(`${sharedKey(prefix)} holds something other than hookline's hash`);
  });
});

describe("a change is seen within two seconds", () => {
  test("though the listening connections were cut in the moment it was made", async () => {
    await using both = await twoProcesses(single.port);
    await until(async () => (await subscribers(single, both.key)) === 2, { what: "both to listen" });
    for (let n = 1; n <= 5; n += 1) {
      await single.client.call("CLIENT", "KILL", "TYPE", "pubsub");
      await both.one.shared.set("n", String(n));
      for (const each of [both.one, both.other]) await each.untilSees({ n: String(n) }, soonMs);
    }
  });

  test("though every connection was cut", async () => {
    await using both = await twoProcesses(single.port);
    for (let n = 1; n <= 3; n += 1) {
      await until(async () => (await subscribers(single, both.key)) === 2, { what: "both to listen" });
      await single.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await setUntilThere(both.one, "n", String(n));
      for (const each of [both.one, both.other]) await each.untilSees({ n: String(n) }, soonMs);
    }
  });

  test("though the right to subscribe was taken away meanwhile", async () => {
    await using redis = await startRedis();
    const grant = (...rules: string[]) =>
      redis.client.call("ACL", "SETUSER", "one", "on", ">secret", "~*", "+@all", ...rules);
    await grant("allchannels");
    await using both = await twoProcesses(redis.port, { username: "one", password: "secret" });
    await until(async () => (await subscribers(redis, both.key)) === 2, { what: "both to listen" });
    await grant("resetchannels");
    await both.one.shared.set("a", "1");
    await both.other.untilSees({ a: "1" }, soonMs);
    expect(await subscribers(redis, both.key)).toBe(0);
  });

  test("after Redis was killed and started again, and what was set before is still there", async () => {
    await using redis = await startRedis({ aof: true });
    await using both = await twoProcesses(redis.port, { requestTimeoutMs: 1_000 });
    await both.one.shared.set("before", "1");
    await both.other.untilSees({ before: "1" });
    await redis.kill();
    expect(await both.one.shared.set("lost", "1").catch((error: unknown) => error)).toBeInstanceOf(
      DriverUnavailableError,
    );
    expect(await both.one.shared.all().catch((error: unknown) => error)).toBeInstanceOf(
      DriverUnavailableError,
    );
    await redis.restart();
    await setUntilThere(both.one, "after", "2");
    await both.other.untilSees({ before: "1", after: "2" }, soonMs);
  }, 30_000);

  test("after Redis hung for longer than the timeout", async () => {
    await using redis = await startRedis();
    await using both = await twoProcesses(redis.port, { requestTimeoutMs: 500 });
    redis.signal("SIGSTOP");
    expect(await both.one.shared.set("a", "1").catch((error: unknown) => error)).toBeInstanceOf(
      DriverUnavailableError,
    );
    redis.signal("SIGCONT");
    await setUntilThere(both.one, "a", "2");
    await both.other.untilSees({ a: "2" }, soonMs);
  }, 30_000);

  test("after a failover to the replica: of a master that dies, and of one that hangs", async () => {
    await using nodes = await startCluster({ replicas: true });
    const replicas = nodes.nodes.filter((node) => !nodes.masters.includes(node));
    const seeds = clusterOf(...nodes.masters.map(({ port }) => port));
    const worlds = new Map<RedisProcess, string>();
    for (const tag of "abcdefghij") {
      const prefix = `{${tag}}:`;
      worlds.set(await nodes.masterOf(sharedKey(prefix)), prefix);
    }
    const [first, second] = [...worlds] as [[RedisProcess, string], [RedisProcess, string]];
    const failOver = async (
      [master, prefix]: [RedisProcess, string],
      strike: () => unknown,
      timeoutMs: number,
      consumes: boolean,
    ): Promise<void> => {
      const options = { ...seeds, requestTimeoutMs: 1_000, prefix };
      await using both = await twoProcesses(0, options);
      const ended = new AbortController();
      const consuming = consumes ? waitForJobs(both.driver, ended.signal) : null;
      await both.one.shared.set("before", "1");
      await both.other.untilSees({ before: "1" });
      await until(async () => (await master.client.wait(1, 500)) >= 1, { what: "the replica to have it" });
      await strike();
      await setUntilThere(both.one, "after", "2");
      await both.other.untilSees({ before: "1", after: "2" }, timeoutMs);
      const counts = (): Promise<number[]> =>
        Promise.all(replicas.map((replica) => subscribers(replica, both.key)));
      // Heard at the new master: no poll is needed any more.
      await until(async () => (await counts()).includes(2), {
        what: "both to listen at its successor",
        timeoutMs: 15_000,
      });
      ended.abort();
      await consuming;
    };
    await failOver(first, () => first[0].kill(), soonMs, false);
    // Its connections stay: that it hangs is noticed by what is sent there, which here is the wait for jobs.
    await failOver(second, () => second[0].signal("SIGSTOP"), 15_000, true);
  }, 60_000);
});

test("with Sentinels, a change at the successor of a master that hangs is seen", async () => {
  await using master = await startRedis();
  await using replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  await until(async () => (await replica.client.info("replication")).includes("master_link_status:up"), {
    what: "the replica",
    timeoutMs: 15_000,
  });
  await using sentinel = await startRedis({
    sentinel: true,
    args: [
      `sentinel monitor mine 127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds mine 500",
      "sentinel failover-timeout mine 3000",
    ],
  });
  await until(
    async () => ((await sentinel.client.call("SENTINEL", "REPLICAS", "mine")) as unknown[]).length === 1,
    { what: "the Sentinel to know the replica", timeoutMs: 20_000 },
  );
  await using both = await twoProcesses(0, {
    requestTimeoutMs: 500,
    target: {
      mode: "sentinel",
      sentinels: [{ host: "127.0.0.1", port: sentinel.port }],
      masterName: "mine",
      sentinelPassword: null,
    },
  });
  await until(async () => (await subscribers(master, both.key)) === 2, { what: "both to listen" });
  // Stays so until the end: the connections that listen there are never closed from its side.
  master.signal("SIGSTOP");
  await until(async () => (await replica.client.info("replication")).includes("role:master"), {
    what: "the failover",
    timeoutMs: 20_000,
  });
  await setUntilThere(both.one, "a", "1");
  await both.other.untilSees({ a: "1" }, 10_000);
  await until(async () => (await subscribers(replica, both.key)) === 2, {
    what: "both to listen at its successor",
    timeoutMs: 15_000,
  });
}, 60_000);

describe("what a Redis user may", () => {
  const least = "+@read +@write +@scripting +@blocking +@connection +@pubsub +info +time".split(" ");

  test("without the right to subscribe or publish, changes are polled for, and it is said", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    await redis.client.call(
      "ACL",
      ...`SETUSER poor on >secret ~${prefix}* ~{${prefix}* resetchannels`.split(" "),
      ...least,
    );
    const access = { prefix, username: "poor", password: "secret" };
    const { log, warnings } = warningLogger();
    await using one = await witness(processOf(redis.port, access, log));
    await using other = await witness(processOf(redis.port, access));
    for (const value of ["1", "2", null]) {
      await one.shared.set("a", value);
      for (const each of [one, other]) await each.untilSees(value === null ? {} : { a: value }, soonMs);
    }
    expect(warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("may not PUBLISH: modes of endpoints are polled for"),
    );
  });

  test("a user who may subscribe and not publish does not wait for messages that nobody may send", async () => {
    await using redis = await startRedis();
    await redis.client.call("ACL", ..."SETUSER mute on >secret allchannels ~* +@all -publish".split(" "));
    await using both = await twoProcesses(redis.port, { username: "mute", password: "secret" });
    await until(async () => (await subscribers(redis, both.key)) === 2, { what: "both to listen" });
    for (const n of ["1", "2"]) {
      await both.one.shared.set("n", n);
      await both.other.untilSees({ n }, soonMs);
    }
  });

  test("the rights that the start asks for cover it: patterns, and the commands", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const access = { prefix, username: "poor", password: "secret" };
    const rulesOf = (keys: string, ...more: string[]) =>
      redis.client.call(
        "ACL",
        ...`SETUSER poor reset on >secret ${keys} &{${prefix}*`.split(" "),
        ...least,
        ...more,
      );
    const refusal = async (): Promise<string> => {
      const process = processOf(redis.port, access);
      const error = await process.open().then(
        () => null,
        (problem: unknown) => problem,
      );
      await process.close();
      expect(error).toBeInstanceOf(ConfigError);
      return String(error);
    };
    // Rights to the queues' keys alone.
    await rulesOf(`~${prefix}queue:* ~{${prefix}queue:*`);
    const message = await refusal();
    expect(message).toContain(`may not use the keys of ${sharedKey(prefix)} (NOPERM)`);
    expect(message).toContain(`~${prefix}* ~{${prefix}* &{${prefix}* +@read +@write`);
    await rulesOf(`~${prefix}* ~{${prefix}*`, "-hgetall");
    expect(await refusal()).toContain("may not run HGETALL (NOPERM)");
    await rulesOf(`~${prefix}* ~{${prefix}*`);
    await using one = await witness(processOf(redis.port, access));
    await using other = await witness(processOf(redis.port, access));
    await until(async () => (await subscribers(redis, sharedKey(prefix))) === 2, { what: "both to listen" });
    await one.shared.set("a", "1");
    await other.untilSees({ a: "1" });
  });

  test("one channel that is refused does not silence the queues' channels", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    await redis.client.call(
      "ACL",
      ...`SETUSER half on >secret ~* resetchannels &{${prefix}queue:* +@all`.split(" "),
    );
    const driver = redisDriver(redis.port, { prefix, username: "half", password: "secret" });
    driver.shared?.onChange(() => undefined);
    await driver.open(new AbortController().signal);
    for (let round = 0; round < 2; round += 1) {
      const started = performance.now();
      const waiting = driver.lease("webhooks", wish({ waitMs: 5_000 }));
      await until(async () => (await subscribers(redis, `{${prefix}queue:webhooks}:paused`)) === 1, {
        what: "the queue's channel to be heard",
      });
      await driver.enqueue("webhooks", [newJob(`j${round}`)]);
      expect(await waiting).toHaveLength(1);
      expect(performance.now() - started).toBeLessThan(3_000);
      // The same after a reconnection, which subscribes to all of them anew.
      await redis.client.call("CLIENT", "KILL", "TYPE", "pubsub");
    }
    await driver.close();
  });
});

describe("faults of the backend", () => {
  test("with memory full, values are set and removed all the same", async () => {
    await using redis = await startRedis();
    await using both = await twoProcesses(redis.port);
    await redis.client.set("ballast", "x".repeat(3_000_000));
    await redis.client.config("SET", "maxmemory", "1mb");
    expect(await redis.client.set("more", "x").catch((error: unknown) => String(error))).toContain("OOM");
    await both.one.shared.set("a", "paused");
    await both.other.untilSees({ a: "paused" });
    await both.other.shared.set("a", null);
    await both.one.untilSees({});
  });

  test("SCRIPT FLUSH is not noticed", async () => {
    await using both = await twoProcesses(single.port);
    for (const n of ["1", "2"]) {
      await single.client.script("FLUSH");
      await both.one.shared.set("n", n);
      await both.other.untilSees({ n });
    }
  });

  test("what Redis has forgotten is forgotten here", async () => {
    await using redis = await startRedis();
    await using both = await twoProcesses(redis.port);
    await both.one.shared.set("a", "1");
    await both.other.untilSees({ a: "1" });
    await redis.kill();
    await redis.restart();
    for (const each of [both.one, both.other]) await each.untilSees({}, 10_000);
  }, 20_000);
});
