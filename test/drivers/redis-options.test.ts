import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { configSchema } from "../../src/config/schema.ts";
import { decodeJob } from "../../src/jobs/decode.ts";
import { encodeSockudo } from "../../src/jobs/sockudo-write.ts";
import { redisClusterOptions } from "../../src/queue/drivers/redis/cluster-settings.ts";
import { redisOptions } from "../../src/queue/drivers/redis/settings.ts";
import { sockudoEncoder } from "../../src/queue/drivers/redis/sockudo-encoder.ts";
import { newJob } from "../support/redis-driver.ts";

const optionsOf = (config: object) => redisOptions(v.parse(configSchema, config));
const clusterOptionsOf = (config: object) => redisClusterOptions(v.parse(configSchema, config));

describe("redis options from the configuration", () => {
  test("defaults: a local server, Sockudo's prefix, five seconds", () => {
    expect(optionsOf({ queue: { driver: "redis" } })).toMatchObject({
      name: "redis",
      target: { mode: "single", address: { host: "127.0.0.1", port: 6379 } },
      username: null,
      password: null,
      db: 0,
      tls: null,
      prefix: "sockudo_queue:",
      queues: ["webhooks"],
      requestTimeoutMs: 5_000,
      deadLetterRetention: Number.MAX_SAFE_INTEGER,
      deduplicationTtlMs: 300_000,
      waitReplicas: 0,
      sockudoApps: null,
      configPath: "database.redis",
    });
  });

  test("a URL wins over database.redis, percent-encoded credentials and IPv6 included", () => {
    const database = { redis: { host: "elsewhere", password: "other", db: 5, sentinels: ["s:26379"] } };
    const url = "redis://us%40er:p%2Fw%3A%25@[::1]:6380/3";
    expect(optionsOf({ queue: { driver: "redis", redis: { url_override: url } }, database })).toMatchObject({
      target: { mode: "single", address: { host: "::1", port: 6380 } },
      username: "us@er",
      password: "p/w:%",
      db: 3,
      tls: null,
      configPath: "queue.redis.url_override",
    });
    const bare = optionsOf({ queue: { driver: "redis", redis: { url_override: "rediss://host" } } });
    expect(bare).toMatchObject({
      target: { address: { host: "host", port: 6379 } },
      password: null,
      db: 0,
      tls: {},
    });
  });

  test("TLS: as database.redis says, for rediss:// with its certificates, never for redis://", () => {
    expect(optionsOf({ queue: { driver: "redis" }, database: { redis: { tls: true } } }).tls).toEqual({});
    expect(optionsOf({ queue: { driver: "redis" }, database: { redis: { tls: false } } }).tls).toBeNull();
    const database = { redis: { tls: { min_version: "TLSv1.3" } } };
    const over = (url: string) =>
      optionsOf({ queue: { driver: "redis", redis: { url_override: url } }, database }).tls;
    expect(over("rediss://host")).toEqual({ minVersion: "TLSv1.3" });
    expect(over("redis://host")).toBeNull();
  });

  test("Sentinels, where database.redis names them", () => {
    const redis = {
      sentinels: ["a:26379", { host: "b" }],
      name: "mine",
      sentinel_password: "s",
      password: "p",
    };
    expect(optionsOf({ queue: { driver: "redis" }, database: { redis } })).toMatchObject({
      target: {
        mode: "sentinel",
        sentinels: [
          { host: "a", port: 26_379 },
          { host: "b", port: 26_379 },
        ],
        masterName: "mine",
        sentinelPassword: "s",
      },
      password: "p",
    });
  });

  test("a cluster: its nodes and timeout, or cluster_mode with seeds from database.redis or the URL", () => {
    const cluster = {
      nodes: ["redis://u:p@a:7000", { host: "b", port: 7001 }],
      request_timeout_ms: 900,
      prefix: "x:",
    };
    expect(clusterOptionsOf({ queue: { driver: "redis-cluster", redis_cluster: cluster } })).toMatchObject({
      name: "redis-cluster",
      target: {
        mode: "cluster",
        seeds: [
          { host: "a", port: 7000 },
          { host: "b", port: 7001 },
        ],
      },
      username: "u",
      password: "p",
      requestTimeoutMs: 900,
      prefix: "x:",
    });
    const mode = (redis: object, database: object = {}) =>
      optionsOf({
        queue: { driver: "redis", redis: { cluster_mode: true, ...redis } },
        database: { redis: database },
      });
    expect(mode({}, { cluster_nodes: ["redis://c:1"] }).target).toEqual({
      mode: "cluster",
      seeds: [{ host: "c", port: 1 }],
    });
    expect(mode({ url_override: "redis://d:2" }).target).toEqual({
      mode: "cluster",
      seeds: [{ host: "d", port: 2 }],
    });
    expect(mode({}).target).toEqual({ mode: "cluster", seeds: [{ host: "127.0.0.1", port: 6379 }] });
  });
});

describe("write_for_sockudo", () => {
  const payload =
    '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"room","n":12345678901234567890}]}';
  const app = { id: "app-1", key: "key-1", secret: "s3cret" };
  const findApp = (id: string | null) => (id === "app-1" ? app : null);

  test("a job becomes Sockudo's form, payload byte for byte, and is read back as the same job", () => {
    const written = encodeSockudo(`{"app_id":"app-1","payload":${payload}}`, "job-1", findApp);
    expect(written).toBe(
      `{"app_key":"key-1","app_id":"app-1","app_secret":"s3cret","original_signature":"app-1:room:channel_occupied","job_id":"job-1","payload":${payload}}`,
    );
    expect(decodeJob(written!, { format: "auto" })).toMatchObject({
      kind: "pusher",
      source: "sockudo",
      id: "job-1",
      appId: "app-1",
      payload,
    });
  });

  test("what has no such form stays: unknown apps, generic jobs, deliveries, bytes", () => {
    const bodies = [
      `{"app_id":"other","payload":${payload}}`,
      '{"type":"a","data":{},"endpoint":"e"}',
      `{"hookline":1,"id":"a","kind":"pusher","app_id":"app-1","endpoint":"e","delivery_id":"a_1","payload":${payload}}`,
      "not JSON",
    ];
    for (const body of bodies) expect(encodeSockudo(body, "job-1", findApp)).toBeNull();
    expect(encodeSockudo(Uint8Array.of(0xff), "job-1", findApp)).toBeNull();
  });

  test("only for apps that accept Sockudo's form", () => {
    const config = (accept: string[]) => ({
      queue: { driver: "redis", redis: { write_for_sockudo: true } },
      apps: [{ ...app, accept, webhooks: [{ url: "http://a.test/", event_types: ["channel_occupied"] }] }],
    });
    const job = newJob("job-1", `{"app_id":"app-1","payload":${payload}}`);
    const encode = (accept: string[]) => sockudoEncoder(optionsOf(config(accept)).sockudoApps ?? [])(job);
    expect(encode(["sockudo"])).toContain('"app_secret":"s3cret"');
    expect(encode(["native"])).toBeNull();
  });
});
