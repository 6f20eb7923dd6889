import * as v from "valibot";
import { milliseconds, concurrency } from "../../../config/kinds.ts";
import { setting } from "../../../config/setting.ts";
import { noGrace, type Backend, type CommonConfig } from "../../backend.ts";
import { commonOptions, contradictCluster, longestWaitMs, prefix, wait } from "./common-settings.ts";
import {
  addressOf,
  clusterNode,
  database,
  databaseAccess,
  urlAccess,
  type DatabaseRedis,
} from "./database-settings.ts";
import type { RedisDriverOptions } from "./options.ts";

const section = v.strictObject({
  concurrency: setting(concurrency, { env: "REDIS_CLUSTER_QUEUE_CONCURRENCY", default: 5, reload: "live" }),
  prefix: setting(prefix, { env: "REDIS_CLUSTER_QUEUE_PREFIX", default: "sockudo_queue:" }),
  nodes: setting(v.pipe(v.array(clusterNode, "an array of node URLs"), v.minLength(1, "at least one node")), {
    env: "REDIS_CLUSTER_NODES",
    default: ["redis://127.0.0.1:6379"],
  }),
  request_timeout_ms: setting(milliseconds(1, "Longest wait for one command."), {
    env: "REDIS_CLUSTER_QUEUE_REQUEST_TIMEOUT_MS",
    default: 5000,
  }),
});

type Config = CommonConfig & {
  readonly queue: {
    readonly redis: { readonly look_for_others: boolean };
    readonly redis_cluster: v.InferOutput<typeof section>;
  };
  readonly database: { readonly redis: DatabaseRedis };
};

/** A Redis Cluster; `queue.redis_cluster`, and what its nodes' URLs leave out from `database.redis`. */
export const redisCluster = {
  queue: { redis_cluster: setting(section, { default: {}, reload: "restart" }) },
  database,
  unused: noGrace,
  wait,
  contradict({ config: { queue, database }, issue }) {
    const nodes = (queue?.redis_cluster?.nodes ?? []).map(
      (node, index) => [["queue", "redis_cluster", "nodes", index], node] as const,
    );
    contradictCluster(nodes, database?.redis, issue);
  },
  consuming: ({ queue: { redis_cluster: cluster, reliability } }) => ({
    concurrency: cluster.concurrency,
    leaseMs: reliability.lease_duration_ms,
    waitMs: longestWaitMs,
  }),
  async create(config, context) {
    const { createRedisDriver } = await import("./driver.ts");
    return createRedisDriver(redisClusterOptions(config), context);
  },
} satisfies Backend<Config>;

/** What the driver needs, from the configuration. */
export function redisClusterOptions(config: Config): RedisDriverOptions {
  const cluster = config.queue.redis_cluster;
  const database = config.database.redis;
  const urls = cluster.nodes.map((node) => new URL(node));
  // Any node's URL may carry the user; database.redis is asked where none does.
  const withUser = urls.find((url) => url.username !== "" || url.password !== "") ?? urls[0];
  const access = withUser === undefined ? databaseAccess(database) : urlAccess(withUser, database);
  const fallback = databaseAccess(database);
  return {
    ...commonOptions(config),
    ...access,
    username: access.password === null ? fallback.username : access.username,
    password: access.password ?? fallback.password,
    tls: access.tls ?? fallback.tls,
    name: "redis-cluster",
    target: { mode: "cluster", seeds: urls.map(addressOf) },
    prefix: cluster.prefix,
    requestTimeoutMs: cluster.request_timeout_ms,
    waitReplicas: 0,
    encodeForSockudo: null,
    configPath: "queue.redis_cluster.nodes",
    prefixPath: "queue.redis_cluster.prefix",
  };
}
