import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Finding } from "../../src/problems/finding.ts";
import { keyTypes, queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import { clusterOf, freshPrefix, newJob, redisDriver, wish } from "../support/redis-driver.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const opened = new AbortController().signal;
let single: RedisProcess;
let cluster: RedisProcess;

beforeAll(async () => {
  [single, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});
afterAll(async () => {
  await Promise.all([single.stop(), cluster.stop()]);
});

// Finding: one overwritten ready list ended the start of the process with 78, for all queues.
test.each(["redis", "redis-cluster"] as const)(
  "on %s a key of the wrong type at the start breaks its queue only, which works again when the key is right",
  async (name) => {
    const { port, client } = name === "redis" ? single : cluster;
    const typed = keyTypes.flatMap((type, index) => (type === null ? [] : [{ index, type }]));
    expect(typed.length).toBeGreaterThan(10);
    for (const { index, type } of typed) {
      const prefix = freshPrefix();
      const key = queueKeys(prefix, "webhooks").all[index] as string;
      await client.set(key, "text");
      const driver = redisDriver(port, { ...(name === "redis" ? {} : clusterOf(port)), prefix });
      const told = (): readonly Finding[] =>
        (driver.problems?.() ?? []).filter(({ kind }) => kind === "queue_broken");
      await driver.open(opened);
      expect(told().map(({ object }) => [key, object])).toEqual([[key, "webhooks"]]);
      expect(told()[0]?.detail).toContain(`the key ${key} is a string where a ${type} belongs`);
      // The other queue works, and this one's failures end nothing.
      await driver.enqueue("other", [newJob("b")]);
      const [other] = await driver.lease("other", wish());
      expect((await driver.settle([{ verb: "ack", lease: other! }]))[0]?.status).toBe("settled");
      await driver.enqueue("webhooks", [newJob("early")]).catch(() => undefined);
      await driver.lease("webhooks", wish()).catch(() => undefined);
      await client.del(key);
      const ids: string[] = [];
      await driver.enqueue("webhooks", [newJob("late")]);
      await until(
        async () => {
          const leases = await driver.lease("webhooks", wish({ waitMs: 50 }));
          ids.push(...leases.map(({ job }) => job.id));
          await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
          return ids.includes("late");
        },
        { what: `the job after ${key} was right again` },
      );
      await until(() => told().length === 0, { what: `the end of the problem with ${key}` });
      await driver.close();
    }
  },
  120_000,
);
