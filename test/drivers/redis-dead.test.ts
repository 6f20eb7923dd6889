import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { DeadCounts, QueueDriver } from "../../src/queue/driver.ts";
import { countDeadScript } from "../../src/queue/drivers/redis/dead-scripts.ts";
import { queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import { countEvents, newJob, redisDriver, warningLogger, wish } from "../support/redis-driver.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;
const { all } = queueKeys("sockudo_queue:", "webhooks");
const dead = all[10] as string;
const deadJobs = all[11] as string;
const deadCounts = all[13] as string;
const soon = { firstMs: 1, everyMs: 20, recountMs: 1 };
let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.client.flushall();
});

async function withDriver<T>(
  overrides: Parameters<typeof redisDriver>[1],
  use: (driver: QueueDriver) => Promise<T>,
  context: Parameters<typeof redisDriver>[2] = {},
): Promise<T> {
  const driver = redisDriver(redis.port, overrides, context);
  await driver.open(opened);
  try {
    return await use(driver);
  } finally {
    await driver.close();
  }
}

/** Writes dead letters as version 0.1 does, which counts nothing. */
async function plant(count: number, endpoint: string, at = Date.now(), prefix = "old"): Promise<void> {
  const pipeline = redis.client.pipeline();
  for (let index = 0; index < count; index += 1) {
    const name = `${prefix}-${endpoint}-${index}`;
    const meta = JSON.stringify({
      reason: index % 3 === 0 ? "http_404" : "http_410",
      detail: null,
      endpoint,
    });
    pipeline.zadd(dead, String(at * 1_000 + index), name);
    pipeline.hset(deadJobs, name, `${at} 1 ${at} ${name} ${meta}\nbody`);
  }
  await pipeline.exec();
}

async function bury(driver: QueueDriver, ids: readonly string[], endpoint: string): Promise<void> {
  await driver.enqueue(
    "webhooks",
    ids.map((id) => newJob(id)),
  );
  const leases = await driver.lease("webhooks", wish({ max: 500 }));
  const end = { verb: "dead", reason: "timeout", detail: null, endpoint, attempted: true } as const;
  await driver.settle(leases.map((lease) => ({ ...end, lease })));
}

/** What the counts must be: every letter read. */
async function scan(driver: QueueDriver): Promise<{ groups: Record<string, number>; bytes: number }> {
  const groups: Record<string, number> = {};
  let cursor: string | null = null;
  do {
    const page = await driver.deadLetters("webhooks", { limit: 1_000, cursor });
    for (const { endpoint, reason } of page.items) {
      const key = `${endpoint} ${reason}`;
      groups[key] = (groups[key] ?? 0) + 1;
    }
    cursor = page.cursor;
  } while (cursor !== null);
  let bytes = 0;
  for (const [name, content] of Object.entries(await redis.client.hgetall(deadJobs))) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(content);
  }
  return { groups, bytes };
}

function told({ groups, bytes }: DeadCounts): { groups: Record<string, number>; bytes: number } {
  const entries = groups.map(({ endpoint, reason, count }) => [`${endpoint} ${reason}`, count] as const);
  return { groups: Object.fromEntries(entries), bytes };
}

async function untilComplete(driver: QueueDriver): Promise<DeadCounts> {
  return until(
    async () => {
      const counts = await driver.deadCounts?.("webhooks");
      return counts?.complete === true ? counts : null;
    },
    { what: "complete counts", timeoutMs: 90_000 },
  );
}

describe("counts of dead letters", () => {
  test("of a store that older versions filled are made once, right while others write and two begin at once", async () => {
    await plant(1_800, "app/one");
    await plant(300, "app/two", Date.now() + 1);
    await withDriver({}, async (quiet) => {
      expect((await quiet.deadCounts?.("webhooks"))?.complete).toBe(false);
      // A count that came out wrong would stay so.
      const once = { ...soon, recountMs: 600_000 };
      await withDriver({ deadLooks: once }, (one) =>
        withDriver({ deadLooks: once }, async (other) => {
          // Every kind of change while the scans are under way.
          let round = 0;
          for (let left = true; left; round += 1) {
            await bury(one, [`new-${round}`, `newer-${round}`], "app/three");
            await other.redrive("webhooks", { ids: [`old-app/one-${1_799 - round}`, `new-${round - 1}`] });
            await other.removeDead("webhooks", `old-app/two-${round}`);
            await other.redrive("webhooks", { max: 1 });
            left = (await one.deadCounts?.("webhooks"))?.complete !== true ? round < 200 : round < 20;
          }
          expect(told(await untilComplete(other))).toEqual(await scan(one));
        }),
      );
      // And from then on by every change, without a scan.
      await bury(quiet, ["last"], "app/three");
      await quiet.removeDead("webhooks", "old-app/two-250");
      const counts = (await quiet.deadCounts?.("webhooks"))!;
      expect([counts.complete, told(counts)]).toEqual([true, await scan(quiet)]);
      await quiet.redrive("webhooks", { max: 10_000 });
      expect(await quiet.deadCounts?.("webhooks")).toEqual({ groups: [], bytes: 0, complete: true });
      expect(await redis.client.exists(deadCounts)).toBe(0);
    });
  }, 240_000);

  test("are right on both sides of the place that a scan has reached", async () => {
    await plant(30, "app/one");
    const step = () => redis.client.eval(countDeadScript.source, all.length, ...all, 10, 1_000_000, 600_000);
    await step();
    await withDriver({}, async (driver) => {
      // The last one counted, the first one that is not, and one of each side.
      for (const index of [9, 10, 3, 25]) {
        expect(await driver.removeDead("webhooks", `old-app/one-${index}`)).toBe(true);
      }
      await bury(driver, ["new"], "app/two");
      for (let steps = 0; steps < 4; steps += 1) await step();
      const counts = (await driver.deadCounts?.("webhooks"))!;
      expect([counts.complete, told(counts)]).toEqual([true, await scan(driver)]);
    });
  });

  test("that a process of an older version made wrong are told as such, and set right", async () => {
    await withDriver({}, async (driver) => {
      await bury(driver, ["a", "b"], "app/one");
      expect((await driver.deadCounts?.("webhooks"))?.complete).toBe(true);
      await plant(5, "app/two");
      expect((await driver.deadCounts?.("webhooks"))?.complete).toBe(false);
      await withDriver({ deadLooks: soon }, async (other) => {
        expect(told(await untilComplete(other))).toEqual(await scan(driver));
        // It removes, too.
        await redis.client.zrem(dead, "a");
        await redis.client.hdel(deadJobs, "a");
        expect(told(await untilComplete(driver))).toEqual(await scan(driver));
      });
    });
  }, 240_000);

  test("stay few, whatever endpoints and reasons producers make up", async () => {
    await withDriver({}, async (driver) => {
      for (let round = 0; round < 6; round += 1) {
        const jobs = Array.from({ length: 500 }, (_, index) => newJob(`job-${round}-${index}`));
        await driver.enqueue("webhooks", jobs);
        const leases = await driver.lease("webhooks", wish({ max: 500 }));
        await driver.settle(
          leases.map((lease) => ({
            verb: "dead",
            reason: "unknown_endpoint\nx",
            detail: null,
            endpoint: `app/${lease.job.id}${"x".repeat(300)}`,
            attempted: false,
            lease,
          })),
        );
      }
      const counts = (await driver.deadCounts?.("webhooks"))!;
      expect(counts.complete).toBe(true);
      expect(counts.groups.length).toBeLessThanOrEqual(2_001);
      expect(counts.groups.reduce((sum, { count }) => sum + count, 0)).toBe(3_000);
      for (const { endpoint } of counts.groups) expect((endpoint ?? "").length).toBeLessThanOrEqual(200);
      expect(await driver.redrive("webhooks", { max: 3_000 })).toBe(3_000);
      expect(await redis.client.exists(deadCounts)).toBe(0);
    });
  }, 240_000);
});

test("what becomes a dead letter while others are redriven is not redriven by the same call", async () => {
  await withDriver({}, async (driver) => {
    // Many steps of one call; each new letter comes once the first of them is done.
    await plant(2_000, "a");
    const own = all[2] as string;
    const call = { over: false };
    const redriving = driver.redrive("webhooks", { max: 100_000 }).finally(() => (call.over = true));
    let later = 0;
    while (!call.over) {
      if ((await redis.client.llen(own)) > 0)
        await plant(1, "a", Date.now() + 1_000, `later-${(later += 1)}`);
    }
    expect(await redriving).toBe(2_000);
    expect(await redis.client.zcard(dead)).toBe(later);
  });
});

describe("retention of dead letters", () => {
  test("goes by age where no limit of count is set, a step at a time, and counts what it removes", async () => {
    const { counts, events } = countEvents();
    await plant(650, "app/old", Date.now() - 40 * 86_400_000);
    await plant(20, "app/new");
    await redis.client.zadd(dead, "5", "no time");
    await redis.client.hset(deadJobs, "no time", "x");
    await withDriver(
      { deadLetterRetention: Number.MAX_SAFE_INTEGER, deadLooks: soon },
      async (driver) => {
        await until(async () => (await redis.client.zcard(dead)) === 21, { what: "the old ones to go" });
        expect(told(await untilComplete(driver))).toEqual(await scan(driver));
        expect((await driver.stats("webhooks")).dead).toBe(21);
      },
      { events },
    );
    expect(counts.trimmed).toBe(650);
  }, 240_000);

  test("of a limit that was lowered is reached step by step", async () => {
    const { counts, events } = countEvents();
    await plant(1_500, "app/one");
    await withDriver(
      { deadLetterRetention: 10, deadLooks: soon },
      async (driver) => {
        await bury(driver, ["last"], "app/two");
        await until(async () => (await redis.client.zcard(dead)) === 10, { what: "ten to be left" });
        expect((await driver.deadLetters("webhooks", { limit: 1, cursor: null })).items[0]?.id).toBe("last");
      },
      { events },
    );
    expect(counts.trimmed).toBe(1_491);
  }, 240_000);
});

test("dead letters that fill the memory are a problem from four fifths on, told once, with the endpoints with most", async () => {
  const { log, warnings } = warningLogger();
  await withDriver(
    { deadLooks: soon },
    async (driver) => {
      const problems = () => (driver.problems?.() ?? []).filter(({ kind }) => kind === "dead_letters_fill");
      await bury(driver, ["a", "b", "c"], "app/one");
      await bury(driver, ["d"], "app/two");
      const used = Number(/used_memory:(\d+)/.exec(await redis.client.info("memory"))?.[1]);
      await redis.client.config("SET", "maxmemory", String(used * 10));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(problems()).toEqual([]);
      await redis.client.config("SET", "maxmemory", String(Math.round(used * 1.1)));
      try {
        const problem = await until(() => problems()[0], { what: "the problem" });
        expect(problem.object).toBe("webhooks");
        expect(problem.detail).toContain("4 dead letters");
        expect(problem.detail).not.toContain("app/");
        await until(() => problems()[0]?.since === problem.since, { what: "another look" });
      } finally {
        await redis.client.config("SET", "maxmemory", "0");
      }
      await until(() => problems().length === 0, { what: "the end of the problem" });
    },
    { log },
  );
  const filled = warnings.filter(({ message }) => message.includes("fill the memory"));
  expect(filled).toHaveLength(1);
  expect(filled[0]?.fields).toMatchObject({ dead: 4, endpoints: ["app/one: 3", "app/two: 1"] });
}, 240_000);
