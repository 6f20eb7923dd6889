import { describe, expect, test } from "bun:test";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { freshPrefix, newJob, redisDriver, wish } from "../support/redis-driver.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;

/** All commands the server has run, also those inside scripts, but for the counting itself. */
async function commandCounter(redis: RedisProcess): Promise<() => Promise<number>> {
  let asked = 0;
  const read = async (): Promise<number> => {
    asked += 1;
    return Number(/total_commands_processed:(\d+)/.exec(await redis.client.info("stats"))?.[1]) - asked;
  };
  const start = await read();
  return async () => (await read()) - start;
}

/** Calls that clients made, by name: what scripts call inside is left out where the names differ. */
async function callsOf(redis: RedisProcess, ...names: readonly string[]): Promise<number> {
  const info = await redis.client.info("commandstats");
  return names.reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  );
}

/** Waits for jobs for ever and acks them; ends with the signal. */
async function waitAndAck(driver: QueueDriver, signal: AbortSignal, onJob: () => void): Promise<void> {
  while (!signal.aborted) {
    const leases = await driver.lease("webhooks", wish({ waitMs: 5_000, signal }));
    for (const lease of leases) {
      onJob();
      await driver.settle([{ verb: "ack", lease }]);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("an idle redis driver", () => {
  test("costs at most two commands a second, those inside scripts and for what is shared counted", async () => {
    await using redis = await startRedis();
    const driver = redisDriver(redis.port, { prefix: freshPrefix() });
    driver.shared?.onChange(() => undefined);
    await driver.open(opened);
    const stop = new AbortController();
    const running = waitAndAck(driver, stop.signal, () => undefined);
    await pause(500);
    const count = await commandCounter(redis);
    await pause(3_000);
    expect(await count()).toBeLessThanOrEqual(6);
    expect(await count()).toBeGreaterThan(0);
    stop.abort();
    await running;
    await driver.close();
  }, 120_000);

  test("is woken by a pushed job, and by one that hookline enqueues elsewhere (medians; how soon, scripts/bench/redis tells)", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const driver = redisDriver(redis.port, { prefix });
    const other = redisDriver(redis.port, { prefix });
    await driver.open(opened);
    await other.open(opened);
    let arrived = 0;
    const stop = new AbortController();
    const running = waitAndAck(driver, stop.signal, () => void (arrived = performance.now()));
    const median = async (put: (index: number) => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let index = 0; index < 41; index += 1) {
        arrived = 0;
        const started = performance.now();
        await put(index);
        await until(() => arrived > 0, { everyMs: 1, what: "the job" });
        times.push(arrived - started);
        await pause(5);
      }
      return times.toSorted((a, b) => a - b)[20]!;
    };
    // Whoever polls, or waits for the end of its block, takes a second or two.
    expect(await median(() => redis.client.rpush(`${prefix}queue:webhooks`, "{}"))).toBeLessThan(400);
    expect(await median((index) => other.enqueue("webhooks", [newJob(`j${index}`)]))).toBeLessThan(400);
    stop.abort();
    await running;
    await Promise.all([driver.close(), other.close()]);
  }, 120_000);

  test("with eight processes waiting, a push costs at most four commands", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const drivers = Array.from({ length: 8 }, () => redisDriver(redis.port, { prefix }));
    for (const driver of drivers) await driver.open(opened);
    const stop = new AbortController();
    let jobs = 0;
    const running = drivers.map((driver) => waitAndAck(driver, stop.signal, () => void (jobs += 1)));
    await until(async () => (await redis.client.info("clients")).includes("blocked_clients:8"), {
      what: "all to wait",
    });
    await pause(300);
    const names = ["evalsha", "eval", "blmove", "publish"];
    const before = await callsOf(redis, ...names);
    const started = performance.now();
    for (let index = 1; index <= 60; index += 1) {
      await redis.client.rpush(`${prefix}queue:webhooks`, "{}");
      await until(() => jobs === index, { everyMs: 1, what: "the job" });
    }
    await pause(20);
    const calls = (await callsOf(redis, ...names)) - before;
    // Each process' own idle look and wait, meanwhile.
    const idle = 8 * 2 * Math.ceil((performance.now() - started) / 1_000);
    expect(calls).toBeLessThanOrEqual(60 * 4 + idle);

    // hookline's own enqueue wakes one process, not eight.
    const beforeOwn = await callsOf(redis, "evalsha");
    const [first] = drivers as [QueueDriver];
    for (let index = 61; index <= 80; index += 1) {
      await first.enqueue("webhooks", [newJob(`j${index}`)]);
      await until(() => jobs === index, { everyMs: 1, what: "the job" });
    }
    expect((await callsOf(redis, "evalsha")) - beforeOwn).toBeLessThanOrEqual(20 * 4 + 16);
    stop.abort();
    await Promise.all(running);
    await Promise.all(drivers.map((driver) => driver.close()));
  }, 120_000);

  test("paused, or not asked for jobs, it sends nothing", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const driver = redisDriver(redis.port, { prefix });
    const other = redisDriver(redis.port, { prefix });
    // Hearing of changes of what is shared costs nothing while nothing changes.
    let announced = 0;
    for (const one of [driver, other]) one.shared?.onChange(() => void (announced += 1));
    await driver.open(opened);
    await other.open(opened);
    await driver.pause("webhooks");
    const stop = new AbortController();
    let jobs = 0;
    const running = [driver, other].map((one) => waitAndAck(one, stop.signal, () => void (jobs += 1)));
    // The block that began before the pause may last two seconds more.
    await until(async () => (await redis.client.info("clients")).includes("blocked_clients:0"), {
      what: "no block",
    });
    await pause(200);
    const count = await commandCounter(redis);
    await redis.client.rpush(`${prefix}queue:webhooks`, "{}");
    await pause(2_500);
    expect((await count()) - 1).toBe(0);
    expect(announced).toBeGreaterThan(0);
    await other.resume("webhooks");
    await until(() => jobs === 1, { what: "the job" });
    stop.abort();
    await Promise.all(running);

    // Nobody asks any more (a full or draining process): a running block ends, and then nothing.
    await until(async () => (await redis.client.info("clients")).includes("blocked_clients:0"), {
      what: "no block",
    });
    await pause(100);
    const silent = await commandCounter(redis);
    await pause(1_000);
    expect(await silent()).toBe(0);
    await Promise.all([driver.close(), other.close()]);
  }, 120_000);

  test("a process that asks again while its farewell is on its way is woken all the same", async () => {
    await using redis = await startRedis();
    const driver = redisDriver(redis.port, { prefix: freshPrefix() });
    await driver.open(opened);
    // Puts it among the waiters, and sets the timer of its farewell.
    expect(await driver.lease("webhooks", wish({ waitMs: 10 }))).toEqual([]);
    // The process stands still, so that the question comes right behind the farewell: the server does not know
    // that script yet, and its text follows the question.
    const asked = pause(60).then(() => driver.lease("webhooks", wish({ waitMs: 60_000 })));
    for (const end = performance.now() + 80; performance.now() < end;);
    await pause(100);
    const started = performance.now();
    await driver.enqueue("webhooks", [newJob("one")]);
    expect(await asked).toHaveLength(1);
    // Not at the end of its wait.
    expect(performance.now() - started).toBeLessThan(30_000);
    await driver.close();
  });

  test("jobs enqueued at any moment are seen at once, also while the driver has just opened", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const driver = redisDriver(redis.port, { prefix });
    const other = redisDriver(redis.port, { prefix });
    await driver.open(opened);
    await other.open(opened);
    const enqueuedAt = new Map<string, number>();
    const waits: number[] = [];
    const stop = new AbortController();
    const running = (async () => {
      while (!stop.signal.aborted) {
        const leases = await driver.lease("webhooks", wish({ waitMs: 5_000, signal: stop.signal }));
        for (const { job } of leases) waits.push(performance.now() - (enqueuedAt.get(job.id) ?? 0));
        if (leases.length > 0) await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
      }
    })();
    for (const end = performance.now() + 1_500; performance.now() < end;) {
      const id = `job-${enqueuedAt.size}`;
      enqueuedAt.set(id, performance.now());
      await other.enqueue("webhooks", [newJob(id)]);
      if (enqueuedAt.size % 2 === 0) await pause((enqueuedAt.size % 7) / 2);
    }
    await until(() => waits.length === enqueuedAt.size, { what: "all jobs" });
    // A wake-up that is lost costs until the end of a block, 2 s, or the next look, 4 s.
    expect(Math.max(...waits)).toBeLessThan(1_000);
    stop.abort();
    await running;
    await Promise.all([driver.close(), other.close()]);
  }, 120_000);

  test("a pause is seen by processes that wait, and ends for all at once", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const drivers = Array.from({ length: 4 }, () => redisDriver(redis.port, { prefix }));
    for (const driver of drivers) await driver.open(opened);
    const stop = new AbortController();
    const seen = drivers.map(() => 0);
    const running = drivers.map((driver, index) =>
      waitAndAck(driver, stop.signal, () => void ((seen[index] as number) += 1)),
    );
    await until(async () => (await redis.client.info("clients")).includes("blocked_clients:4"), {
      what: "all to wait",
    });
    await drivers[0]!.pause("webhooks");
    // Whoever is still blocked takes a job as far as :claimed, where it waits for the end of the pause.
    await pause(50);
    for (let index = 0; index < 40; index += 1) await redis.client.rpush(`${prefix}queue:webhooks`, "{}");
    await drivers[1]!.enqueue("webhooks", [newJob("own")]);
    await pause(300);
    expect(seen).toEqual([0, 0, 0, 0]);
    await drivers[3]!.resume("webhooks");
    await until(() => seen.reduce((sum, count) => sum + count, 0) === 41, { what: "all jobs" });
    stop.abort();
    await Promise.all(running);
    await Promise.all(drivers.map((driver) => driver.close()));
  }, 120_000);

  test("without BLMOVE (Redis 6.0) it polls once a second and loses nothing", async () => {
    await using redis = await startRedis();
    const prefix = freshPrefix();
    const driver = redisDriver(redis.port, { prefix, serverVersion: "6.0.16" });
    await driver.open(opened);
    const waiting = driver.lease("webhooks", wish({ waitMs: 5_000 }));
    await pause(50);
    await redis.client.rpush(`${prefix}queue:webhooks`, "{}");
    expect((await waiting).length).toBe(1);
    expect(await callsOf(redis, "blmove", "lmove", "zmscore", "lpop")).toBe(0);
    await driver.close();
  }, 120_000);
});
