import * as v from "valibot";
import type { ConnectionOptions } from "node:tls";
import { checkedText, flag, host, integer, secretAddress, secretText, text } from "../../../config/kinds.ts";
import { setting } from "../../../config/setting.ts";
import { tlsSchema } from "../../../config/tls.ts";
import type { RedisAddress } from "./options.ts";
import { redisUrlProblem } from "./url.ts";

/** `host:port`, or `{host, port}` as Sockudo and Soketi write it; comes out as `{host, port}`. */
const sentinel = v.pipe(
  v.union([
    v.pipe(
      v.string(),
      v.regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:/@?#]+):\d{1,5}$/, "host:port"),
      v.transform((address) => {
        const colon = address.lastIndexOf(":");
        const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
        return { host, port: Number(address.slice(colon + 1)) };
      }),
    ),
    v.strictObject({
      host: host("Host name or IP address."),
      port: setting(integer({ min: 1, max: 65_535 }, "Port."), { default: 26_379 }),
    }),
  ]),
  v.description("A Sentinel: host:port or {host, port}."),
);

/** redis://host:port, or `{host, port}`; comes out as a URL. */
export const clusterNode = v.pipe(
  v.union([
    v.pipe(
      checkedText("a redis:// or rediss:// URL", redisUrlProblem, "A seed node: redis://host:port."),
      v.metadata(secretAddress),
    ),
    v.pipe(
      v.strictObject({
        host: host("Host name or IP address."),
        port: setting(integer({ min: 1, max: 65_535 }, "Port."), { default: 6379 }),
      }),
      v.transform(({ host, port }) => `redis://${host.includes(":") ? `[${host}]` : host}:${port}`),
    ),
  ]),
  v.description("A seed node: redis://host:port or {host, port}."),
);

const section = v.strictObject({
  host: setting(host("Host of the Redis server."), {
    env: "DATABASE_REDIS_HOST",
    envSoketi: "SOKETI_DB_REDIS_HOST",
    default: "127.0.0.1",
  }),
  port: setting(integer({ min: 1, max: 65_535 }, "Port of the Redis server."), {
    env: "DATABASE_REDIS_PORT",
    envSoketi: "SOKETI_DB_REDIS_PORT",
    default: 6379,
  }),
  db: setting(integer({ min: 0 }, "Database number."), {
    env: "DATABASE_REDIS_DB",
    envSoketi: "SOKETI_DB_REDIS_DB",
    default: 0,
  }),
  username: setting(v.nullable(text("ACL user.")), {
    env: "DATABASE_REDIS_USERNAME",
    envSoketi: "SOKETI_DB_REDIS_USERNAME",
    default: null,
  }),
  password: setting(v.nullable(secretText("Password.")), {
    env: "DATABASE_REDIS_PASSWORD",
    envSoketi: "SOKETI_DB_REDIS_PASSWORD",
    default: null,
  }),
  name: setting(text("Name of the master that the Sentinels watch."), {
    env: "DATABASE_REDIS_NAME",
    envSoketi: "SOKETI_DB_REDIS_INSTANCE_NAME",
    default: "mymaster",
  }),
  sentinels: setting(v.array(sentinel, "an array of Sentinels"), {
    env: "DATABASE_REDIS_SENTINELS",
    envSoketi: "SOKETI_DB_REDIS_SENTINELS",
    default: [],
  }),
  sentinel_password: setting(v.nullable(secretText("Password of the Sentinels.")), {
    env: "DATABASE_REDIS_SENTINEL_PASSWORD",
    envSoketi: "SOKETI_DB_REDIS_SENTINEL_PASSWORD",
    default: null,
  }),
  cluster_nodes: setting(v.array(clusterNode, "an array of nodes"), {
    env: "DATABASE_REDIS_CLUSTER_NODES",
    envSoketi: "SOKETI_DB_REDIS_CLUSTER_NODES",
    default: [],
  }),
  tls: setting(
    v.pipe(
      v.nullable(v.union([flag("true: TLS with the usual certificates."), tlsSchema])),
      v.description("TLS for host, Sentinel and cluster connections; true, or its settings. null = none."),
    ),
    { env: "DATABASE_REDIS_TLS", default: null },
  ),
});

/** `database.redis`: the server of the redis driver where queue.redis.url_override is null, and what a URL cannot say. */
export const database = { redis: setting(section, { default: {} }) };

/** A checked `database.redis`. */
export type DatabaseRedis = v.InferOutput<typeof section>;

/** Who connects, to which database, and with which TLS. */
export interface Access {
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly tls: ConnectionOptions | null;
}

/** The address in a checked Redis URL. */
export function addressOf(url: URL): RedisAddress {
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
  };
}

/** Access as `database.redis` says it. */
export function databaseAccess(database: DatabaseRedis): Access {
  return {
    username: database.username,
    password: database.password,
    db: database.db,
    tls: database.tls === null || database.tls === false ? null : tlsOptions(database.tls),
  };
}

/** A URL says it all but the certificates: rediss:// takes those of database.redis.tls. */
export function urlAccess(url: URL, database: DatabaseRedis): Access {
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
