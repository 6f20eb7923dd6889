import { expect, test } from "bun:test";
import { compareConfigs, keepRestartKeys, reloadKindAt } from "../../src/config/reload-kind.ts";
import { configSchema } from "../../src/config/schema.ts";
import { knownPaths } from "../../src/config/schema-tree.ts";
import { load } from "./support.ts";

const leaves = (): string[] => {
  const all = knownPaths(configSchema).map((path) => path.join("."));
  return all.filter((path) => !all.some((other) => other.startsWith(`${path}.`)));
};

// A new key must be decided on here: one that is live has to be followed by everything that reads it.
test("each key has an answer: these are live, all others need a restart", () => {
  const kinds = leaves().map((path) => [path, reloadKindAt(path.split("."))] as const);
  expect(kinds.filter(([, kind]) => kind === null)).toEqual([]);
  expect(kinds.filter(([, kind]) => kind === "live").map(([path]) => path)).toEqual([
    "server.token",
    "server.tokens",
    "server.encryption_key",
    "server.previous_encryption_keys",
    "server.max_body_bytes",
    "server.dashboard",
    "queue.queues",
    "queue.memory.concurrency",
    "queue.file.concurrency",
    "queue.redis.concurrency",
    "queue.redis_cluster.concurrency",
    "queue.sqs.concurrency",
    "queue.reliability.lease_duration_ms",
    "queue.reliability.shutdown_timeout_ms",
    "webhooks.request_timeout_ms",
    "webhooks.retry.max_attempts",
    "webhooks.retry.initial_backoff_ms",
    "webhooks.retry.max_backoff_ms",
    "webhooks.retry.jitter",
    "webhooks.retry.schedule_ms",
    "webhooks.retry.max_age_ms",
    "webhooks.retry.retry_on",
    "webhooks.retry.dead_on",
    "webhooks.batching.enabled",
    "webhooks.batching.duration_ms",
    "webhooks.batching.size",
    "webhooks.max_in_flight",
    "reload.watch",
    "reload.partial",
    "reload.revision",
    "log.level",
    "log.format",
    "metrics.endpoint_series",
    "history.enabled",
    "history.memory_entries",
    "history.keep",
    "history.body",
    "history.response_bytes",
    "history.max_age_ms",
    "history.max_bytes",
    "operator_events",
    "egress.deny",
    "egress.allow",
    "egress.deny_private",
    "egress.ports",
    "egress.proxy",
    "apps",
    "endpoints",
  ]);
});

const hook = (name: string, url: string) => ({ name, url, event_types: ["a"] });

test("apps, webhooks and queues are compared by id and name", async () => {
  const { config: now } = await load({
    apps: [
      {
        secret: "s",
        id: "a",
        key: "key-a",
        webhooks: [hook("one", "http://a/1"), hook("two", "http://a/2")],
      },
      { secret: "s", id: "b", key: "key-b" },
    ],
    endpoints: { billing: { url: "http://b/" } },
    queue: { queues: ["webhooks", { name: "raw", endpoint: "billing" }] },
  });
  const { config: next } = await load({
    apps: [
      { secret: "s", id: "c", key: "key-c" },
      {
        secret: "s",
        id: "a",
        key: "key-a",
        webhooks: [hook("one", "http://a/other"), hook("three", "http://a/3")],
      },
    ],
    endpoints: { billing: { url: "http://b/", headers: { "x-a": "1" } }, other: { url: "http://c/" } },
    queue: { queues: ["webhooks", { name: "raw", endpoint: "other" }], memory: { concurrency: 7 } },
    log: { level: "debug" },
  });
  expect(
    compareConfigs(now, next)
      .map(({ path, kind }) => `${path} ${kind}`)
      .sort(),
  ).toEqual(
    [
      "apps.a.webhooks.one.url live",
      "apps.a.webhooks.three live",
      "apps.a.webhooks.two live",
      "apps.b live",
      "apps.c live",
      "endpoints.billing.headers.x-a live",
      "endpoints.other live",
      "log.level live",
      "queue.memory.concurrency live",
      "queue.queues.raw.endpoint live",
    ].sort(),
  );
  expect(compareConfigs(now, structuredClone(now))).toEqual([]);
});

test("names of queues, their addresses, the driver, host and port need a restart", async () => {
  const { config: now } = await load({ queue: { queues: ["a", "b"] } });
  const pathsOf = async (file: object): Promise<string[]> =>
    compareConfigs(now, (await load(file)).config)
      .filter(({ kind }) => kind === "restart")
      .map(({ path }) => path);
  expect(await pathsOf({ queue: { queues: ["a", "c"] } })).toEqual(["queue.queues"]);
  expect(await pathsOf({ queue: { queues: ["b", "a"] } })).toEqual(["queue.queues"]);
  const other = {
    server: { host: "127.0.0.2", port: 1 },
    queue: { queues: ["a", "b"], driver: "file", file: { path: "/elsewhere" } },
    supervisor: { max_restarts: 1 },
    database: { redis: { host: "redis" } },
  };
  expect(await pathsOf(other)).toEqual([
    "server.host",
    "server.port",
    "queue.driver",
    "queue.file.path",
    "database.redis.host",
    "supervisor.max_restarts",
  ]);
});

test("a partial reload keeps exactly what needs a restart", async () => {
  const { config: now } = await load({ queue: { queues: ["a"] }, endpoints: { old: { url: "http://a/" } } });
  const { config: next } = await load({
    server: { port: 1, max_body_bytes: 77 },
    queue: { queues: [{ name: "a", endpoint: "new" }, "b"], driver: "file", memory: { concurrency: 9 } },
    endpoints: { new: { url: "http://b/" } },
    supervisor: { max_restarts: 1 },
  });
  const merged = keepRestartKeys(now, next);
  expect(compareConfigs(now, merged).filter(({ kind }) => kind === "restart")).toEqual([]);
  expect(merged).toEqual({
    ...now,
    server: { ...now.server, max_body_bytes: 77 },
    endpoints: next.endpoints,
    queue: {
      ...now.queue,
      memory: { ...now.queue.memory, concurrency: 9 },
      queues: [next.queue.queues[0]!],
    },
  });
});
