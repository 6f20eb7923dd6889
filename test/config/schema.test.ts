import { describe, expect, test } from "bun:test";
import { jsonSchema } from "../../src/config/json-schema.ts";
import { standardScheduleMs } from "../../src/config/schema-retry.ts";
import { app, appWith, issuesOf, load } from "./support.ts";

test("the defaults are those of contract §2", async () => {
  const { config } = await load(null);
  expect(config).toEqual({
    server: {
      host: "127.0.0.1",
      port: 9640,
      token: null,
      tokens: [],
      encryption_key: null,
      previous_encryption_keys: [],
      max_body_bytes: 1_048_576,
      dashboard: true,
    },
    queue: {
      driver: "memory",
      queues: [{ name: "webhooks", format: "jobs", url: null, endpoint: null, routes: [] }],
      consume: true,
      groups: [],
      memory: { capacity: 100_000, when_full: "evict_oldest", concurrency: 5 },
      file: {
        path: "./hookline-data",
        concurrency: 5,
        fsync: "always",
        fsync_interval_ms: 1000,
        max_bytes: null,
        min_free_mb: 256,
        allow_network_fs: false,
      },
      redis: {
        concurrency: 5,
        prefix: "sockudo_queue:",
        url_override: null,
        cluster_mode: false,
        write_for_sockudo: false,
        look_for_others: true,
        wait_replicas: 0,
      },
      redis_cluster: {
        concurrency: 5,
        prefix: "sockudo_queue:",
        nodes: ["redis://127.0.0.1:6379"],
        request_timeout_ms: 5000,
      },
      sqs: {
        region: "us-east-1",
        endpoint_url: null,
        queue_url: null,
        queue_url_prefix: null,
        client_options: {},
        visibility_timeout: 30,
        max_messages: 10,
        process_batch: true,
        wait_time_seconds: 5,
        polling_wait_time_ms: 0,
        concurrency: 5,
        fifo: false,
        message_group_id: "default",
        deduplication: "id",
        fifo_on_failure: "block",
        group_rate_limit: null,
        auto_create: true,
      },
      reliability: {
        lease_duration_ms: 30_000,
        shutdown_timeout_ms: 8000,
        failed_retention: null,
        failed_retention_ms: 2_592_000_000,
        deduplication_ttl_ms: 300_000,
        unknown_grace_ms: 900_000,
      },
    },
    database: {
      redis: {
        host: "127.0.0.1",
        port: 6379,
        db: 0,
        username: null,
        password: null,
        name: "mymaster",
        sentinels: [],
        sentinel_password: null,
        cluster_nodes: [],
        tls: null,
      },
    },
    webhooks: {
      request_timeout_ms: 10_000,
      retry: {
        max_attempts: 12,
        initial_backoff_ms: 1000,
        max_backoff_ms: 3_600_000,
        jitter: 0.2,
        schedule_ms: null,
        max_age_ms: null,
        retry_on: [],
        dead_on: [],
      },
      batching: { enabled: false, duration_ms: 50, size: 100 },
      max_in_flight: 1024,
    },
    reload: { watch: false, partial: false, revision: null },
    supervisor: {
      max_restarts: 8,
      within_ms: 60_000,
      restart_delay_ms: 100,
      max_restart_delay_ms: 5000,
      stall_ms: 60_000,
      allow_crash: false,
    },
    log: { level: "info", format: "json" },
    history: {
      enabled: true,
      path: null,
      memory_entries: 10_000,
      keep: "all",
      body: true,
      response_bytes: 1024,
      max_age_ms: 604_800_000,
      max_bytes: 1_073_741_824,
    },
    metrics: { endpoint_series: 500 },
    operator_events: [],
    egress: { deny: [], allow: [], deny_private: false, ports: null, proxy: null },
    apps: [],
    endpoints: {},
  });
});

test("a breaker, and what else a webhook may leave out, has its defaults", async () => {
  const { config } = await load({ apps: [appWith({})] });
  expect(config.apps[0]?.webhooks[0]).toMatchObject({
    breaker: { failure_share: 0.5, min_attempts: 20, window_ms: 60_000, open_ms: 30_000 },
    on_gone: "dead_letter",
    gone_threshold: 3,
    signing: "pusher",
    signing_keys: [],
    concurrency: null,
    rate_limit: null,
  });
});

test("a file that uses every later issue's keys checks", async () => {
  const pem = "-----BEGIN CERTIFICATE-----\nnot\n-----END CERTIFICATE-----";
  const file = {
    queue: {
      driver: "sqs",
      queues: [
        "webhooks",
        {
          name: "raw",
          format: "raw",
          routes: [{ match: { body: "job_class", prefix: "Mail" }, endpoint: "mail" }],
        },
      ],
      groups: [{ name: "g", concurrency: 3, queues: ["webhooks", { name: "raw", weight: 2 }] }],
      sqs: { fifo: true, message_group_id: "{app_id}_{channel}", group_rate_limit: { per_second: 0.5 } },
    },
    endpoints: {
      mail: { lambda: { function_name: "mail", region: "eu-west-1", async: true, client_options: { a: 1 } } },
    },
    apps: [
      appWith({
        filter: { channel_prefix: "a", channel_name_ends_with: "b", channel_pattern: "^a.*b$" },
        headers: { Authorization: "Bearer x" },
        retry: { schedule_ms: "standard", max_age_ms: 5, retry_on: [404], dead_on: [500], max_attempts: 3 },
        concurrency: 4,
        rate_limit: { per_second: 10, burst: 2 },
        breaker: { open_ms: 5 },
        on_gone: "disable",
        signing: "both",
        signing_keys: [
          { key: `whsec_${Buffer.alloc(32, 7).toString("base64")}`, not_after: "2030-01-01T00:00:00Z" },
        ],
        tls: { min_version: "tlsv1.3" },
        proxy: "http://user:password@proxy.test:3128",
      }),
    ],
    egress: {
      deny: ["10.0.0.0/8", "fd00::/8", "*.internal"],
      allow: ["10.1.2.3"],
      ports: [443],
      deny_private: true,
    },
  };
  expect(await issuesOf(file)).toEqual([]);
  expect(await issuesOf({ apps: [appWith({ tls: { ca: pem } })] })).toEqual([
    "apps.0.webhooks.0.tls.ca (file hookline.json): expected certificates in PEM that can be read, got a string of 57 characters",
  ]);
});

test("the standard schedule is that of Standard Webhooks: ten attempts, the last after 75:35:05", () => {
  expect(standardScheduleMs).toHaveLength(9);
  const total = standardScheduleMs.reduce((sum, delay) => sum + delay, 0);
  expect(total).toBe(((75 * 60 + 35) * 60 + 5) * 1000);
});

describe("one value that is wrong", () => {
  const webhook = "apps.0.webhooks.0";
  test.each<[file: object, line: string]>([
    [{ server: { port: "80" } }, 'server.port: expected an integer from 0 to 65535, got the string "80"'],
    [
      { server: { host: "http://x" } },
      'server.host: expected a host name or an IP address, without a port, got "http://x"',
    ],
    [
      { server: { token: "with space" } },
      "server.token: expected visible ASCII without spaces, got a string of 10 characters",
    ],
    [{ server: null }, "server: expected an object, got null"],
    [{ server: [] }, "server: expected an object, got an array"],
    [
      { webhooks: { request_timeout_ms: 2 ** 31 } },
      "webhooks.request_timeout_ms: expected at most 2147483647 milliseconds (24.8 days), got 2147483648",
    ],
    [
      { webhooks: { retry: { jitter: 1.5 } } },
      "webhooks.retry.jitter: expected a number from 0 to 1, got 1.5",
    ],
    [
      { webhooks: { retry: { schedule_ms: [] } } },
      "webhooks.retry.schedule_ms: expected at least one delay, or null, got an empty array",
    ],
    [
      { webhooks: { retry: { schedule_ms: [1, -1] } } },
      "webhooks.retry.schedule_ms.1: expected an integer of at least 0 (milliseconds), got -1",
    ],
    [
      { webhooks: { retry: { schedule_ms: "hourly" } } },
      'webhooks.retry.schedule_ms: expected one of "standard", an array or null, got "hourly"',
    ],
    [
      { webhooks: { retry: { dead_on: [200] } } },
      "webhooks.retry.dead_on.0: expected an integer from 300 to 599, got 200",
    ],
    [{ queue: { queues: [] } }, "queue.queues: expected at least one queue, got an empty array"],
    [
      { queue: { queues: ["a/b"] } },
      'queue.queues.0: expected a queue name of 1 to 70 letters, digits, _ and -, got "a/b"',
    ],
    [
      { queue: { queues: ["x".repeat(71)] } },
      "queue.queues.0: expected a queue name of 1 to 70 letters, digits, _ and -, got a string of 71 characters",
    ],
    [
      { queue: { queues: [5] } },
      "queue.queues.0: expected a queue name of 1 to 70 letters, digits, _ and - or an object, got 5",
    ],
    [
      { queue: { queues: [{ name: "a", formt: "raw" }] } },
      'queue.queues.0.formt: unknown key, did you mean "format"?',
    ],
    [
      { queue: { redis: { prefix: "a}b" } } },
      'queue.redis.prefix: expected a prefix without a lone brace: either none, or a complete hash tag as in {hookline}:, got "a}b"',
    ],
    [
      { queue: { redis: { prefix: "{}b" } } },
      'queue.redis.prefix: expected a prefix without a lone brace: either none, or a complete hash tag as in {hookline}:, got "{}b"',
    ],
    [
      { queue: { redis: { url_override: "http://x" } } },
      "queue.redis.url_override: expected a redis:// or rediss:// URL, got a string of 8 characters that begins with http://",
    ],
    [
      { queue: { redis: { url_override: "redis://:pw@h/db" } } },
      "queue.redis.url_override: expected a redis URL whose path is a database number, as in /0, got a string of 16 characters that begins with redis://",
    ],
    [
      { queue: { sqs: { max_messages: 11 } } },
      "queue.sqs.max_messages: expected an integer from 1 to 10, got 11",
    ],
    [
      { queue: { sqs: { message_group_id: "{ap_id}" } } },
      'queue.sqs.message_group_id: expected only the placeholders {app_id}, {channel}, {queue}, {event}, {group}, got "{ap_id}"',
    ],
    [
      { endpoints: { e: { url: "http://a.test:0/" } } },
      "endpoints.e.url: expected a URL with a port from 1 to 65535, got a string of 16 characters that begins with http://",
    ],
    [
      { endpoints: { e: { url: "http://a.test/", rate_limit: { per_second: 0 } } } },
      "endpoints.e.rate_limit.per_second: expected a number above 0, got 0",
    ],
    [
      { egress: { deny: ["10.0.0.0/33"] } },
      'egress.deny.0: expected an IP address, a CIDR range or a host name (the number of bits is wrong), got "10.0.0.0/33"',
    ],
    [
      { egress: { deny: ["10.0.0"] } },
      'egress.deny.0: expected an IP address, a CIDR range or a host name, got "10.0.0"',
    ],
    [
      { egress: { proxy: "socks5://x" } },
      "egress.proxy: expected an http:// or https:// URL, got a string of 10 characters that begins with socks5://",
    ],
    [{ apps: [{ id: "a", key: "k" }] }, "apps.0.secret: is missing: expected a string that is not empty"],
    [
      { apps: [app({ id: "a/b" })] },
      'apps.0.id: expected 1 to 128 visible ASCII characters without /, got "a/b"',
    ],
    [
      { apps: [app({ secret: 5 })] },
      "apps.0.secret: expected a string that is not empty, got a number that is not shown",
    ],
    [
      { apps: [app({ accept: ["stripe"] })] },
      'apps.0.accept.0: expected one of "soketi", "sockudo", "native", got "stripe"',
    ],
    [
      { apps: [appWith({ url: "https://x.test/a#b" })] },
      `${webhook}.url: expected a URL without a fragment (#…), which is never sent, got a string of 18 characters that begins with https://`,
    ],
    [
      { apps: [appWith({ url: "https:/x.test" })] },
      `${webhook}.url: expected an http:// or https:// URL, got a string of 13 characters`,
    ],
    [
      { apps: [appWith({ url: "https://x.test/a b" })] },
      `${webhook}.url: expected a URL without spaces or line breaks, got a string of 18 characters that begins with https://`,
    ],
    [
      { apps: [appWith({ event_types: [] })] },
      `${webhook}.event_types: expected at least one event type, since otherwise nothing is ever delivered, got an empty array`,
    ],
    [
      { apps: [appWith({ headers: { "X-A": "a\r\nb" } })] },
      `${webhook}.headers.X-A: expected a header value without control characters, each below U+0100, got a string of 4 characters`,
    ],
    [
      { apps: [appWith({ headers: { "X-A": 5 } })] },
      `${webhook}.headers.X-A: expected a string, got a number that is not shown`,
    ],
    [
      { apps: [appWith({ signing_keys: [{ key: "whsec_c2hvcnQ=" }] })] },
      `${webhook}.signing_keys.0.key: expected 24 to 64 bytes after whsec_, got 5`,
    ],
    [
      { apps: [appWith({ signing_keys: [{ key: "whpk_AAAA" }] })] },
      `${webhook}.signing_keys.0.key: expected a secret key (whsk_), got a public one`,
    ],
    [
      { apps: [appWith({ tls: { key: "/etc/key.pem" } })] },
      `${webhook}.tls.key: expected PEM text (-----BEGIN PRIVATE KEY-----); to read it from a file, use the environment name with _FILE, got a string of 12 characters`,
    ],
    [
      { apps: [appWith({ retry: { max_attempts: 0 } })] },
      `${webhook}.retry.max_attempts: expected an integer of at least 1, got 0`,
    ],
    [{ apps: [appWith({ filtr: {} })] }, `${webhook}.filtr: unknown key, did you mean "filter"?`],
    [
      { apps: [appWith({ requestTimeoutMs: 5 })] },
      `${webhook}.requestTimeoutMs: unknown key, did you mean "request_timeout_ms"?`,
    ],
    [
      { webhooks: { batching: { duration: 5 } } },
      'webhooks.batching.duration: unknown key, did you mean "duration_ms"?',
    ],
    [{ max_attempts: 5 }, 'max_attempts: unknown key, did you mean "webhooks.retry.max_attempts"?'],
    [
      { endpoints: { "..": { url: "http://x" } } },
      'endpoints...: expected a name of 1 to 128 letters, digits and . _ : @ -, not "." or "..", got ".."',
    ],
    [
      { apps: [app({ id: "-" })] },
      'apps.0.id: expected an id other than "-", "." and "..", which mean something else in /v1/endpoints/{app}/{name}, got "-"',
    ],
    [
      { endpoints: { "a b": { url: "http://x" } } },
      'endpoints.a b: expected a name of 1 to 128 letters, digits and . _ : @ -, not "." or "..", got "a b"',
    ],
  ])("%j", async (file, line) => {
    const colon = line.indexOf(":");
    const where = `${line.slice(0, colon)} (file hookline.json)`;
    expect((await issuesOf(file))[0]).toBe(`${where}${line.slice(colon)}`);
  });

  test("a bad regular expression says why", async () => {
    const [line] = await issuesOf({ apps: [appWith({ filter: { channel_pattern: "a(" } })] });
    expect(line).toStartWith(
      "apps.0.webhooks.0.filter.channel_pattern (file hookline.json): expected a regular expression (",
    );
  });

  // Finding: a costly channel_pattern blocks the process. What cannot be matched in linear time is refused.
  test("a regular expression with lookaround or a backreference is refused", async () => {
    const file = { apps: [appWith({ filter: { channel_pattern: "^(?!private-)" } })] };
    expect(await issuesOf(file)).toEqual([
      expect.stringContaining(
        'filter.channel_pattern (file hookline.json): expected a regular expression (RE2\'s syntax, which is matched in linear time, has no lookaround: "(?!")',
      ),
    ]);
  });
});

describe("JSON Schema", () => {
  const schema = jsonSchema() as { properties: Record<string, { properties?: Record<string, unknown> }> };

  test("has every key with description and default, and refuses others", () => {
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
    expect(Object.keys(schema.properties)).toEqual([
      "$schema",
      "server",
      "queue",
      "database",
      "webhooks",
      "reload",
      "supervisor",
      "log",
      "metrics",
      "history",
      "operator_events",
      "egress",
      "apps",
      "endpoints",
    ]);
    expect(schema.properties["server"]?.properties?.["port"]).toEqual({
      type: "integer",
      minimum: 0,
      maximum: 65_535,
      default: 9640,
      description: "Port of the admin API; 0 = any free one.",
      "x-env": ["HOOKLINE_PORT"],
      "x-reload": "restart",
    });
  });

  test("every key is described", () => {
    const bare: string[] = [];
    const visit = (node: unknown, path: string): void => {
      const { description, properties, anyOf, items } = node as {
        description?: string;
        properties?: object;
        anyOf?: { description?: string }[];
        items?: object;
      };
      const isDescribed =
        description !== undefined || anyOf?.some((branch) => branch.description !== undefined);
      if (properties === undefined && isDescribed !== true && items === undefined) bare.push(path);
      for (const [key, child] of Object.entries(properties ?? {})) visit(child, `${path}.${key}`);
    };
    visit(schema, "");
    expect(bare).toEqual([]);
  });
});
