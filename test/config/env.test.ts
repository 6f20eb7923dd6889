import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { envNames } from "../../src/config/env-names.ts";
import { configSchema } from "../../src/config/schema.ts";
import { envMetadataOf, knownPaths, nodeAt, type SchemaNode } from "../../src/config/schema-tree.ts";
import { certificates } from "../support/certificates.ts";
import { app, inDirectory, issuesOf, load } from "./support.ts";

/** The value at a dotted path of the loaded configuration. */
async function valueOf(path: string, env: Record<string, string>, file: unknown = null): Promise<unknown> {
  const { config } = await load(file, { env });
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config);
}

describe("names", () => {
  test("no name stands for two keys, and none is spelled like another key's general name", () => {
    const stated = knownPaths(configSchema).flatMap((path) =>
      envMetadataOf(nodeAt(configSchema, path) as SchemaNode).map(([name]) => name),
    );
    expect(stated.length).toBeGreaterThan(70);
    expect(stated.filter((name, index) => stated.indexOf(name) !== index)).toEqual([]);
    expect([...envNames.keys()]).toEqual(stated);
    expect(stated.filter((name) => name.includes("__"))).toEqual([]);
  });

  test.each([
    ["HOOKLINE_HOST", "0.0.0.0", "server.host", "0.0.0.0"],
    ["HOOKLINE_PORT", "8080", "server.port", 8080],
    ["HOOKLINE_TOKEN", "0123456789abcdef", "server.token", "0123456789abcdef"],
    ["QUEUE_CONSUME", "no", "queue.consume", false],
    ["QUEUE_MEMORY_CONCURRENCY", "6", "queue.memory.concurrency", 6],
    ["QUEUE_MEMORY_CAPACITY", "7", "queue.memory.capacity", 7],
    ["REDIS_CLUSTER_QUEUE_REQUEST_TIMEOUT_MS", "9", "queue.redis_cluster.request_timeout_ms", 9],
    ["SOKETI_QUEUE_DRIVER", "SQS", "queue.driver", "sqs"],
    ["SOKETI_DB_REDIS_HOST", "redis.test", "database.redis.host", "redis.test"],
    [
      "SOKETI_DB_REDIS_CLUSTER_NODES",
      '[{"host":"a","port":7}]',
      "database.redis.cluster_nodes",
      ["redis://a:7"],
    ],
    ["SOKETI_QUEUE_REDIS_CLUSTER_MODE", "true", "queue.redis.cluster_mode", true],
    ["SOKETI_WEBHOOKS_BATCHING", "1", "webhooks.batching.enabled", true],
    ["QUEUE_REDIS_PREFIX", "sockudo_queue::", "queue.redis.prefix", "sockudo_queue::"],
    ["QUEUE_REDIS_URL", "rediss://u:p@h:1/2", "queue.redis.url_override", "rediss://u:p@h:1/2"],
    ["REDIS_URL", "redis://h", "queue.redis.url_override", "redis://h"],
    ["DATABASE_REDIS_DB", "3", "database.redis.db", 3],
    [
      "DATABASE_REDIS_SENTINELS",
      "a:1,[::1]:2",
      "database.redis.sentinels",
      [
        { host: "a", port: 1 },
        { host: "::1", port: 2 },
      ],
    ],
    ["DATABASE_REDIS_TLS", "yes", "database.redis.tls", true],
    [
      "REDIS_CLUSTER_NODES",
      "redis://a:1, redis://b:2",
      "queue.redis_cluster.nodes",
      ["redis://a:1", "redis://b:2"],
    ],
    ["REDIS_CLUSTER_NODES", '[{"host":"::1","port":7}]', "queue.redis_cluster.nodes", ["redis://[::1]:7"]],
    ["SOKETI_QUEUE_SQS_CLIENT_OPTIONS", '{"maxRetries":3}', "queue.sqs.client_options", { maxRetries: 3 }],
    ["SOKETI_QUEUE_SQS_BATCH_SIZE", "4", "queue.sqs.max_messages", 4],
    ["SOKETI_QUEUE_SQS_PROCESS_BATCH", "FALSE", "queue.sqs.process_batch", false],
    ["SOKETI_QUEUE_SQS_URL", "http://sqs.test/q.fifo", "queue.sqs.queue_url", "http://sqs.test/q.fifo"],
    ["QUEUE_RETRY_JITTER", "0.5", "webhooks.retry.jitter", 0.5],
    ["WEBHOOK_BATCHING_DURATION", "75", "webhooks.batching.duration_ms", 75],
    ["LOG_LEVEL", "WARN", "log.level", "warn"],
    ["QUEUE_DRIVER", "Redis-Cluster", "queue.driver", "redis-cluster"],
    ["HOOKLINE_SERVER__MAX_BODY_BYTES", "10", "server.max_body_bytes", 10],
    ["HOOKLINE_QUEUE__REDIS_CLUSTER__REQUEST_TIMEOUT_MS", "9", "queue.redis_cluster.request_timeout_ms", 9],
    ["HOOKLINE_WEBHOOKS__RETRY__SCHEDULE_MS", "5, 10", "webhooks.retry.schedule_ms", [5, 10]],
    ["HOOKLINE_WEBHOOKS__RETRY__SCHEDULE_MS", "Standard", "webhooks.retry.schedule_ms", "standard"],
    ["HOOKLINE_WEBHOOKS__RETRY__MAX_AGE_MS", "null", "webhooks.retry.max_age_ms", null],
    ["HOOKLINE_EGRESS__DENY", "10.0.0.0/8, *.internal", "egress.deny", ["10.0.0.0/8", "*.internal"]],
    ["HOOKLINE_EGRESS", '{"deny_private":true}', "egress.deny_private", true],
  ])("%s=%s sets %s", async (name, text, path, value) => {
    expect(await valueOf(path, { [name]: text })).toEqual(value);
  });

  test("every key has a general name", async () => {
    const isLeaf = (path: string[]): boolean =>
      knownPaths(configSchema).every(
        (other) => other.length <= path.length || !path.every((key, index) => other[index] === key),
      );
    const names = knownPaths(configSchema)
      .filter(isLeaf)
      .map((path) => `HOOKLINE_${path.join("__").toUpperCase()}`);
    // A value that fits nothing: each name is known, and its key complains (or takes it, where any text will do).
    const env = Object.fromEntries(names.map((name) => [name, " \u{0} "]));
    const lines = await issuesOf(null, { env });
    expect(lines.filter((line) => line.includes("unknown name"))).toEqual([]);
    expect(lines.length).toBeGreaterThan(60);
  });

  test("a name inside a map means the one that the file has", async () => {
    const file = { endpoints: { "billing-eu": { url: "http://a.test", headers: { "X-Key": "old" } } } };
    const env = { HOOKLINE_ENDPOINTS__BILLING_EU__HEADERS__X_KEY: "new" };
    expect(await valueOf("endpoints.billing-eu.headers.X-Key", env, file)).toBe("new");
    expect(await issuesOf(file, { env: { HOOKLINE_ENDPOINTS__OTHER__URL: "http://b.test" } })).toEqual([
      "(env HOOKLINE_ENDPOINTS__OTHER__URL): unknown name: endpoints has no such name yet; set a new one as JSON in HOOKLINE_ENDPOINTS",
    ]);
  });

  test.each([
    ["HOOKLINE_SERVER_PORT", "HOOKLINE_SERVER__PORT"],
    ["HOOKLINE_PROT", "HOOKLINE_PORT"],
    ["HOOKLINE_QUEUE_DRIVER", "QUEUE_DRIVER"],
    ["HOOKLINE_CONFIG_FILE", "HOOKLINE_CONFIG"],
    ["HOOKLINE_LOG__LEVELS", "HOOKLINE_LOG__LEVEL"],
  ])("%s is unknown: did you mean %s?", async (name, meant) => {
    expect(await issuesOf(null, { env: { [name]: "1" } })).toEqual([
      `(env ${name}): unknown name, did you mean ${meant}?`,
    ]);
  });

  test("variables of others are not looked at", async () => {
    const env = {
      PATH: "/bin",
      SOKETI_DEBUG: "1",
      MY_HOOKLINE_PORT: "x",
      hookline_port: "x",
    };
    expect(await issuesOf(null, { env })).toEqual([]);
  });

  test.each([
    ["QUEUE_DRIVR", "; did you mean QUEUE_DRIVER?"],
    ["QUEUE_REDIS_CONCURENCY", "; did you mean QUEUE_REDIS_CONCURRENCY?"],
    ["WEBHOOK_REQUEST_TIMEOUT", "; did you mean WEBHOOK_REQUEST_TIMEOUT_MS?"],
    ["DATABASE_REDIS_PASSWRD_FILE", "; did you mean DATABASE_REDIS_PASSWORD?"],
    ["SOKETI_QUEUE_SQS_QUEUE_URL", "; did you mean SOKETI_QUEUE_SQS_URL?"],
    ["REDIS_CLUSTER_NODE", "; did you mean REDIS_CLUSTER_NODES?"],
    ["QUEUE_", ""],
  ])("%s begins like ours and is none: a warning, without its value", async (name, meant) => {
    const { warnings } = await load({ apps: [app()] }, { env: { [name]: "redis-HUNTER22" } });
    expect(warnings).toEqual([`${name} is not read: hookline knows no variable of this name${meant}`]);
    expect(await issuesOf({ server: { port: -1 } }, { env: { [name]: "x" } })).toHaveLength(1);
  });

  test("settings of Sockudo and Soketi that have no counterpart are told so, Kubernetes' links are not", async () => {
    const env = {
      QUEUE_WORKER_PREFETCH: "1",
      SOKETI_QUEUE_REDIS_OPTIONS: "{}",
      QUEUE_PORT: "tcp://10.0.0.7:80",
      REDIS_CLUSTER_SERVICE_HOST: "10.0.0.8",
      REDIS_CLUSTER_SERVICE_PORT: "6379",
      QUEUE_EMPTY: "",
    };
    expect((await load({ apps: [app()] }, { env })).warnings).toEqual([
      "QUEUE_WORKER_PREFETCH is not read: hookline has nothing like this setting of Sockudo's",
      "SOKETI_QUEUE_REDIS_OPTIONS is not read: hookline has nothing like this setting of Soketi's",
      "ignored QUEUE_PORT, REDIS_CLUSTER_SERVICE_HOST, REDIS_CLUSTER_SERVICE_PORT: set by Kubernetes for a Service, not meant for hookline",
    ]);
  });

  test("HOOKLINE_URL belongs to the command line", async () => {
    expect(await issuesOf(null, { env: { HOOKLINE_URL: "http://x" } })).toEqual([]);
  });
});

describe("values", () => {
  test("an empty string is not set", async () => {
    expect(await valueOf("server.port", { HOOKLINE_PORT: "", HOOKLINE_TOKEN_FILE: "" })).toBe(9640);
  });

  test.each(["true", "1", "yes", "on", "TRUE", " Yes "])("%s is true", async (text) => {
    expect(await valueOf("queue.redis.cluster_mode", { HOOKLINE_QUEUE__REDIS__CLUSTER_MODE: text })).toBe(
      true,
    );
  });

  test.each(["false", "0", "no", "off", "OFF"])("%s is false", async (text) => {
    expect(await valueOf("queue.consume", { QUEUE_CONSUME: text })).toBe(false);
  });

  test.each([
    ["QUEUE_CONSUME", "maybe", 'queue.consume (env QUEUE_CONSUME): expected true or false, got "maybe"'],
    [
      "QUEUE_REDIS_CONCURRENCY",
      "five",
      'queue.redis.concurrency (env QUEUE_REDIS_CONCURRENCY): expected an integer of at least 1, got "five"',
    ],
    [
      "QUEUE_REDIS_CONCURRENCY",
      "0x10",
      'queue.redis.concurrency (env QUEUE_REDIS_CONCURRENCY): expected an integer of at least 1, got "0x10"',
    ],
    [
      "QUEUE_REDIS_CONCURRENCY",
      "1.5",
      "queue.redis.concurrency (env QUEUE_REDIS_CONCURRENCY): expected an integer of at least 1, got 1.5",
    ],
    [
      "HOOKLINE_PORT",
      "Infinity",
      'server.port (env HOOKLINE_PORT): expected an integer from 0 to 65535, got "Infinity"',
    ],
    [
      "QUEUE_DRIVER",
      "kafka",
      'queue.driver (env QUEUE_DRIVER): expected one of "memory", "file", "redis", "redis-cluster", "sqs", "none", got "kafka"',
    ],
    [
      "HOOKLINE_APPS",
      "[{]",
      "apps (env HOOKLINE_APPS): not JSON: expected a key in double quotes (at character 3)",
    ],
    ["HOOKLINE_APPS", "a,b", "apps (env HOOKLINE_APPS): expected a JSON array, as in [ … ]"],
    ["HOOKLINE_SERVER", "x", "server (env HOOKLINE_SERVER): expected an object, got a string of 1 character"],
    ["HOOKLINE_SERVER", '{"prot":1}', 'server.prot (env HOOKLINE_SERVER): unknown key, did you mean "port"?'],
    ["HOOKLINE_SERVER", '{"port":1,"port":2}', "server.port (env HOOKLINE_SERVER): this key stands twice"],
  ])("%s=%s is an issue that names both", async (name, text, line) => {
    expect(await issuesOf(null, { env: { [name]: text } })).toEqual([line]);
  });

  test("what looks like a number stays a string where a string is wanted", async () => {
    const env = {
      HOOKLINE_APPS__0__SECRET: "123456",
      DATABASE_REDIS_PASSWORD: "true",
      HOOKLINE_TOKEN: "null",
    };
    const { config } = await load({ apps: [app()] }, { env });
    expect(config.apps[0]?.secret).toBe("123456");
    expect(config.database.redis.password).toBe("true");
    expect(config.server.token).toBe("null");
  });
});

describe("_FILE", () => {
  test("reads the value, without the line break at its end", () =>
    inDirectory(async (directory) => {
      const file = join(directory, "token");
      await writeFile(file, "0123456789abcdef\r\n");
      const loaded = await load(null, { env: { HOOKLINE_TOKEN_FILE: file } });
      expect(loaded.config.server.token).toBe("0123456789abcdef");
      expect(loaded.sourceOf("server.token")).toBe("env HOOKLINE_TOKEN_FILE");
    }));

  test("works with general names, fallbacks, and elements of arrays", () =>
    inDirectory(async (directory) => {
      const file = join(directory, "value");
      await writeFile(file, "redis://from.file");
      expect(await valueOf("queue.redis.url_override", { REDIS_URL_FILE: file })).toBe("redis://from.file");
      expect(
        await valueOf("queue.redis.url_override", { HOOKLINE_QUEUE__REDIS__URL_OVERRIDE_FILE: file }),
      ).toBe("redis://from.file");
      const env = { HOOKLINE_APPS__0__SECRET_FILE: file };
      expect(await valueOf("apps.0.secret", env, { apps: [app()] })).toBe("redis://from.file");
    }));

  test("a file that is missing, a directory, empty or not UTF-8 is an issue that names it", () =>
    inDirectory(async (directory) => {
      const [empty, bad, missing] = ["empty", "bad", "missing"].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      await writeFile(empty, "\n");
      await writeFile(bad, new Uint8Array([0x61, 0xff]));
      const line = async (file: string) => await issuesOf(null, { env: { HOOKLINE_TOKEN_FILE: file } });
      const where = "server.token (env HOOKLINE_TOKEN_FILE)";
      expect(await line(missing)).toEqual([`${where}: cannot read ${missing}: no such file`]);
      expect(await line(directory)).toEqual([`${where}: cannot read ${directory}: it is a directory`]);
      expect(await line(empty)).toEqual([`${where}: ${empty} is empty`]);
      expect(await line(bad)).toEqual([`${where}: ${bad} is not UTF-8: the byte at offset 1 is wrong`]);
    }));

  test("NAME beside NAME_FILE is an error naming both, whatever they hold", () =>
    inDirectory(async (directory) => {
      const file = join(directory, "token");
      await writeFile(file, "same-value-of-both");
      const env = { HOOKLINE_TOKEN: "same-value-of-both", HOOKLINE_TOKEN_FILE: file };
      expect(await issuesOf(null, { env })).toEqual([
        "server.token (env HOOKLINE_TOKEN): HOOKLINE_TOKEN_FILE is set too; unset one of them",
      ]);
    }));
});

describe("two names of one key", () => {
  test.each([
    ["QUEUE_SQS_REGION", "a", "SOKETI_QUEUE_SQS_REGION", "b", "queue.sqs.region"],
    ["HOOKLINE_PORT", "1", "HOOKLINE_SERVER__PORT", "2", "server.port"],
    ["HOOKLINE_QUEUE", '{"driver":"redis"}', "QUEUE_DRIVER", "memory", "queue.driver"],
    ["HOOKLINE_APPS", '[{"id":"a","key":"k","secret":"s"}]', "HOOKLINE_APPS__0__ID", "b", "apps.0.id"],
    ["QUEUE_NAMES", "a", "HOOKLINE_QUEUE__QUEUES", '["a","b"]', "queue.queues"],
  ])("%s=%s and %s=%s contradict each other", async (one, first, two, second, path) => {
    const lines = await issuesOf(null, { env: { [one]: first, [two]: second } });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(path);
    expect(lines[0]).toContain(one);
    expect(lines[0]).toContain(two);
  });

  test("with the same value, however it is spelled, they agree", async () => {
    const env = {
      QUEUE_CONSUME: "no",
      HOOKLINE_QUEUE__CONSUME: "0",
      QUEUE_DRIVER: "NONE",
      HOOKLINE_QUEUE: '{"driver":"none"}',
    };
    expect(await valueOf("queue.consume", env)).toBe(false);
  });

  test("REDIS_URL steps back for QUEUE_REDIS_URL without a word", async () => {
    const env = { REDIS_URL: "redis://other", QUEUE_REDIS_URL: "redis://queue" };
    expect(await valueOf("queue.redis.url_override", env)).toBe("redis://queue");
  });
});

describe("Kubernetes service links", () => {
  const links = {
    HOOKLINE_SERVICE_HOST: "10.0.0.7",
    HOOKLINE_SERVICE_PORT: "9640",
    HOOKLINE_SERVICE_PORT_HTTP: "9640",
    HOOKLINE_PORT: "tcp://10.0.0.7:9640",
    HOOKLINE_PORT_9640_TCP: "tcp://10.0.0.7:9640",
    HOOKLINE_PORT_9640_TCP_PROTO: "tcp",
    HOOKLINE_PORT_9640_TCP_PORT: "9640",
    HOOKLINE_PORT_9640_TCP_ADDR: "10.0.0.7",
    HOOKLINE_DNS_PORT: "udp://10.0.0.8:53",
    HOOKLINE_DNS_PORT_53_UDP: "udp://10.0.0.8:53",
    DATABASE_REDIS_PORT: "tcp://10.0.0.9:6379",
  };

  test("are ignored, with one line that names them", async () => {
    const loaded = await load(null, { env: links });
    expect(loaded.config.server.port).toBe(9640);
    expect(loaded.config.database.redis.port).toBe(6379);
    const lines = loaded.warnings.filter((line) => line.includes("Kubernetes"));
    expect(lines).toHaveLength(1);
    for (const name of Object.keys(links)) expect(lines[0]).toContain(name);
  });

  test("do not hide a port of our own", async () => {
    expect(await valueOf("server.port", { ...links, HOOKLINE_PORT: "81" })).toBe(81);
    expect(await issuesOf(null, { env: { HOOKLINE_PORT: "http://x" } })).toHaveLength(1);
  });
});

describe("Soketi's environment", () => {
  const soketi = {
    SOKETI_QUEUE_DRIVER: "sqs",
    SOKETI_QUEUE_SQS_URL: "https://sqs.eu-central-1.amazonaws.com/1234/soketi.fifo",
    SOKETI_QUEUE_SQS_REGION: "eu-central-1",
  };

  test("is enough to drain its queue", async () => {
    const { config, warnings, sourceOf } = await load({ apps: [app()] }, { env: soketi });
    expect(config.queue).toMatchObject({ driver: "sqs", sqs: { queue_url: soketi.SOKETI_QUEUE_SQS_URL } });
    expect(sourceOf("queue.driver")).toBe("env SOKETI_QUEUE_DRIVER");
    expect(warnings).toEqual([]);
  });

  test.each([
    ["redis", "BullMQ"],
    ["Sync", "without a queue"],
  ])("with the driver %s is warned of, whatever driver hookline has", async (driver, says) => {
    for (const env of [{}, { QUEUE_DRIVER: "none" }]) {
      const { config, warnings } = await load(
        { apps: [app()] },
        { env: { ...env, SOKETI_QUEUE_DRIVER: driver } },
      );
      expect(config.queue.driver).toBe("QUEUE_DRIVER" in env ? "none" : "memory");
      expect(warnings).toEqual([expect.stringContaining(says)]);
    }
  });

  test("with another driver than hookline's is a contradiction, with none of Soketi's an error", async () => {
    expect(await issuesOf(null, { env: { ...soketi, QUEUE_DRIVER: "redis" } })).toEqual([
      "queue.driver (env QUEUE_DRIVER): SOKETI_QUEUE_DRIVER sets the same key to another value; unset one of them",
    ]);
    expect(await issuesOf(null, { env: { ...soketi, QUEUE_DRIVER: "sqs" } })).toEqual([]);
    expect(await issuesOf(null, { env: { SOKETI_QUEUE_DRIVER: "sqss" } })).toEqual([
      'queue.driver (env SOKETI_QUEUE_DRIVER): expected one of "sqs", "redis", "sync", the queue drivers of Soketi',
    ]);
  });

  test("of its own connection counts after what hookline was told, by name or in the file", async () => {
    const env = { SOKETI_DB_REDIS_HOST: "soketi.test", SOKETI_DB_REDIS_PORT: "7", DATABASE_REDIS_PORT: "8" };
    expect(await valueOf("database.redis.host", env, { database: { redis: { host: "ours.test" } } })).toBe(
      "ours.test",
    );
    expect(await valueOf("database.redis.host", env)).toBe("soketi.test");
    expect(await valueOf("database.redis.port", env)).toBe(8);
  });
});

test("NODE_EXTRA_CA_CERTS that names nothing usable is warned of: the runtime itself says nothing", async () => {
  await inDirectory(async (cwd) => {
    const none = join(cwd, "none.pem");
    const text = join(cwd, "text.pem");
    await writeFile(text, "-----BEGIN CERTIFICATE-----\nnot\n-----END CERTIFICATE-----\n");
    const warningsOf = async (path: string): Promise<readonly string[]> =>
      (await load({ apps: [app()] }, { env: { NODE_EXTRA_CA_CERTS: path } })).warnings;
    const start = "NODE_EXTRA_CA_CERTS is not used, only the usual authorities are trusted: ";
    expect(await warningsOf(none)).toEqual([`${start}cannot read ${none}: no such file`]);
    expect(await warningsOf(text)).toEqual([`${start}it holds no certificates in PEM that can be read`]);
    expect(await warningsOf("")).toEqual([]);
    await writeFile(text, certificates().ca);
    expect(await warningsOf(text)).toEqual([]);
  });
});
