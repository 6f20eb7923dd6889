import { afterAll, beforeAll } from "bun:test";
import { Buffer } from "node:buffer";
import { redisCapabilities } from "../../src/queue/drivers/redis/driver.ts";
import { keyTypes, queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import { clusterOf, freshPrefix, redisDriver } from "../support/redis-driver.ts";
import {
  allScripts,
  commandsOf,
  deniedCommand,
  refusedBySetting,
  wrongType,
} from "../support/redis-faults.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { describeDriver } from "./conformance.ts";

/** Every command that any script runs, and those that run scripts. */
const commands = [...new Set(["EVALSHA", "BLMOVE", ...(await allScripts()).flatMap(commandsOf)])];
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
    async create(options) {
      const server = name === "redis" ? single : cluster;
      const prefix = freshPrefix();
      const user = `user-${prefix.slice(0, -1)}`;
      const { client } = server;
      await client.call("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all");
      const { all } = queueKeys(prefix, "webhooks");
      const typed = all.filter((_, index) => keyTypes[index] !== null);
      const keys = [...typed, ...["lane-a", "lane-b"].map((lane) => `${all[7]}:${lane}`)];
      const create = () =>
        redisDriver(
          server.port,
          {
            ...(name === "redis" ? {} : clusterOf(server.port)),
            prefix,
            username: user,
            password: "secret",
            queues: options.queues,
            deadLetterRetention: options.deadLetterRetention,
            ...(options.deadLetterRetentionMs === undefined
              ? {}
              : {
                  deadLetterRetentionMs: options.deadLetterRetentionMs,
                  deadLooks: { firstMs: 50, everyMs: 50 },
                }),
            deduplicationTtlMs: options.deduplicationTtlMs,
          },
          { events: options.events },
        );
      return {
        driver: create(),
        faults: {
          mayDouble: false,
          kinds: [
            ...commands.map((command) => deniedCommand(client, user, command)),
            ...keys.map((key) => wrongType(client, key)),
            refusedBySetting(client, "min-replicas-to-write", "1", "0"),
            refusedBySetting(client, "maxmemory", "1", "0"),
          ],
        },
        peer: () => Promise.resolve(create()),
        async produce(queue, body) {
          await server.client.rpush(
            `${prefix}queue:${queue}`,
            typeof body === "string" ? body : Buffer.from(body),
          );
        },
        async dispose() {
          await client.flushall();
          await client.call("ACL", "DELUSER", user);
        },
      };
    },
  });
}
