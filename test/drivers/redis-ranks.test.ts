import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import type { Lease, QueueDriver, RankMark } from "../../src/queue/driver.ts";
import { createRedisDriver } from "../../src/queue/drivers/redis/driver.ts";
import { processesScript, rankScript } from "../../src/queue/drivers/redis/rank-script.ts";
import { clusterOf, countEvents, freshPrefix, redisOptionsFor } from "../support/redis-driver.ts";
import { commandsOf, deniedCommand, wrongType } from "../support/redis-faults.ts";
import { startSingleCluster, startRedis, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { jobOf } from "../support/worker.ts";

let single: RedisProcess;
beforeAll(async () => {
  single = await startRedis();
  await single.client.call("ACL", "SETUSER", "one", "on", ">secret", "~*", "&*", "+@all");
});
afterAll(() => single.stop());

type Overrides = Parameters<typeof redisOptionsFor>[1];
async function start(port: number, prefix: string, overrides: Overrides = {}): Promise<QueueDriver> {
  const options = redisOptionsFor(port, { prefix, queues: ["webhooks"], ...overrides });
  const { events } = countEvents();
  const driver = createRedisDriver(options, { clock: systemClock, log: silentLogger, events });
  await driver.open(AbortSignal.timeout(20_000));
  return driver;
}
const mark = (hash: string, revision: number | null = null): Map<string, RankMark> =>
  new Map([["webhooks", { hash, revision }]]);
const rankOf = (driver: QueueDriver): number => driver.ranks?.standing()[0]?.rank ?? -1;
const lease = (driver: QueueDriver): Promise<Lease[]> =>
  driver.lease("webhooks", {
    max: 10,
    leaseMs: 30_000,
    waitMs: 0,
    closedKeys: new Set(),
    parkedMax: 10,
    signal: new AbortController().signal,
  });
const put = (driver: QueueDriver, id: string): Promise<unknown> =>
  driver.enqueue("webhooks", [jobOf(id, "{}")]);

describe("ranks", () => {
  test("a hash keeps its rank while a holder lives, another gets the next, and the older gets nothing", async () => {
    const prefix = freshPrefix();
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => start(single.port, prefix)));
    await one!.ranks?.join(mark("aaaa"));
    await two!.ranks?.join(mark("bbbb"));
    await three!.ranks?.join(mark("aaaa"));
    expect([one, two, three].map((driver) => rankOf(driver!))).toEqual([1, 2, 1]);
    await put(one!, "job");
    expect([await lease(one!), await lease(three!)]).toEqual([[], []]);
    expect(await lease(two!)).toHaveLength(1);
    // It reloads the older's configuration: nobody of the newer one lives, and it is of the same rank.
    await two!.ranks?.join(mark("aaaa"));
    expect(rankOf(two!)).toBe(1);
    for (const driver of [one, two, three]) await driver!.close();
  });

  test("what leaves counts for ten seconds, by Redis' clock; who was forgotten brings its rank", async () => {
    const prefix = freshPrefix();
    const [old, young] = await Promise.all([1, 2].map(() => start(single.port, prefix)));
    await old!.ranks?.join(mark("aaaa"));
    await young!.ranks?.join(mark("bbbb"));
    await put(old!, "job");
    young!.ranks?.leave();
    const leftAt = performance.now();
    let leases: Lease[] = [];
    await until(async () => (leases = await lease(old!)).length === 1, {
      timeoutMs: 30_000,
      what: "the older's turn",
      everyMs: 100,
    });
    expect(leases).toHaveLength(1);
    expect(performance.now() - leftAt).toBeGreaterThan(6_500);
    expect(performance.now() - leftAt).toBeLessThan(15_000);
    await young!.ranks?.join(mark("bbbb"));
    expect([rankOf(old!), rankOf(young!)]).toEqual([1, 2]);
    for (const driver of [old, young]) await driver!.close();
  }, 60_000);

  test("on a cluster", async () => {
    const cluster = await startSingleCluster();
    const prefix = freshPrefix();
    const options = clusterOf(cluster.port);
    const [one, two] = await Promise.all([1, 2].map(() => start(cluster.port, prefix, options)));
    await one!.ranks?.join(mark("aaaa"));
    await two!.ranks?.join(mark("bbbb"));
    await put(two!, "job");
    expect(await lease(one!)).toEqual([]);
    expect(await lease(two!)).toHaveLength(1);
    expect(
      (await two!.ranks?.processes())?.map(({ rank, behind }) => `${rank} ${behind}`).toSorted(),
    ).toEqual(["1 true", "2 false"]);
    for (const driver of [one, two]) await driver!.close();
    await cluster.stop();
  }, 60_000);

  const commands = [...new Set([rankScript, processesScript].flatMap(commandsOf))].filter(
    (name) => name !== "TIME",
  );
  test.each([...commands, "living", "ranks", "ranked"])(
    "%s fails: nothing is lost, no rank is taken from anybody, and it goes on when it is mended",
    async (what) => {
      const prefix = freshPrefix();
      const user = { username: "one", password: "secret" };
      const newest = await start(single.port, prefix);
      const [first, late] = await Promise.all([1, 2].map(() => start(single.port, prefix, user)));
      await first!.ranks?.join(mark("aaaa"));
      await newest.ranks?.join(mark("bbbb"));
      await put(newest, "job");
      const isKey = what === what.toLowerCase();
      const key = `{${prefix}queue:webhooks}:${what}`;
      const fault = isKey ? wrongType(single.client, key) : deniedCommand(single.client, "one", what);
      const mend = await fault.begin();
      await late!.ranks?.join(mark("aaaa"));
      // It takes nothing while it does not know its rank.
      if (rankOf(late!) === 0)
        expect(await lease(late!).catch((error: unknown) => error)).toBeInstanceOf(DriverUnavailableError);
      else if (!isKey) expect(await lease(late!).catch(() => [])).toEqual([]);
      await mend();
      await Promise.all([first!, late!].map((driver) => driver.ranks?.join(mark("aaaa"))));
      await newest.ranks?.join(mark("bbbb"));
      expect([first!, late!, newest].map(rankOf)).toEqual([1, 1, 2]);
      expect(await lease(late!)).toEqual([]);
      expect(await lease(newest)).toHaveLength(1);
      for (const driver of [first!, late!, newest]) await driver.close();
    },
  );
});
