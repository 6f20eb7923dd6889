import { describe, expect, test } from "bun:test";
import { Cluster } from "ioredis";
import { clusterOf, countEvents, newJob, redisDriver, openInTheEnd } from "../support/redis-driver.ts";
import { consume, leftKeys, untilReceived } from "../support/redis-load.ts";
import { startCluster } from "../support/redis-server.ts";
import type { RedisCluster } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const ready = "sockudo_queue:queue:webhooks";
const scale = process.env["HOOKLINE_LONG"] === "1" ? 10 : 1;

/** A producer's own cluster client, as theirs: it finds the slot wherever it goes. */
function producerOf(cluster: RedisCluster): Cluster {
  const client = new Cluster(
    cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })),
    { redisOptions: { maxRetriesPerRequest: 1, replyMapping: "legacy" }, slotsRefreshTimeout: 2_000 },
  );
  client.on("error", () => undefined);
  return client;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a queue on a Redis Cluster of six processes", () => {
  test("its master killed: consumption goes on within 15 s, and no job that the replica had is lost", async () => {
    await using cluster = await startCluster({ replicas: true });
    const { events } = countEvents();
    // One seed only: the rest must be found, or the queue ends with its first master.
    const seed = cluster.masters[0]!;
    const driver = redisDriver(0, { ...clusterOf(seed.port), requestTimeoutMs: 500 }, { events });
    await openInTheEnd(driver);
    const consumer = consume(driver);
    const master = await cluster.masterOf(ready);

    // WAIT counts the replicas that have what this connection pushed: ids after which it said 1 are "had by
    // the replica". The others, confirmed by the master alone, are the ones that Redis itself may lose.
    const had: string[] = [];
    let unconfirmed = 0;
    for (let index = 0; index < 2_000 * scale; index += 100) {
      const ids = Array.from({ length: 100 }, (_, offset) => `a${index + offset}`);
      await master.client.rpush(ready, ...ids.map((id) => JSON.stringify({ id })));
      if ((await master.client.wait(1, 200)) >= 1) had.push(...ids);
      else unconfirmed += ids.length;
    }
    expect(await master.client.llen(ready)).toBeGreaterThan(0);
    await master.kill();
    const killed = consumer.received.times.size;
    expect(had.length).toBeGreaterThan(0);
    // More than one lease: the answer to one may have been on its way.
    await until(() => consumer.received.times.size > killed + 16, {
      timeoutMs: 90_000,
      what: "consumption to go on within 15 s",
    });
    await untilReceived(consumer.received, had, 30_000);

    // Redis answers for the slot again when a push goes through; hookline must follow without a restart.
    const producer = producerOf(cluster);
    const after = Array.from({ length: 50 }, (_, index) => `b${index}`);
    for (const id of after) {
      await until(
        () =>
          producer.rpush(ready, JSON.stringify({ id })).then(
            () => true,
            () => false,
          ),
        {
          what: "a push after the failover",
          timeoutMs: 20_000,
          everyMs: 50,
        },
      );
    }
    await untilReceived(consumer.received, after, 15_000);
    expect((await driver.enqueue("webhooks", [newJob("own", '{"id":"own"}')]))[0]?.status).toBe("enqueued");
    await untilReceived(consumer.received, ["own"]);
    console.log(
      `cluster failover: ${had.length} jobs had by the replica, ${unconfirmed} not, none of the first lost`,
    );
    await consumer.stop();
    producer.disconnect();
    await driver.close();
  }, 240_000);

  test("its slot migrated under load: nothing is lost, and it is consumed at the new node", async () => {
    await using cluster = await startCluster({ replicas: false });
    const driver = redisDriver(0, {
      ...clusterOf(...cluster.nodes.map(({ port }) => port)),
      requestTimeoutMs: 500,
      queues: ["webhooks"],
    });
    await openInTheEnd(driver);
    const consumer = consume(driver);
    const producer = producerOf(cluster);
    const ids: string[] = [];
    const enough = new AbortController();
    const pushes = (async () => {
      while (!enough.signal.aborted) {
        const id = `m${ids.length}`;
        // A push that was refused has not happened; one whose fate is unknown may come twice.
        const done = await producer.rpush(ready, JSON.stringify({ id })).then(
          () => true,
          () => false,
        );
        if (done) ids.push(id);
        await pause(1);
      }
    })();
    await until(() => consumer.received.times.size > 50, { what: "the load to flow" });

    const from = await cluster.masterOf(ready);
    const to = cluster.masters.find((node) => node !== from)!;
    const slot = String(await from.client.cluster("KEYSLOT", ready));
    const [fromId, toId] = await Promise.all(
      [from, to].map(async ({ client }) => String(await client.call("CLUSTER", "MYID"))),
    );
    await to.client.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId!);
    await from.client.call("CLUSTER", "SETSLOT", slot, "MIGRATING", toId!);
    // Half moved: the slot's keys are on both nodes for a while.
    await pause(200);
    for (;;) {
      const keys = (await from.client.call("CLUSTER", "GETKEYSINSLOT", slot, "2")) as string[];
      if (keys.length === 0) break;
      await from.client.call(
        "MIGRATE",
        "127.0.0.1",
        String(to.port),
        "",
        "0",
        "5000",
        "REPLACE",
        "KEYS",
        ...keys,
      );
      await pause(20);
    }
    for (const node of cluster.masters) await node.client.call("CLUSTER", "SETSLOT", slot, "NODE", toId!);
    expect(await cluster.masterOf(ready)).toBe(to);
    const before = ids.length;
    await until(() => ids.length > before + 100, { what: "pushes to go on", timeoutMs: 90_000 });
    enough.abort();
    await pushes;
    await untilReceived(consumer.received, ids);
    await until(async () => (await leftKeys(to.client)).length === 0, {
      what: "no key to be left",
      timeoutMs: 15_000,
    });
    expect(await leftKeys(from.client)).toEqual([]);
    await consumer.stop();
    producer.disconnect();
    await driver.close();
  }, 240_000);
});
