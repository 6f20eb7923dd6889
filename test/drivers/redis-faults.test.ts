import { describe, expect, test } from "bun:test";
import { DriverUnavailableError, QueueFullError } from "../../src/errors.ts";
import { countEvents, newJob, redisDriver, wish, openInTheEnd } from "../support/redis-driver.ts";
import { consume, leftKeys, produce, untilReceived } from "../support/redis-load.ts";
import { startRedis } from "../support/redis-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const ready = "sockudo_queue:queue:webhooks";
const long = process.env["HOOKLINE_LONG"] === "1";
const scale = long ? 10 : 1;
const opened = new AbortController().signal;

/** Runs `disturb` while jobs are pushed and consumed; then every confirmed id must have come and no key be left. */
async function underLoad(
  redis: Awaited<ReturnType<typeof startRedis>>,
  jobs: number,
  disturb: () => Promise<void>,
  requestTimeoutMs = 400,
) {
  const { counts, events } = countEvents();
  const driver = redisDriver(redis.port, { requestTimeoutMs }, { events });
  await openInTheEnd(driver);
  const consumer = consume(driver);
  const producer = produce(redis.port, ready, jobs, 25);
  try {
    await until(() => consumer.received.times.size > 20, { what: "the load to flow" });
    await disturb();
    await producer.done;
    await untilReceived(consumer.received, producer.confirmed);
    await until(async () => (await leftKeys(redis.client)).length === 0, {
      what: "no key to be left",
      timeoutMs: 90_000,
    });
    return { ...consumer.received, reclaimed: counts.reclaimed };
  } finally {
    await consumer.stop();
    await driver.close();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("redis faults under load", () => {
  test("Redis killed and restarted with AOF loses nothing", async () => {
    await using redis = await startRedis({ aof: true });
    const { times } = await underLoad(redis, 2_500 * scale, async () => {
      for (let round = 0; round < (long ? 5 : 2); round += 1) {
        expect(await redis.client.llen(ready)).toBeGreaterThan(0);
        await redis.kill();
        await pause(150);
        await redis.restart();
        await pause(200);
      }
    });
    const doubles = [...times.values()].reduce((sum, count) => sum + count - 1, 0);
    // What was leased, and pushed without an answer, at each kill.
    expect(doubles).toBeLessThanOrEqual((long ? 5 : 2) * (16 + 25));
  }, 240_000);

  test("Redis that hangs longer than the timeout and comes back leaves at most one batch unsettled", async () => {
    await using redis = await startRedis();
    const { unavailable, reclaimed } = await underLoad(redis, 1_500 * scale, async () => {
      redis.signal("SIGSTOP");
      await pause(1_500);
      redis.signal("SIGCONT");
    });
    expect(unavailable).toBeGreaterThan(0);
    // The lease on its way when Redis stopped: hung connections are not given another.
    expect(reclaimed).toBeLessThanOrEqual(16);
  }, 240_000);

  test("a call to a hung Redis fails within the request timeout", async () => {
    await using redis = await startRedis();
    const driver = redisDriver(redis.port, { requestTimeoutMs: 300 });
    await openInTheEnd(driver);
    redis.signal("SIGSTOP");
    for (const call of [
      () => driver.enqueue("webhooks", [newJob("a")]),
      () => driver.lease("webhooks", wish()),
      () => driver.stats("webhooks"),
      () => driver.ping(opened),
    ]) {
      const started = performance.now();
      expect(call()).rejects.toBeInstanceOf(DriverUnavailableError);
      await call().catch(() => undefined);
      expect(performance.now() - started).toBeLessThan(20_000);
    }
    redis.signal("SIGCONT");
    await until(
      () =>
        driver.ping(opened).then(
          () => true,
          () => false,
        ),
      { what: "a ping" },
    );
    await driver.close();
  });

  test("connections killed again and again lose nothing", async () => {
    await using redis = await startRedis();
    await underLoad(redis, 1_500 * scale, async () => {
      for (let round = 0; round < 8 * scale; round += 1) {
        // Producers and the test's own client come back by themselves as well.
        await redis.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await redis.client.call("CLIENT", "KILL", "TYPE", "pubsub");
        await pause(60);
      }
    });
  }, 240_000);

  test("SCRIPT FLUSH is not noticed", async () => {
    await using redis = await startRedis();
    const { unavailable, lost, reclaimed } = await underLoad(redis, 1_500 * scale, async () => {
      for (let round = 0; round < 20; round += 1) {
        await redis.client.script("FLUSH");
        await pause(20);
      }
    });
    expect({ unavailable, lost, reclaimed }).toEqual({ unavailable: 0, lost: 0, reclaimed: 0 });
  }, 240_000);

  test("CLIENT PAUSE longer than the timeout loses nothing", async () => {
    await using redis = await startRedis();
    await underLoad(redis, 1_500 * scale, async () => {
      await redis.client.call("CLIENT", "PAUSE", "900", "ALL");
      await redis.client.ping();
    });
  }, 240_000);

  test("a master that turns read-only and back is waited for", async () => {
    await using redis = await startRedis();
    const { unavailable } = await underLoad(redis, 1_500 * scale, async () => {
      await redis.client.call("REPLICAOF", "127.0.0.1", "1");
      await pause(300);
      await redis.client.call("REPLICAOF", "NO", "ONE");
    });
    expect(unavailable).toBeGreaterThan(0);
  }, 240_000);
});

describe("redis faults", () => {
  test("with memory full, enqueue says so and the consumer drains all the same", async () => {
    await using redis = await startRedis({ args: ["--maxmemory-policy", "noeviction"] });
    const driver = redisDriver(redis.port);
    await driver.open(opened);
    const body = JSON.stringify({ id: "x", pad: "y".repeat(2_000) });
    const jobs = Array.from({ length: 500 }, (_, index) => newJob(`job-${index}`, body));
    for (const round of [1, 2, 3, 4]) {
      expect((await driver.enqueue("webhooks", jobs)).length).toBe(500);
      expect(round).toBeGreaterThan(0);
    }
    await driver.enqueue("webhooks", [newJob("delayed", body, { delayMs: 50 })]);
    await redis.client.config("SET", "maxmemory", "1mb");
    expect(driver.enqueue("webhooks", [newJob("refused", body)])).rejects.toBeInstanceOf(QueueFullError);
    await driver.pause("webhooks");
    await driver.resume("webhooks");

    const seen = new Set<string>();
    const verbs = { ack: 0, retry: 0, park: 0, dead: 0, replace: 0, release: 0 };
    await until(
      async () => {
        const leases = await driver.lease("webhooks", wish({ max: 64, waitMs: 300 }));
        expect(await driver.extend(leases, 60_000)).toEqual(leases.map(() => "extended"));
        const settlements = leases.map((lease, index) => {
          // Every verb once, on jobs that come back, so that none of them needs memory first.
          if (seen.has(lease.job.id) || index > 5) return { verb: "ack", lease } as const;
          seen.add(lease.job.id);
          if (verbs.retry === 0 && (verbs.retry += 1)) return { verb: "retry", delayMs: 10, lease } as const;
          if (verbs.park === 0 && (verbs.park += 1)) return { verb: "park", key: "k", lease } as const;
          if (verbs.release === 0 && (verbs.release += 1)) return { verb: "release", lease } as const;
          if (verbs.dead === 0 && (verbs.dead += 1)) {
            return {
              verb: "dead",
              reason: "r",
              detail: null,
              endpoint: null,
              attempted: true,
              lease,
            } as const;
          }
          if (verbs.replace === 0 && (verbs.replace += 1)) {
            return { verb: "replace", jobs: [{ id: "child", body: "c", endpoint: "e" }], lease } as const;
          }
          return { verb: "ack", lease } as const;
        });
        const results = await driver.settle(settlements);
        expect(results.every(({ status }) => status === "settled")).toBe(true);
        const { ready, delayed, leased, parked } = await driver.stats("webhooks");
        return [ready, delayed, leased, parked].every((count) => count === 0);
      },
      { what: "the queue to be drained", timeoutMs: 90_000 },
    );
    expect(verbs).toMatchObject({ retry: 1, park: 1, dead: 1, replace: 1, release: 1 });
    expect(driver.redrive("webhooks", { max: 1 })).rejects.toBeInstanceOf(QueueFullError);
    await redis.client.config("SET", "maxmemory", "0");
    expect((await driver.enqueue("webhooks", [newJob("again", body)]))[0]?.status).toBe("enqueued");
    await driver.close();
  }, 240_000);

  test("while Redis loads its data, calls say unavailable; then all is there", async () => {
    await using redis = await startRedis({ aof: true, args: ["--key-load-delay", "300"] });
    const driver = redisDriver(redis.port, { requestTimeoutMs: 400 });
    await openInTheEnd(driver);
    for (let index = 0; index < 3_000; index += 1)
      void redis.client.rpush(ready, JSON.stringify({ id: `j${index}` }));
    await until(async () => (await redis.client.llen(ready)) === 3_000, { what: "the jobs" });
    await redis.kill();
    await redis.restart({ waitReady: false });
    const errors = new Set<string>();
    const leases = await until(
      async () => {
        try {
          return await driver.lease("webhooks", wish());
        } catch (error) {
          expect(error).toBeInstanceOf(DriverUnavailableError);
          errors.add((error as Error).name);
          return null;
        }
      },
      { what: "a lease", timeoutMs: 90_000 },
    );
    expect(errors.size).toBe(1);
    expect(leases.map(({ job }) => job.body)).toEqual(
      Array.from({ length: 10 }, (_, index) => JSON.stringify({ id: `j${index}` })),
    );
    await driver.close();
  }, 120_000);

  test("a redis that is down at start is told apart from one that refuses", async () => {
    await using redis = await startRedis();
    const { port } = redis;
    await redis.kill();
    const driver = redisDriver(port);
    expect(driver.open(opened)).rejects.toBeInstanceOf(DriverUnavailableError);
    await driver.open(opened).catch(() => undefined);
    await redis.restart();
    await driver.open(opened);
    await driver.ping(opened);
    await driver.close();
  });
});

describe("redis connections cut half way", () => {
  /** A driver behind a proxy whose verdicts the test sets, with three jobs pushed. */
  async function behindProxy() {
    const redis = await startRedis();
    const proxy = await startTcpProxy(redis.port);
    const { counts, events } = countEvents();
    const driver = redisDriver(proxy.port, { requestTimeoutMs: 10_000 }, { events });
    await driver.open(opened);
    await redis.client.rpush(ready, '{"id":"1"}', '{"id":"2"}', '{"id":"3"}');
    return {
      redis,
      proxy,
      driver,
      counts,
      [Symbol.asyncDispose]: async () => {
        await driver.close();
        await proxy.close();
        await redis.stop();
      },
    };
  }

  /** A verdict for the first chunk that holds the text, once. */
  const once = (text: string, verdict: "cut" | "half") => {
    let left = 1;
    return (chunk: { includes: (text: string) => boolean }) => {
      if (left === 0 || !chunk.includes(text)) return "pass" as const;
      left -= 1;
      return verdict;
    };
  };

  test("a lease whose answer is lost runs out: its jobs come back once, one attempt charged", async () => {
    await using bench = await behindProxy();
    const { driver, proxy, redis, counts } = bench;
    proxy.onReply = once('{"id":"1"}', "half");
    const leasing = driver.lease("webhooks", wish({ leaseMs: 400 }));
    expect(leasing).rejects.toBeInstanceOf(DriverUnavailableError);
    await leasing.catch(() => undefined);
    // The command was not sent again: one lease of three jobs, none of another.
    expect(await redis.client.hlen(`{${ready}}:leased`)).toBe(3);
    const leases = await until(
      async () => {
        const found = await driver.lease("webhooks", wish({ waitMs: 500 })).catch(() => []);
        return found.length > 0 ? found : null;
      },
      { what: "the jobs to come back" },
    );
    expect(leases.map(({ job }) => [job.body, job.attempts])).toEqual([
      ['{"id":"1"}', 1],
      ['{"id":"2"}', 1],
      ['{"id":"3"}', 1],
    ]);
    expect(counts.reclaimed).toBe(3);
  });

  test("a lease that never arrived whole takes nothing", async () => {
    await using bench = await behindProxy();
    const { driver, proxy, redis } = bench;
    proxy.onRequest = once("EVALSHA", "half");
    await driver.lease("webhooks", wish()).catch(() => undefined);
    expect(await redis.client.llen(ready)).toBe(3);
    const leases = await until(() => driver.lease("webhooks", wish()).catch(() => null), { what: "a lease" });
    expect(leases.map(({ job }) => job.attempts)).toEqual([0, 0, 0]);
  });

  for (const direction of ["onReply", "onRequest"] as const) {
    test(`a settle cut half way (${direction}) can be repeated and takes effect once`, async () => {
      await using bench = await behindProxy();
      const { driver, proxy, redis } = bench;
      const [first, second, third] = await driver.lease("webhooks", wish());
      const settlements = [
        { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true, lease: first! },
        { verb: "replace", jobs: [{ id: "child", body: "c", endpoint: "e" }], lease: second! },
        { verb: "retry", delayMs: 60_000, lease: third! },
      ] as const;
      if (direction === "onReply") proxy.onReply = once("$3\r\n111", "half");
      else proxy.onRequest = once("EVALSHA", "half");
      const settling = driver.settle(settlements);
      expect(settling).rejects.toBeInstanceOf(DriverUnavailableError);
      await settling.catch(() => undefined);
      const results = await until(() => driver.settle(settlements).catch(() => null), { what: "the settle" });
      const again = direction === "onReply" ? "lost" : "settled";
      expect(results.map(({ status }) => status)).toEqual([again, again, again]);
      const stats = await driver.stats("webhooks");
      expect(stats).toMatchObject({ ready: 1, delayed: 1, leased: 0, dead: 1 });
      expect(await redis.client.hlen(`{${ready}}:leased`)).toBe(0);
    });
  }

  test("an enqueue whose answer is lost was written once, and its repetition is a duplicate", async () => {
    await using bench = await behindProxy();
    const { driver, proxy, redis } = bench;
    const job = newJob("mine", "{}", { dedup: { key: "mine", fingerprint: "f" } });
    // The answer to an enqueue of one job is two empty texts: no failure, and enqueued.
    proxy.onReply = once("*2\r\n$0\r\n\r\n$0", "half");
    const writing = driver.enqueue("webhooks", [job]);
    expect(writing).rejects.toBeInstanceOf(DriverUnavailableError);
    await writing.catch(() => undefined);
    const again = await until(() => driver.enqueue("webhooks", [job]).catch(() => null), {
      what: "an answer",
    });
    expect(again).toEqual([{ status: "duplicate", id: "mine" }]);
    expect(await redis.client.llen(`{${ready}}:own`)).toBe(1);
  });
});
