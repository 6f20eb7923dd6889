import * as v from "valibot";
import { checkedText, flag, integer, secretAddress, concurrency } from "../../../config/kinds.ts";
import { setting } from "../../../config/setting.ts";
import { noGrace, type Backend, type BackendView, type CommonConfig } from "../../backend.ts";
import { commonOptions, contradictCluster, longestWaitMs, prefix, wait } from "./common-settings.ts";
import { addressOf, database, databaseAccess, urlAccess, type DatabaseRedis } from "./database-settings.ts";
import type { RedisDriverOptions, RedisTarget } from "./options.ts";
import { redisUrlProblem } from "./url.ts";

const section = v.strictObject({
  concurrency: setting(concurrency, {
    env: "QUEUE_REDIS_CONCURRENCY",
    envSoketi: "SOKETI_QUEUE_REDIS_CONCURRENCY",
    default: 5,
    reload: "live",
  }),
  prefix: setting(prefix, { env: "QUEUE_REDIS_PREFIX", default: "sockudo_queue:" }),
  url_override: setting(
    v.nullable(
      v.pipe(
        checkedText(
          "a redis:// or rediss:// URL",
          redisUrlProblem,
          "redis:// or rediss:// with user, password, db; null = database.redis.",
        ),
        v.metadata(secretAddress),
      ),
    ),
    { env: "QUEUE_REDIS_URL", envFallback: "REDIS_URL", default: null },
  ),
  cluster_mode: setting(flag("As redis-cluster; seeds = database.redis.cluster_nodes, else the URL."), {
    envSoketi: "SOKETI_QUEUE_REDIS_CLUSTER_MODE",
    default: false,
  }),
  write_for_sockudo: setting(
    flag("Own jobs go to the producers' list in Sockudo's full form, app_secret included."),
    { default: false },
  ),
  look_for_others: setting(
    flag("Look for jobs that Sockudo or Soketi left where nothing drains them, and warn of them."),
    { default: true },
  ),
  wait_replicas: setting(integer({ min: 0 }, "Enqueue waits for so many replicas (WAIT)."), { default: 0 }),
});

type Config = CommonConfig & {
  readonly queue: { readonly redis: v.InferOutput<typeof section> };
  readonly database: { readonly redis: DatabaseRedis };
};

/** The driver's options; the apps whose jobs are written for Sockudo stand in place of the encoder. */
type RedisSettings = Omit<RedisDriverOptions, "encodeForSockudo"> & {
  readonly sockudoApps: CommonConfig["apps"] | null;
};

/** One Redis server, or one that Sentinels name; with `cluster_mode` a Redis Cluster. `queue.redis`, `database.redis`. */
export const redis = {
  queue: { redis: setting(section, { default: {}, reload: "restart" }) },
  database,
  unused: noGrace,
  wait,
  contradict: contradictInUse,
  consuming: ({ queue: { redis, reliability } }) => ({
    concurrency: redis.concurrency,
    leaseMs: reliability.lease_duration_ms,
    waitMs: longestWaitMs,
  }),
  async create(config, context) {
    const { createRedisDriver } = await import("./driver.ts");
    const { liveSockudoEncoder, sockudoEncoder } = await import("./sockudo-encoder.ts");
    const { sockudoApps, ...options } = redisOptions(config);
    const { findApp } = context;
    const encodeForSockudo =
      sockudoApps === null
        ? null
        : findApp === undefined
          ? sockudoEncoder(sockudoApps)
          : liveSockudoEncoder(findApp);
    return createRedisDriver({ ...options, encodeForSockudo }, context);
  },
} satisfies Backend<Config>;

function contradictInUse({ config, written, issue, warn }: BackendView<Config>): void {
  const { url_override: url, ...redis } = config.queue?.redis ?? {};
  const database = config.database?.redis;
  if (redis.write_for_sockudo === true) {
    warn("queue.redis.write_for_sockudo: jobs enqueued here stand in Redis with their app_secret");
  }
  if (typeof url === "string") contradictUrl(url, database?.tls, issue);
  if (redis.cluster_mode === true) {
    const nodes = (database?.cluster_nodes ?? []).map(
      (node, index) => [["database", "redis", "cluster_nodes", index], node] as const,
    );
    contradictCluster([[["queue", "redis", "url_override"], url], ...nodes], database, issue);
  }
  const unused = written(["database", "redis"]).filter(
    (key) => key !== "tls" && !(key === "cluster_nodes" && redis.cluster_mode === true),
  );
  if (typeof url === "string" && unused.length > 0) {
    warn(`database.redis.${unused.join(", ")}: not used, because queue.redis.url_override is set`);
  }
}

/** The scheme of the URL says whether there is TLS. */
function contradictUrl(url: string, tls: unknown, issue: BackendView<Config>["issue"]): void {
  const isTlsUrl = /^rediss:/i.test(url);
  if (isTlsUrl && tls === false) {
    issue(["database", "redis", "tls"], "false contradicts the rediss:// of queue.redis.url_override");
  } else if (!isTlsUrl && tls !== undefined && tls !== null && tls !== false) {
    issue(
      ["database", "redis", "tls"],
      "has no effect beside the redis:// of queue.redis.url_override: write rediss://",
    );
  }
}

/** What the driver needs, from the configuration. */
export function redisOptions(config: Config): RedisSettings {
  const { redis } = config.queue;
  const database = config.database.redis;
  const url = redis.url_override === null ? null : new URL(redis.url_override);
  const access = url === null ? databaseAccess(database) : urlAccess(url, database);
  return {
    ...commonOptions(config),
    ...access,
    name: "redis",
    target: redis.cluster_mode
      ? clusterTarget(database.cluster_nodes, url, database)
      : singleTarget(url, database),
    prefix: redis.prefix,
    // Redis itself has no such setting in the contract; the cluster's default serves both.
    requestTimeoutMs: 5_000,
    waitReplicas: redis.wait_replicas,
    // What an app does not accept on the way out must not be written for it.
    sockudoApps: redis.write_for_sockudo
      ? config.apps.filter(({ accept }) => accept.includes("sockudo"))
      : null,
    configPath: url === null ? "database.redis" : "queue.redis.url_override",
    prefixPath: "queue.redis.prefix",
  };
}

function singleTarget(url: URL | null, database: DatabaseRedis): RedisTarget {
  if (url !== null) return { mode: "single", address: addressOf(url) };
  if (database.sentinels.length > 0) {
    return {
      mode: "sentinel",
      sentinels: database.sentinels,
      masterName: database.name,
      sentinelPassword: database.sentinel_password,
    };
  }
  return { mode: "single", address: { host: database.host, port: database.port } };
}

/** Seeds of `cluster_mode`: database.redis.cluster_nodes, else the URL, else database.redis itself. */
function clusterTarget(nodes: readonly string[], url: URL | null, database: DatabaseRedis): RedisTarget {
  if (nodes.length > 0) return { mode: "cluster", seeds: nodes.map((node) => addressOf(new URL(node))) };
  const seed = url === null ? { host: database.host, port: database.port } : addressOf(url);
  return { mode: "cluster", seeds: [seed] };
}
