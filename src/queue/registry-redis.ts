import type { ConnectionOptions } from "node:tls";
import type { Config } from "../config/schema.ts";
import { encodeSockudo } from "../jobs/sockudo-write.ts";
import type { NewJob } from "./driver.ts";
import type { RedisAddress, RedisDriverOptions, RedisTarget } from "./drivers/redis/options.ts";

type DatabaseRedis = Config["database"]["redis"];

interface Access {
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly tls: ConnectionOptions | null;
}

/** What the redis and redis-cluster drivers need, from the configuration (contract §2). */
export function redisOptions(config: Config): RedisDriverOptions {
  return config.queue.driver === "redis-cluster" ? clusterOptions(config) : singleOptions(config);
}

function singleOptions(config: Config): RedisDriverOptions {
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
    encodeForSockudo: redis.write_for_sockudo ? sockudoEncoder(config) : null,
    configPath: url === null ? "database.redis" : "queue.redis.url_override",
    prefixPath: "queue.redis.prefix",
  };
}

function clusterOptions(config: Config): RedisDriverOptions {
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

function commonOptions(config: Config) {
  const { queues, redis, reliability } = config.queue;
  return {
    lookForOthersMs: redis.look_for_others ? 60_000 : null,
    queues: queues.map(({ name }) => name),
    deadLetterRetention: reliability.failed_retention ?? Number.MAX_SAFE_INTEGER,
    deadLetterRetentionMs: reliability.failed_retention_ms,
    deduplicationTtlMs: reliability.deduplication_ttl_ms,
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

function addressOf(url: URL): RedisAddress {
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
  };
}

function databaseAccess(database: DatabaseRedis): Access {
  return {
    username: database.username,
    password: database.password,
    db: database.db,
    tls: database.tls === null || database.tls === false ? null : tlsOptions(database.tls),
  };
}

/** A URL says it all but the certificates: rediss:// takes those of database.redis.tls. */
function urlAccess(url: URL, database: DatabaseRedis): Access {
  const isTls = url.protocol === "rediss:";
  return {
    username: url.username === "" ? null : decodeURIComponent(url.username),
    password: url.password === "" ? null : decodeURIComponent(url.password),
    db: Number(url.pathname.slice(1)),
    tls: isTls ? tlsOptions(database.tls ?? true) : null,
  };
}

function tlsOptions(tls: Exclude<DatabaseRedis["tls"], null>): ConnectionOptions {
  if (typeof tls === "boolean") return {};
  return {
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(tls.min_version === null ? {} : { minVersion: tls.min_version }),
  };
}

function sockudoEncoder(config: Config): (job: NewJob) => string | null {
  // What an app does not accept on the way out must not be written for it.
  const apps = config.apps.filter(({ accept }) => accept.includes("sockudo"));
  const findApp = (id: string | null, key: string | null) =>
    apps.find((app) => app.id === id) ?? apps.find((app) => app.key === key) ?? null;
  return (job) => encodeSockudo(job.body, job.id, findApp);
}
