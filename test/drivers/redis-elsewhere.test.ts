import { expect, test } from "bun:test";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { foreignListOf } from "../../src/queue/drivers/redis/elsewhere.ts";
import { clusterOf, freshPrefix, newJob, redisDriver, warningLogger, wish } from "../support/redis-driver.ts";
import { startCluster, startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;
/** A minute of the product; a fifth of it is one step. */
const lookForOthersMs = 500;

function foundBy(driver: QueueDriver): string[] {
  return (driver.problems?.() ?? [])
    .filter(({ kind }) => kind === "undrained_jobs")
    .map(({ object, detail }) => `${object}|${detail}`);
}

async function untilFound(driver: QueueDriver, count: number): Promise<void> {
  await until(() => foundBy(driver).length === count, {
    what: `${count} lists of others, found are ${foundBy(driver).join()}`,
    timeoutMs: 90_000,
  });
}

/** How often clients have called these commands. */
async function callsOf({ client }: RedisProcess, ...names: readonly string[]): Promise<number> {
  const info = await client.info("commandstats");
  return names.reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  );
}

test("jobs of others that appear while the queue is idle are told once, and until they are gone", async () => {
  await using redis = await startRedis({ aof: true });
  const { log, warnings } = warningLogger();
  const driver = redisDriver(redis.port, { queues: ["webhooks"], lookForOthersMs }, { log });
  await driver.open(never);
  // Others' keys among which to find them: SCAN needs several steps.
  await redis.client.mset(...Array.from({ length: 3_000 }, (_, n) => [`other:${n}`, "x"]).flat());
  const lists: readonly (readonly [key: string, object: string, words: string])[] = [
    ["sockudo_queue::queue:webhooks", "webhooks", "set the prefix to sockudo_queue::"],
    ["sockudo_queue:v2:{webhooks}:wait", "webhooks", "Sockudo v5"],
    ["sockudo_queue:v2:{webhooks}:inline-wait", "webhooks", "Sockudo v5"],
    ["of-another-prefix:v2:{webhooks}:wait", "webhooks", "Sockudo v5"],
    [":client_event_webhooks:wait", "", "BullMQ"],
    ["my:app:member_added_webhooks:wait", "", "BullMQ"],
    ["bull:webhooks:wait", "webhooks", "BullMQ"],
    ["deep:down:webhooks:wait", "webhooks", "BullMQ"],
  ];
  for (const [key] of lists) await redis.client.rpush(key, "x", "y");
  // What is nobody's business, or no list.
  await redis.client.rpush("shop:mails:wait", "x");
  await redis.client.set("bull:x:wait", "x");
  await untilFound(driver, lists.length);
  for (const [key, object, words] of lists) {
    const finding = foundBy(driver).find((line) => line.startsWith(`${object}|2 in ${key}: `));
    expect(`${key}: ${finding}`).toContain(words);
    const said = warnings.filter(({ message }) => message.includes(` ${key} `));
    expect(said).toHaveLength(1);
  }
  await redis.client.del(...lists.slice(1).map(([key]) => key));
  await untilFound(driver, 1);
  expect(foundBy(driver)[0]).toContain("sockudo_queue::queue:webhooks");
  await redis.client.del("sockudo_queue::queue:webhooks");
  await untilFound(driver, 0);
  expect(warnings.filter(({ message }) => message.includes("is empty, but"))).toHaveLength(lists.length);
  await driver.close();
}, 120_000);

test("beside a queue that is busy nothing is looked for, and never where it is switched off", async () => {
  await using redis = await startRedis({ aof: true });
  const prefix = freshPrefix();
  const stepMs = 400;
  const driver = redisDriver(redis.port, { prefix, queues: ["webhooks"], lookForOthersMs: 5 * stepMs });
  await driver.open(never);
  await redis.client.rpush(`${prefix}v2:{webhooks}:wait`, "x");
  const before = await callsOf(redis, "scan");
  /** The machine may be so busy that the queue is idle for a step after all. */
  let pauses = 0;
  const endsAt = performance.now() + 5 * stepMs;
  for (let round = 0; performance.now() < endsAt; round += 1) {
    const startedAt = performance.now();
    const jobs = Array.from({ length: 50 }, (_, n) => newJob(`${round}-${n}`));
    await driver.enqueue("webhooks", jobs);
    const leases = await driver.lease("webhooks", wish({ max: 50, waitMs: 1_000 }));
    await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
    await new Promise((resolve) => setTimeout(resolve, 20));
    pauses += Math.ceil((performance.now() - startedAt) / (stepMs / 2)) - 1;
  }
  expect((await callsOf(redis, "scan")) - before).toBeLessThanOrEqual(pauses);
  await untilFound(driver, 1);
  await driver.close();

  const scans = await callsOf(redis, "scan");
  const off = redisDriver(redis.port, { prefix, queues: ["webhooks"], lookForOthersMs: null });
  await off.open(never);
  await off.lease("webhooks", wish({ waitMs: 1_000 }));
  expect(foundBy(off)).toEqual([]);
  expect(await callsOf(redis, "scan")).toBe(scans);
  await off.close();
}, 120_000);

test("on a cluster every master is looked at", async () => {
  await using cluster = await startCluster({ replicas: false });
  const prefix = freshPrefix();
  const driver = redisDriver(0, {
    ...clusterOf(cluster.nodes[0]!.port),
    prefix,
    queues: ["webhooks"],
    lookForOthersMs,
  });
  await driver.open(never);
  const own = await cluster.masterOf(`${prefix}queue:webhooks`);
  const masters = new Set<number>();
  for (let n = 0; masters.size < 3; n += 1) {
    const key = `prefix-${n}:webhooks:wait`;
    const master = await cluster.masterOf(key);
    if (masters.has(master.port)) continue;
    masters.add(master.port);
    await master.client.rpush(key, "x");
  }
  expect(masters.has(own.port)).toBe(true);
  const spelling = `${prefix}:queue:webhooks`;
  const holder = await cluster.masterOf(spelling);
  await holder.client.rpush(spelling, "x");
  await untilFound(driver, 4);
  await holder.client.del(spelling);
  await untilFound(driver, 3);
  await driver.close();
}, 240_000);

test("a user with narrow rights is told of what it may see", async () => {
  await using redis = await startRedis({ aof: true });
  const rules = "~sockudo_queue:* ~{sockudo_queue:* &* +@all -scan";
  await redis.client.call("ACL", "SETUSER", "narrow", "on", ">secret", ...rules.split(" "));
  const driver = redisDriver(redis.port, {
    username: "narrow",
    password: "secret",
    queues: ["webhooks"],
    lookForOthersMs,
  });
  await driver.open(never);
  await redis.client.rpush("bull:webhooks:wait", "x");
  await redis.client.rpush("sockudo_queue::queue:webhooks", "x");
  await untilFound(driver, 1);
  expect(foundBy(driver)[0]).toContain("sockudo_queue::queue:webhooks");
  await driver.close();
});

test("a list is somebody's by the last names of its key", () => {
  for (const [key, queue] of [
    ["bull:webhooks:wait", "webhooks"],
    [":webhooks:wait", "webhooks"],
    ["webhooks:wait", "webhooks"],
    ["a:b:c:cache_miss_webhooks:wait", ""],
    ["p:v2:{webhooks}:wait", "webhooks"],
    ["p:v2:{mails}:wait", null],
    ["bull:mails:wait", null],
    ["bull:webhooks:waiting", null],
    [":wait", null],
  ] as const) {
    expect(foreignListOf(key, ["webhooks"])?.queue ?? null).toBe(queue);
  }
});
