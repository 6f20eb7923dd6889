import { afterAll, beforeAll } from "bun:test";
import { Buffer } from "node:buffer";
import { redisCapabilities } from "../../src/queue/drivers/redis/driver.ts";
import { clusterOf, freshPrefix, redisDriver } from "../support/redis-driver.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { describeDriver } from "./conformance.ts";

let single: RedisProcess;
let cluster: RedisProcess;

beforeAll(async () => {
  [single, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});

afterAll(async () => {
  await Promise.all([single.stop(), cluster.stop()]);
});

for (const name of ["redis", "redis-cluster"] as const) {
  describeDriver(name, {
    capabilities: redisCapabilities,
    timing: { leaseMs: 150, delayMs: 100 },
    create(options) {
      const server = name === "redis" ? single : cluster;
      const prefix = freshPrefix();
      const create = () =>
        redisDriver(
          server.port,
          {
            ...(name === "redis" ? {} : clusterOf(server.port)),
            prefix,
            queues: options.queues,
            deadLetterRetention: options.deadLetterRetention,
            deduplicationTtlMs: options.deduplicationTtlMs,
          },
          { events: options.events },
        );
      return Promise.resolve({
        driver: create(),
        peer: () => Promise.resolve(create()),
        async produce(queue, body) {
          await server.client.rpush(
            `${prefix}queue:${queue}`,
            typeof body === "string" ? body : Buffer.from(body),
          );
        },
        async dispose() {
          await server.client.flushall();
        },
      });
    },
  });
}
