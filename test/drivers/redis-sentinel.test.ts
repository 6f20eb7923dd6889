import { expect, test } from "bun:test";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { newJob, redisDriver, openInTheEnd } from "../support/redis-driver.ts";
import { consume, produce, untilReceived } from "../support/redis-load.ts";
import { startRedis, type RedisProcess } from "../support/redis-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;

interface Watched extends AsyncDisposable {
  readonly master: RedisProcess;
  readonly replica: RedisProcess;
  readonly sentinel: RedisProcess;
}

/** A master with a replica, and a Sentinel that knows both. */
async function startWatched(): Promise<Watched> {
  const started: RedisProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  const start = async (...options: Parameters<typeof startRedis>): Promise<RedisProcess> => {
    const server = await startRedis(...options);
    started.push(server);
    return server;
  };
  try {
    const master = await start();
    const replica = await start({ aof: true, args: ["--replicaof", "127.0.0.1", String(master.port)] });
    await until(async () => (await replica.client.info("replication")).includes("master_link_status:up"), {
      what: "the replica",
      timeoutMs: 15_000,
    });
    const sentinel = await start({
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
    return { master, replica, sentinel, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelAt(port: number): Partial<RedisDriverOptions> {
  return {
    requestTimeoutMs: 500,
    target: {
      mode: "sentinel",
      sentinels: [{ host: "127.0.0.1", port }],
      masterName: "mine",
      sentinelPassword: null,
    },
  };
}

test("Sentinel leads to the master, and to its successor", async () => {
  await using watched = await startWatched();
  const { master, replica, sentinel } = watched;
  const driver = redisDriver(0, sentinelAt(sentinel.port));
  await openInTheEnd(driver);
  const before = driver.durable?.();
  await driver.enqueue("webhooks", [newJob("before")]);
  await master.client.wait(1, 1_000);
  const consumer = consume(driver);
  await untilReceived(consumer.received, ["before"]);
  await master.kill();
  await until(async () => (await replica.client.info("replication")).includes("role:master"), {
    what: "the failover",
    timeoutMs: 20_000,
  });
  const { done, confirmed } = produce(replica.port, "sockudo_queue:queue:webhooks", 50);
  await done;
  await untilReceived(consumer.received, confirmed);
  // The new master keeps a file where the old one kept none.
  expect(before).toBe(false);
  await until(() => driver.durable?.() === true, { what: "the new master to be looked at" });
  await consumer.stop();
  await driver.close();
}, 240_000);

// Finding: ioredis ended the client for good, and the process waited for Redis until it was restarted.
test("a failover that is told while the Sentinel is being asked is followed too", async () => {
  await using watched = await startWatched();
  const { master, replica, sentinel } = watched;
  await using proxy = await startTcpProxy(sentinel.port);
  const driver = redisDriver(0, sentinelAt(proxy.port));
  await driver.open(opened);
  const consumer = consume(driver);
  await driver.enqueue("webhooks", [newJob("before")]);
  await untilReceived(consumer.received, ["before"]);

  let unanswered = 0;
  let told = 0;
  proxy.onRequest = (chunk) => {
    if (!/get-master-addr-by-name/i.test(chunk.toString("latin1"))) return "pass";
    unanswered += 1;
    return "cut";
  };
  proxy.onReply = (chunk) => {
    if (chunk.includes("+switch-master")) told += 1;
    return "pass";
  };
  for (const line of String(await master.client.client("LIST")).split("\n")) {
    if (line.includes("name=hookline-commands")) {
      await master.client.client("KILL", "ID", String(/id=(\d+)/.exec(line)?.[1]));
    }
  }
  await until(() => unanswered > 0, { what: "the Sentinel to be asked" });
  await sentinel.client.call("SENTINEL", "FAILOVER", "mine");
  await until(() => told > 0, { what: "the failover to be told", timeoutMs: 90_000 });
  proxy.onRequest = () => "pass";

  const { done, confirmed } = produce(replica.port, "sockudo_queue:queue:webhooks", 50);
  await done;
  await untilReceived(consumer.received, confirmed);
  expect((await driver.enqueue("webhooks", [newJob("after")]))[0]?.status).toBe("enqueued");
  await untilReceived(consumer.received, ["after"]);
  await consumer.stop();
  await driver.close();
}, 240_000);
