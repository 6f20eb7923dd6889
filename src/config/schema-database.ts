import * as v from "valibot";
import {
  checkedText,
  choice,
  flag,
  host,
  integer,
  secretAddress,
  secretText,
  secretValue,
  text,
} from "./kinds.ts";
import { setting } from "./setting.ts";
import { pemProblem } from "./pem.ts";
import { redisUrlProblem } from "./urls.ts";

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

const pem = (label: "CERTIFICATE" | "PRIVATE KEY", description: string) =>
  checkedText("PEM text", (text) => pemProblem(text, label), description);

/** TLS of one connection: to Redis, or to a receiver. */
export const tlsSchema = v.strictObject({
  ca: setting(v.nullable(pem("CERTIFICATE", "Certificates to trust, in PEM, instead of the usual ones.")), {
    default: null,
  }),
  cert: setting(v.nullable(pem("CERTIFICATE", "Client certificate, in PEM.")), { default: null }),
  key: setting(
    v.nullable(
      v.pipe(pem("PRIVATE KEY", "Private key of the client certificate, in PEM."), v.metadata(secretValue)),
    ),
    { default: null },
  ),
  min_version: setting(v.nullable(choice(["TLSv1.2", "TLSv1.3"], "Oldest TLS version that is spoken.")), {
    default: null,
  }),
});

/** `database.redis`: used where queue.redis.url_override is null. */
export const databaseSchema = v.strictObject({
  redis: setting(
    v.strictObject({
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
          v.description(
            "TLS for host, Sentinel and cluster connections; true, or its settings. null = none.",
          ),
        ),
        { env: "DATABASE_REDIS_TLS", default: null },
      ),
    }),
    { default: {} },
  ),
});
