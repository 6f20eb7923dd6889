import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { app, appWith, issuesOf, load } from "./support.ts";

const receiver = { url: "https://receiver.test/hook", event_types: ["x"] };
const key = (fill: number): { key: string } => ({
  key: `whsec_${Buffer.alloc(24, fill).toString("base64")}`,
});

/** The issues without their source. */
const bare = async (file: object): Promise<string[]> =>
  (await issuesOf(file)).map((line) => line.replace(" (file hookline.json)", ""));

test("two queues with one URL", async () => {
  const url = "https://sqs.eu-west-1.amazonaws.com/123456789012/one";
  const queues = [
    { name: "a", url },
    { name: "b", url },
  ];
  expect(await bare({ queue: { driver: "sqs", queues } })).toEqual([
    "queue.queues.1.url: is the URL of queue.queues.0 too",
  ]);
});

describe("apps and endpoints", () => {
  test.each<[what: string, file: object, lines: string[]]>([
    [
      "a duplicate app id",
      { apps: [app(), app({ key: "k2" })] },
      ['apps.1.id: "app-1" is the id of apps.0 too; ids must be unique'],
    ],
    [
      "a duplicate key, which is not quoted",
      { apps: [app(), app({ id: "app-2" })] },
      ["apps.1.key: is the key of apps.0 too; keys must be unique"],
    ],
    [
      "a duplicate webhook name in one app",
      {
        apps: [
          app({
            webhooks: [
              { ...receiver, name: "a" },
              { ...receiver, url: "http://b.test", name: "a" },
            ],
          }),
        ],
      },
      ['apps.0.webhooks.1.name: "a" is the name of apps.0.webhooks.0 too; give one another name'],
    ],
    [
      "neither URL nor function",
      { apps: [appWith({ url: undefined })], endpoints: { e: {} } },
      [
        "apps.0.webhooks.0: needs url, lambda_function or lambda: where should deliveries go?",
        "endpoints.e: needs url, lambda_function or lambda: where should deliveries go?",
      ],
    ],
    [
      "both",
      { apps: [appWith({ lambda_function: "f" })] },
      ["apps.0.webhooks.0: has both a URL and a Lambda function; it can have one"],
    ],
    [
      "two names for one function",
      { endpoints: { e: { lambda_function: "f", lambda: { function_name: "g" } } } },
      ["endpoints.e.lambda.function_name: lambda_function names another function; set one of them"],
    ],
    [
      "a lambda without a name",
      { endpoints: { e: { lambda: { async: true } } } },
      ["endpoints.e.lambda.function_name: is missing"],
    ],
    [
      "one header in two spellings",
      { apps: [appWith({ headers: { "X-A": "1", "x-a": "2" } })] },
      ['apps.0.webhooks.0.headers.x-a: is the same header as "X-A"'],
    ],
    [
      "user info beside an authorization header",
      { apps: [appWith({ url: "https://u:p@h.test", headers: { authorization: "Bearer x" } })] },
      [
        "apps.0.webhooks.0.headers.authorization: the URL's user info is an authorization header too; set one of them",
      ],
    ],
    [
      "a backoff above its own limit, or above the common one",
      {
        webhooks: { retry: { max_backoff_ms: 500 } },
        apps: [appWith({ retry: { initial_backoff_ms: 600 } })],
      },
      [
        "webhooks.retry.max_backoff_ms: 500 is below initial_backoff_ms (1000, default)",
        "apps.0.webhooks.0.retry.initial_backoff_ms: 600 is above webhooks.retry.max_backoff_ms (500, file hookline.json)",
      ],
    ],
    [
      "a status that is both retried and given up",
      { webhooks: { retry: { retry_on: [404, 410], dead_on: [410] } } },
      ["webhooks.retry.dead_on: 410: stands in retry_on too"],
    ],
    [
      "standard signatures without a key",
      { apps: [appWith({ signing: "both" })] },
      ['apps.0.webhooks.0.signing_keys: is missing: signing is "both" (hookline keys generate)'],
    ],
    [
      "Pusher signatures at a named endpoint",
      { endpoints: { e: { url: "http://a.test", signing: "pusher" } } },
      ["endpoints.e.signing: Pusher signatures need an app's key and secret; a named endpoint has none"],
    ],
    [
      "half a client certificate",
      { endpoints: { e: { url: "https://a.test", tls: { key: privatePem() } } } },
      ["endpoints.e.tls: a client certificate needs both cert and key"],
    ],
    [
      "TLS settings where there is no TLS",
      {
        endpoints: {
          e: { url: "http://a.test", tls: { min_version: "TLSv1.3" } },
          f: { lambda_function: "f", proxy: "http://p.test" },
        },
      },
      [
        "endpoints.e.tls: has no effect on an http:// URL",
        "endpoints.f.proxy: has no effect on a Lambda function",
      ],
    ],
    [
      "TLS settings beside a Redis URL without TLS",
      {
        queue: { driver: "redis", redis: { url_override: "redis://h" } },
        database: { redis: { tls: { min_version: "TLSv1.3" } } },
      },
      ["database.redis.tls: has no effect beside the redis:// of queue.redis.url_override: write rediss://"],
    ],
    [
      "a Redis URL with TLS, and none",
      {
        queue: { driver: "redis", redis: { url_override: "rediss://h" } },
        database: { redis: { tls: false } },
      },
      ["database.redis.tls: false contradicts the rediss:// of queue.redis.url_override"],
    ],
    [
      "more attempts for one endpoint than for the process",
      { webhooks: { max_in_flight: 10 }, apps: [appWith({ concurrency: 11 })] },
      ["apps.0.webhooks.0.concurrency: 11 is above webhooks.max_in_flight (10, file hookline.json)"],
    ],
  ])("%s", async (_, file, lines) => {
    expect(await bare(file)).toEqual(lines);
  });

  test.each([
    "Host",
    "content-length",
    "Content-Type",
    "Transfer-Encoding",
    "Connection",
    "TE",
    "Trailer",
    "Upgrade",
    "webhook-id",
    "Webhook-Anything",
    "X-Pusher-Key",
    "x-pusher-anything",
    "X-Hookline-Attr-A",
  ])("the header %s is reserved", async (name) => {
    expect(await bare({ apps: [appWith({ headers: { [name]: "x" } })] })).toEqual([
      `apps.0.webhooks.0.headers.${name}: is a reserved header: hookline sets it`,
    ]);
  });

  test.each(["User-Agent", "Authorization", "Accept", "Te-St", "X-Pusher", "Hosts"])(
    "the header %s is not",
    async (name) => {
      expect(await bare({ apps: [appWith({ headers: { [name]: "x" } })] })).toEqual([]);
    },
  );

  test.each(["", "a b", "a:b", "ä", "a\n"])("%j is no header name", async (name) => {
    expect(await bare({ apps: [appWith({ headers: { [name]: "x" } })] })).toEqual([
      `apps.0.webhooks.0.headers.${name}: is not a header name (RFC 9110, token)`,
    ]);
  });

  test("several webhooks without a name are listed, each with the name that 0.1 gave it", async () => {
    const hash = (target: string): string =>
      new Bun.CryptoHasher("sha256").update(target).digest("hex").slice(0, 6);
    const urls = ["https://receiver.test/hook/token-1", "https://[::1]:8443/hook"] as const;
    const others = [{ name: "named" }, { lambda_function: "fn", url: undefined }, { url: undefined }];
    const webhooks = [{ url: urls[0] }, { url: urls[1] }, ...others].map((own) => ({ ...receiver, ...own }));
    const lines = await bare({ apps: [app({ webhooks })] });
    const says =
      "has no name, and only one webhook of an app may be without; here 4 are. If this was the only one until now, leave it; else";
    expect(lines).toEqual([
      "apps.0.webhooks.4: needs url, lambda_function or lambda: where should deliveries go?",
      `apps.0.webhooks.0: ${says} for https://receiver.test/hook/*** add "name": "receiver.test-${hash(urls[0])}", as 0.1 called it: what it stored stays with it`,
      `apps.0.webhooks.1: ${says} for https://[::1]:8443/hook add "name": "::1-${hash(urls[1])}"`,
      `apps.0.webhooks.3: ${says} for fn add "name": "fn-${hash("fn")}", as 0.1 called it: what it stored stays with it`,
      `apps.0.webhooks.4: ${says} give it one`,
    ]);
  });

  test("equal URLs without names get different proposals, and one unnamed webhook of each app is fine", async () => {
    const lines = await bare({ apps: [app({ webhooks: [receiver, receiver] })] });
    const names = lines.map((line) => /"name": "([^"]+)"/.exec(line)?.[1]);
    expect(names).toEqual([expect.stringMatching(/^receiver\.test-[0-9a-f]{6}$/), `${names[0]}-2`]);
    const apps = [app({ webhooks: [receiver] }), app({ id: "b", key: "kb", webhooks: [receiver] })];
    expect(await bare({ apps })).toEqual([]);
  });

  test("the unnamed webhook's name is taken, too", async () => {
    const webhooks = [receiver, { ...receiver, name: "webhook" }];
    expect(await bare({ apps: [app({ webhooks })] })).toEqual([
      'apps.0.webhooks.1.name: "webhook" is the name of apps.0.webhooks.0 too, which has no name of its own; give one another name',
    ]);
    expect(await bare({ apps: [app({ webhooks: webhooks.toReversed() })] })).toEqual([
      'apps.0.webhooks.1.name: "webhook" is the name of apps.0.webhooks.0 too; give one another name',
    ]);
  });

  test("a contradiction is found beside a wrong neighbour, and none follows from what could not be read", async () => {
    const url = "http://a.test";
    const endpoints = {
      one: { url, signing: "pusher", concurrency: 0 },
      two: { url, signing: "standard" },
      three: { url, tls: { key: privatePem(), ca: 5 } },
    };
    const env = { HOOKLINE_ENDPOINTS__TWO__SIGNING_KEYS: "[{]" };
    expect((await issuesOf({ endpoints }, { env })).map((line) => line.replace(/ \(.*?\)/, ""))).toEqual([
      expect.stringMatching(/^endpoints.two.signing_keys: not JSON/),
      "endpoints.one.concurrency: expected an integer of at least 1, got 0",
      "endpoints.three.tls.ca: expected PEM text, got 5",
      "endpoints.one.signing: Pusher signatures need an app's key and secret; a named endpoint has none",
      "endpoints.three.tls: a client certificate needs both cert and key",
      "endpoints.three.tls: has no effect on an http:// URL",
    ]);
  });

  test("a value that is wrong in itself causes no second issue", async () => {
    expect(await bare({ apps: [appWith({ url: 5, name: 7 }), app({ id: 9, key: "k2" })] })).toHaveLength(3);
  });

  test("keys that sign nothing, or two receivers, are warned of", async () => {
    const apps = [app({ webhooks: [{ ...receiver, signing_keys: [key(1)] }] })];
    const endpoints = {
      a: { url: "http://a.test", signing_keys: [key(2)] },
      b: { url: "http://b.test", signing_keys: [key(2)] },
    };
    const { warnings } = await load({ apps, endpoints });
    expect(warnings).toEqual([
      'apps.0.webhooks.0.signing_keys are not used: signing is "pusher"',
      "endpoints.b and endpoints.a share a signing key; each receiver should have its own",
    ]);
  });
});

describe("queues and groups", () => {
  const endpoints = { e: { url: "http://e.test" } };
  const route = (over: object = {}): object => ({
    match: { attribute: "a", equals: "b" },
    endpoint: "e",
    ...over,
  });
  test.each<[what: string, queue: object, lines: string[]]>([
    [
      "a queue that stands twice",
      { queues: ["a", { name: "a", endpoint: "e" }] },
      ['queue.queues.1: "a" is queue.queues.0 too; names must be unique'],
    ],
    [
      "a raw queue that goes nowhere",
      { queues: [{ name: "r", format: "raw" }] },
      ["queue.queues.0: a raw queue needs endpoint or routes: where should its messages go?"],
    ],
    [
      "a raw queue that goes two ways",
      { queues: [{ name: "r", endpoint: "e", routes: [route()] }] },
      ["queue.queues.0: has both endpoint and routes; a raw queue has one of them"],
    ],
    [
      "jobs with an endpoint",
      { queues: [{ name: "r", format: "jobs", endpoint: "e" }] },
      ['queue.queues.0.format: "jobs" says itself where it goes; endpoint and routes are for format "raw"'],
    ],
    [
      "endpoints that are not there",
      {
        queues: [
          { name: "r", endpoint: "x" },
          { name: "s", routes: [route({ endpoint: "toString" })] },
        ],
      },
      [
        'queue.queues.0.endpoint: "x" is not one of endpoints',
        'queue.queues.1.routes.0.endpoint: "toString" is not one of endpoints',
      ],
    ],
    [
      "a match of two things, or of none",
      {
        queues: [
          {
            name: "r",
            routes: [
              route({ match: { attribute: "a", body: "b", equals: "c" } }),
              route({ match: { body: "b" } }),
            ],
          },
        ],
      },
      [
        "queue.queues.0.routes.0.match: needs attribute or body, one of them",
        "queue.queues.0.routes.1.match: needs equals or prefix, one of them",
      ],
    ],
    [
      "a URL without SQS",
      { queues: [{ name: "r", url: "http://sqs.test/1/r" }] },
      ["queue.queues.0.url: is for the sqs driver; queue.driver is memory"],
    ],
    [
      "a URL of its own beside the one of all",
      {
        driver: "sqs",
        sqs: { queue_url: "http://sqs.test/1/q" },
        queues: [{ name: "r", url: "http://sqs.test/1/r" }],
      },
      ["queue.queues.0.url: queue.sqs.queue_url already is the URL of all queues; set one of them"],
    ],
    [
      "groups that name what is not there, or one queue twice",
      {
        queues: ["a", "b"],
        groups: [
          { name: "g", queues: ["a", "c"] },
          { name: "g", queues: [{ name: "a", weight: 2 }] },
        ],
      },
      [
        'queue.groups.0.queues.1: "c" is not one of queue.queues',
        'queue.groups.1.name: "g" is taken; names must be unique',
        'queue.groups.1.queues.0: "a" is in queue.groups.0 already',
      ],
    ],
    [
      "weights where the order counts",
      { queues: ["a"], groups: [{ name: "g", strategy: "strict", queues: [{ name: "a", weight: 2 }] }] },
      ['queue.groups.0.queues.0.weight: weights mean nothing with strategy "strict": the order counts'],
    ],
    [
      "more concurrency than attempts",
      { queues: ["a", "b", "c"], memory: { concurrency: 400 } },
      [
        "queue.memory.concurrency: the sum of all concurrency is 1200 (3 × queue.memory.concurrency 400), above webhooks.max_in_flight (1024, default)",
      ],
    ],
    [
      "groups count once, their queues not at all",
      {
        driver: "redis",
        queues: ["a", "b", "c"],
        redis: { concurrency: 500 },
        groups: [{ name: "g", concurrency: 525, queues: ["a", "b"] }],
      },
      [
        "queue.groups.0.concurrency: the sum of all concurrency is 1025 (queue.redis.concurrency 500 + queue.groups.0.concurrency 525), above webhooks.max_in_flight (1024, default)",
      ],
    ],
    [
      "exactly as much concurrency as attempts is fine",
      { queues: ["a", "b"], memory: { concurrency: 512 } },
      [],
    ],
    ["a producer has no attempts", { consume: false, memory: { concurrency: 5000 } }, []],
    [
      "six queues behind one URL are one consumer",
      { driver: "sqs", queues: ["a", "b", "c"], sqs: { queue_url: "http://s.test/q", concurrency: 1000 } },
      [],
    ],
  ])("%s", async (_, queue, lines) => {
    expect(await bare({ queue, endpoints })).toEqual(lines);
  });
});

describe("backends", () => {
  test.each<[what: string, file: object, lines: string[]]>([
    [
      "stall_ms below the long poll",
      { queue: { driver: "sqs", sqs: { wait_time_seconds: 20 } }, supervisor: { stall_ms: 24_999 } },
      ["supervisor.stall_ms: expected at least 25000 (queue.sqs.wait_time_seconds and 5 s more), got 24999"],
    ],
    [
      "stall_ms below the Redis wait",
      { queue: { driver: "redis" }, supervisor: { stall_ms: 6999 } },
      ["supervisor.stall_ms: expected at least 7000 (the Redis driver's wait of 2 s and 5 s more), got 6999"],
    ],
    ["stall_ms is free on memory", { supervisor: { stall_ms: 100 } }, []],
    [
      "a cluster with a database number",
      {
        queue: { driver: "redis-cluster", redis_cluster: { nodes: ["redis://a", "redis://b/1"] } },
        database: { redis: { db: 2 } },
      },
      [
        "queue.redis_cluster.nodes.1: a Redis Cluster has only database 0",
        "database.redis.db: a Redis Cluster has only database 0",
      ],
    ],
    [
      "cluster_mode likewise, and Sentinels",
      {
        queue: { driver: "redis", redis: { cluster_mode: true, url_override: "redis://a/3" } },
        database: { redis: { sentinels: ["s:1"], cluster_nodes: [{ host: "c" }] } },
      },
      [
        "queue.redis.url_override: a Redis Cluster has only database 0",
        "database.redis.sentinels: Sentinels do not watch a Redis Cluster; use one or the other",
      ],
    ],
    [
      "a single Redis may have one",
      { queue: { driver: "redis", redis: { url_override: "redis://a/3" } } },
      [],
    ],
    [
      "fifo with another kind of URL, and the reverse",
      { queue: { sqs: { fifo: true, queue_url: "https://s.test/q" } } },
      ["queue.sqs.queue_url: must end in .fifo, because queue.sqs.fifo is true"],
    ],
    [
      "a FIFO URL with fifo false",
      { queue: { sqs: { fifo: false, queue_url: "https://s.test/q.fifo" } } },
      ["queue.sqs.fifo: is false, but queue.sqs.queue_url ends in .fifo"],
    ],
    [
      "a URL and a prefix",
      { queue: { sqs: { queue_url: "https://s.test/q", queue_url_prefix: "https://s.test/" } } },
      ["queue.sqs.queue_url_prefix: queue.sqs.queue_url is set too; set one of them"],
    ],
    [
      "another deduplication window on FIFO",
      { queue: { driver: "sqs", sqs: { fifo: true }, reliability: { deduplication_ttl_ms: 1000 } } },
      [
        "queue.reliability.deduplication_ttl_ms: expected 300000 with FIFO queues, whose window is 5 minutes whatever one configures, got 1000",
      ],
    ],
    [
      "a group's rate limit without groups",
      { queue: { driver: "sqs", sqs: { group_rate_limit: { per_second: 1 } } } },
      ["queue.sqs.group_rate_limit: needs FIFO queues: queue.sqs.fifo is false"],
    ],
    [
      "a restart delay above its limit",
      { supervisor: { restart_delay_ms: 6000 } },
      ["supervisor.restart_delay_ms: 6000 is above max_restart_delay_ms (5000, default)"],
    ],
  ])("%s", async (_, file, lines) => {
    expect(await bare(file)).toEqual(lines);
  });

  test.each<[what: string, file: object, warning: string]>([
    ["a short token", { server: { token: "short" } }, "fewer than 16 characters"],
    [
      "allow_crash without a token",
      { supervisor: { allow_crash: true } },
      "supervisor.allow_crash has no effect",
    ],
    ["secrets in Redis", { queue: { driver: "redis", redis: { write_for_sockudo: true } } }, "app_secret"],
    [
      "Soketi's process_batch",
      { queue: { driver: "sqs", sqs: { process_batch: true } } },
      "process_batch is accepted",
    ],
    [
      "a Redis that is not used",
      {
        queue: { driver: "redis", redis: { url_override: "redis://a" } },
        database: { redis: { host: "b" } },
      },
      "database.redis.host: not used",
    ],
    [
      "a retention that SQS decides itself",
      { queue: { driver: "sqs", reliability: { failed_retention_ms: 1000 } } },
      "queue.reliability.failed_retention_ms has no effect on the driver sqs",
    ],
    [
      "a grace that only SQS has",
      { queue: { reliability: { unknown_grace_ms: 1000 } } },
      "queue.reliability.unknown_grace_ms has no effect on the driver memory",
    ],
    [
      "a backend that is described, and not chosen",
      { queue: { sqs: { region: "eu-west-1" } } },
      "queue.sqs.region is set (file hookline.json), but queue.driver is not, so it is memory",
    ],
    ["nobody to deliver to", {}, "there are no apps and no endpoints"],
  ])("%s is a warning, no issue", async (_, file, warning) => {
    const { warnings } = await load(file);
    expect(warnings.filter((line) => line.includes(warning))).toHaveLength(1);
  });
});

function privatePem(): string {
  const { privateKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return privateKey;
}

describe("event types", () => {
  const typesOf = (event_types: unknown): Promise<string[]> => bare({ apps: [appWith({ event_types })] });

  test.each([
    ["order*", "in which * stands alone between dots"],
    ["*order", "in which * stands alone between dots"],
    ["order.**", "in which * stands alone between dots"],
    ["a.b*.c", "in which * stands alone between dots"],
    ["a..b", "without empty segments"],
    [".a", "without empty segments"],
    ["a.", "without empty segments"],
    [".", "without empty segments"],
    [" x", "without spaces around it"],
    ["x\n", "without spaces around it"],
    ["", "that is not empty"],
    ["a\u0000b", "without control characters"],
  ])("%j can match nothing and is refused", async (type, says) => {
    const lines = await typesOf(["fine", type]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith("apps.0.webhooks.0.event_types.1: expected an event type ");
    expect(lines[0]).toContain(says);
  });

  test("patterns and names of all kinds pass", async () => {
    expect(await typesOf(["*", "order.*", "*.created", "a.*.c", "client_event", "a b", "größe.ä"])).toEqual(
      [],
    );
  });
});

describe("egress and the URLs of receivers", () => {
  const egressOf = (egress: object, url: string, others: object = {}): Promise<string[]> =>
    bare({ egress, apps: [appWith({ url, ...others })] });
  const forbidden = (rule: string): string[] => [
    `apps.0.webhooks.0.url: the egress rules forbid this URL: ${rule}; no delivery would ever leave: change the URL, or the rule`,
  ];

  test.each<[egress: object, url: string, rule: string]>([
    [{}, "http://169.254.169.254/latest", "link-local (169.254.169.254)"],
    [{}, "http://[fd00:ec2::254]/", "metadata (fd00:ec2::254)"],
    [{ deny_private: true }, "http://127.0.0.1:8080/hook", "private (127.0.0.1)"],
    [{ deny_private: true }, "http://2130706433/", "private (127.0.0.1)"],
    [{ deny_private: true }, "http://0x7f.1/", "private (127.0.0.1)"],
    [{ deny_private: true }, "http://[::ffff:10.0.0.1]/", "private (::ffff:a00:1)"],
    [{ deny: ["203.0.113.0/24"] }, "https://203.0.113.7/", "deny 203.0.113.0/24 (203.0.113.7)"],
    [{ deny: ["evil.example"] }, "http://EVIL.example../", "deny evil.example"],
    [{ deny: ["*.internal"] }, "http://a.b.internal/", "deny *.internal"],
    [{ ports: [443] }, "http://receiver.test/", "port 80"],
    [{ ports: [443] }, "https://receiver.test:8443/", "port 8443"],
  ])("%j forbids %s as it stands", async (egress, url, rule) => {
    expect(await egressOf(egress, url)).toEqual(forbidden(rule));
  });

  test.each<[egress: object, url: string]>([
    [{ deny_private: true }, "http://receiver.test/"],
    [{ deny_private: true, allow: ["127.0.0.1"] }, "http://127.0.0.1/"],
    [{ deny: ["evil.example"], allow: ["evil.example"] }, "http://evil.example/"],
    [{ deny: ["evil.example"] }, "http://not-evil.example/"],
    [{ deny: ["*.example"] }, "http://example/"],
    // Its addresses may lie in the range, and allow wins.
    [{ deny: ["evil.example"], allow: ["192.0.2.0/24"] }, "http://evil.example/"],
    [{ ports: [80] }, "http://receiver.test/"],
  ])("%j leaves %s to a look-up, or allows it", async (egress, url) => {
    expect(await egressOf(egress, url)).toEqual([]);
  });

  test("named endpoints and proxies are checked as well, Lambda functions are not", async () => {
    const egress = { deny_private: true, proxy: "http://10.0.0.1:3128" };
    const endpoints = {
      one: { url: "http://10.0.0.2/", signing: "none" },
      two: { url: "http://receiver.test/", proxy: "http://10.0.0.3:3128", signing: "none" },
      three: { lambda_function: "f", signing: "none" },
    };
    const lines = await bare({ egress, endpoints });
    expect(lines.map((line) => line.slice(0, line.indexOf(";")))).toEqual([
      "egress.proxy: the egress rules forbid the proxy itself: private (10.0.0.1)",
      "endpoints.one.url: the egress rules forbid this URL: private (10.0.0.2)",
      "endpoints.two.proxy: the egress rules forbid the proxy itself: private (10.0.0.3)",
    ]);
  });

  test("a wrong rule is one issue, and says nothing of the URLs", async () => {
    expect(await egressOf({ deny: ["10.0.0.0/99"], deny_private: true }, "http://127.0.0.1/")).toHaveLength(
      1,
    );
    expect(
      await egressOf({ deny: ["internal-billing-service.corp.example.com:8080"] }, "http://a.test/"),
    ).toEqual([
      'egress.deny.0: expected an IP address, a CIDR range or a host name, without a port (see egress.ports), got "internal-billing-service.corp.example.com:8080"',
    ]);
  });

  test("a host with an empty part is no host", async () => {
    expect(await egressOf({}, "http://a..b/")).toEqual([
      expect.stringContaining("expected a URL whose host has no empty part"),
    ]);
  });
});
