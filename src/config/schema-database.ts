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
      port: v.optional(integer({ min: 1, max: 65_535 }, "Port."), 26_379),
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
        port: v.optional(integer({ min: 1, max: 65_535 }, "Port."), 6379),
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
  ca: v.optional(
    v.nullable(pem("CERTIFICATE", "Certificates to trust, in PEM, instead of the usual ones.")),
    null,
  ),
  cert: v.optional(v.nullable(pem("CERTIFICATE", "Client certificate, in PEM.")), null),
  key: v.optional(
    v.nullable(
      v.pipe(pem("PRIVATE KEY", "Private key of the client certificate, in PEM."), v.metadata(secretValue)),
    ),
    null,
  ),
  min_version: v.optional(
    v.nullable(choice(["TLSv1.2", "TLSv1.3"], "Oldest TLS version that is spoken.")),
    null,
  ),
});

/** `database.redis`: used where queue.redis.url_override is null. */
export const databaseSchema = v.strictObject({
  redis: v.optional(
    v.strictObject({
      host: v.optional(host("Host of the Redis server."), "127.0.0.1"),
      port: v.optional(integer({ min: 1, max: 65_535 }, "Port of the Redis server."), 6379),
      db: v.optional(integer({ min: 0 }, "Database number."), 0),
      username: v.optional(v.nullable(text("ACL user.")), null),
      password: v.optional(v.nullable(secretText("Password.")), null),
      name: v.optional(text("Name of the master that the Sentinels watch."), "mymaster"),
      sentinels: v.optional(v.array(sentinel, "an array of Sentinels"), []),
      sentinel_password: v.optional(v.nullable(secretText("Password of the Sentinels.")), null),
      cluster_nodes: v.optional(v.array(clusterNode, "an array of nodes"), []),
      tls: v.optional(
        v.pipe(
          v.nullable(v.union([flag("true: TLS with the usual certificates."), tlsSchema])),
          v.description(
            "TLS for host, Sentinel and cluster connections; true, or its settings. null = none.",
          ),
        ),
        null,
      ),
    }),
    {},
  ),
});
