import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ConfigError, QueueBrokenError } from "../../src/errors.ts";
import { sharedKey } from "../../src/queue/drivers/redis/keys.ts";
import { clusterOf, freshPrefix, newJob, redisDriver, warningLogger, wish } from "../support/redis-driver.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { processOf, soonMs, subscribers, twoProcesses } from "./redis-shared-processes.ts";
import { claimSharedState, witness } from "./shared-state-claims.ts";

let single: RedisProcess;
let cluster: RedisProcess;

beforeAll(async () => {
  [single, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});
afterAll(async () => {
  await Promise.all([single.stop(), cluster.stop()]);
});

claimSharedState("redis", () => {
  const prefix = freshPrefix();
  return () => processOf(single.port, { prefix });
});
claimSharedState("redis-cluster", () => {
  const prefix = freshPrefix();
  return () => processOf(cluster.port, { ...clusterOf(cluster.port), prefix });
});

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

  test("that holds something else is told until it does not, and queues are consumed meanwhile", async () => {
    for (const options of [{}, clusterOf(cluster.port)]) {
      const { port, client } = "target" in options ? cluster : single;
      const prefix = freshPrefix();
      const key = sharedKey(prefix);
      await client.set(key, "text");
      const process = processOf(port, { ...options, prefix });
      const { driver } = process;
      const seen: ReadonlyMap<string, string>[] = [];
      driver.shared?.onChange((values) => seen.push(values));
      const told = () => driver.problems?.().find(({ kind }) => kind === "shared_state_broken")?.detail;
      await process.open();
      await until(told, { what: "the finding" });
      expect(told()).toContain(key);
      expect(told()).toContain("WRONGTYPE");
      expect(driver.shared?.set("a", "1")).rejects.toBeInstanceOf(QueueBrokenError);
      await driver.enqueue("webhooks", [newJob("a")]);
      expect((await driver.lease("webhooks", wish())).map(({ job }) => job.id)).toEqual(["a"]);
      await client.del(key);
      await until(() => told() === undefined, { what: "the end of the finding" });
      await driver.shared?.set("a", "1");
      await until(() => seen.at(-1)?.get("a") === "1", { what: "the value" });
      // The same while it runs, at the next look.
      await client.set(key, "text");
      await driver.shared?.all().catch(() => undefined);
      expect(told()).toContain("WRONGTYPE");
      await client.del(key);
      await until(() => told() === undefined, { what: "the end of the finding" });
      await process.close();
    }
  });
});

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

  test("a queue that another process pauses and resumes is told without any channel", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    await redis.client.call("ACL", ..."SETUSER deaf on >secret ~* resetchannels +@all".split(" "));
    const deaf = redisDriver(redis.port, { prefix, username: "deaf", password: "secret" });
    const operator = redisDriver(redis.port, { prefix });
    const stop = new AbortController();
    await deaf.open(stop.signal);
    await operator.open(stop.signal);
    const leasing = (async () => {
      while (!stop.signal.aborted) await deaf.lease("webhooks", wish({ waitMs: 2_000, signal: stop.signal }));
    })();
    const isTold = (): boolean => deaf.problems?.().some(({ kind }) => kind === "queue_paused") === true;
    await operator.pause("webhooks");
    await until(isTold, { what: "the pause to be told" });
    await operator.resume("webhooks");
    await until(() => !isTold(), { what: "its end to be told" });
    stop.abort();
    await leasing;
    await deaf.close();
    await operator.close();
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
      const waiting = driver.lease("webhooks", wish({ waitMs: 60_000 }));
      await until(async () => (await subscribers(redis, `{${prefix}queue:webhooks}:paused`)) === 1, {
        what: "the queue's channel to be heard",
      });
      await driver.enqueue("webhooks", [newJob(`j${round}`)]);
      expect(await waiting).toHaveLength(1);
      expect(performance.now() - started).toBeLessThan(30_000);
      // The same after a reconnection, which subscribes to all of them anew.
      await redis.client.call("CLIENT", "KILL", "TYPE", "pubsub");
    }
    await driver.close();
  });
});
