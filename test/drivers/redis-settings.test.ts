import { expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { clusterOf, newJob, redisDriver, warningLogger } from "../support/redis-driver.ts";
import { startCluster, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;

async function open(port: number, overrides: Partial<RedisDriverOptions> = {}): Promise<QueueDriver> {
  const driver = redisDriver(port, overrides);
  await driver.open(never);
  return driver;
}

function kindsOf(driver: QueueDriver): string[] {
  return (driver.problems?.() ?? []).map(({ kind }) => kind);
}

/** Asks for the health, as /health does, until the driver says that Redis keeps this. */
async function untilKept(driver: QueueDriver, durability: unknown): Promise<void> {
  await until(
    async () => {
      await driver.ping(never);
      return driver.durable?.() === durability;
    },
    { what: `durable ${String(durability)}`, everyMs: 50 },
  );
}

test("durable is what Redis keeps, and follows its settings while it runs", async () => {
  await using redis = await startRedis();
  const { log, warnings } = warningLogger();
  const driver = redisDriver(redis.port, {}, { log });
  await driver.open(never);
  expect([driver.durable?.(), kindsOf(driver)]).toEqual([false, ["not_durable"]]);
  expect(driver.problems?.()[0]?.detail).toContain("Set appendonly to yes");
  expect(driver.problems?.()[0]?.openDetail).not.toContain(String(redis.port));

  await redis.client.config("SET", "save", "3600 1");
  await untilKept(driver, "snapshots");
  expect(kindsOf(driver)).toEqual(["snapshots_only"]);
  await redis.client.config("SET", "appendonly", "yes");
  await untilKept(driver, true);
  expect(kindsOf(driver)).toEqual([]);
  await redis.client.config("SET", "appendonly", "no");
  await redis.client.config("SET", "save", "");
  await untilKept(driver, false);

  await redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
  await until(
    async () => {
      await driver.ping(never);
      return kindsOf(driver).includes("backend_settings");
    },
    { what: "the policy to be noticed", everyMs: 50 },
  );
  // Each state was said once when it began.
  const said = warnings.map(({ message }) => message.slice(0, 40));
  expect(said).toEqual(
    [
      "redis: appendonly is off and there are no ",
      "redis: appendonly is off: what was writte",
      "redis: appendonly is off and there are no ",
      "redis: maxmemory-policy is not noeviction",
    ].map((text) => text.slice(0, 40)),
  );
  await driver.close();
}, 120_000);

test("where INFO or CONFIG is refused nothing is claimed", async () => {
  await using redis = await startRedis();
  for (const rules of ["+@all -config", "+@all -info", "+@all -info -config"]) {
    await redis.client.call(
      "ACL",
      "SETUSER",
      "some",
      "reset",
      "on",
      ">secret",
      "~*",
      "&*",
      ...rules.split(" "),
    );
    const driver = await open(redis.port, { username: "some", password: "secret" });
    expect([rules, driver.durable?.(), kindsOf(driver)]).toEqual([rules, "unknown", ["durability_unknown"]]);
    await driver.close();
  }
  // A service that took the command away, as some do.
  await using managed = await startRedis({ args: ["--rename-command", "CONFIG", ""] });
  const driver = await open(managed.port);
  expect(driver.durable?.()).toBe("unknown");
  await driver.close();
});

test("of a cluster the weakest node with a queue counts", async () => {
  await using cluster = await startCluster({ replicas: false });
  const [first, second] = cluster.nodes;
  // Queues on every master, by their hash tags.
  const queues = Array.from({ length: 24 }, (_, index) => `queue-${index}`);
  const driver = await open(0, { ...clusterOf(first!.port), queues });
  expect(driver.durable?.()).toBe(true);
  await second!.client.config("SET", "appendonly", "no");
  await untilKept(driver, false);
  expect(kindsOf(driver)).toEqual(["not_durable"]);
  await second!.client.config("SET", "appendonly", "yes");
  await untilKept(driver, true);
  await driver.close();
}, 240_000);

test("a Redis that is loading its data says so, and is worked with when it has", async () => {
  const slowly = "--key-load-delay 1000 --loading-process-events-interval-bytes 1024";
  await using redis = await startRedis({ args: slowly.split(" ") });
  await redis.client.mset(...Array.from({ length: 2_000 }, (_, n) => [`key-${n}`, "x".repeat(100)]).flat());
  const driver = await open(redis.port);
  await redis.client.call("SAVE");
  await redis.kill();
  await redis.restart({ waitReady: false });
  const refusals = new Set<string | null>();
  await until(
    async () => {
      try {
        return await driver.enqueue("webhooks", [newJob("a")]);
      } catch (error) {
        expect(error).toBeInstanceOf(DriverUnavailableError);
        refusals.add((error as DriverUnavailableError).refusal);
        return null;
      }
    },
    { what: "Redis to have loaded", timeoutMs: 90_000, everyMs: 20 },
  );
  expect(refusals).toContain("LOADING");
  await driver.close();
}, 240_000);
