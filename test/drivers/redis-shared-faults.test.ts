import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import { sharedKey } from "../../src/queue/drivers/redis/keys.ts";
import { clusterOf } from "../support/redis-driver.ts";
import { startCluster, startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { setUntilThere, soonMs, subscribers, twoProcesses, waitForJobs } from "./redis-shared-processes.ts";

let single: RedisProcess;

beforeAll(async () => {
  single = await startRedis();
});
afterAll(() => single.stop());

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
  }, 120_000);

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
  }, 120_000);

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
        timeoutMs: 90_000,
      });
      ended.abort();
      await consuming;
    };
    await failOver(first, () => first[0].kill(), soonMs, false);
    // Its connections stay: that it hangs is noticed by what is sent there, which here is the wait for jobs.
    await failOver(second, () => second[0].signal("SIGSTOP"), 15_000, true);
  }, 240_000);
});

test("with Sentinels, a change at the successor of a master that hangs is seen", async () => {
  await using master = await startRedis();
  await using replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  await until(async () => (await replica.client.info("replication")).includes("master_link_status:up"), {
    what: "the replica",
    timeoutMs: 90_000,
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
    { what: "the Sentinel to know the replica", timeoutMs: 90_000 },
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
    timeoutMs: 90_000,
  });
  await setUntilThere(both.one, "a", "1");
  await both.other.untilSees({ a: "1" }, 90_000);
  await until(async () => (await subscribers(replica, both.key)) === 2, {
    what: "both to listen at its successor",
    timeoutMs: 90_000,
  });
}, 240_000);

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
    for (const each of [both.one, both.other]) await each.untilSees({}, 90_000);
  }, 120_000);
});
