import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { limitEntries } from "../../src/config/schema-limits.ts";
import { standardScheduleMs } from "../../src/config/schema-retry.ts";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import { compile } from "./compile.ts";

const app = { id: "app-1", key: "app-key", secret: "app-secret" };
const url = "https://user:pass@hooks.example.com:8443/in/s3cret?token=t";

type Webhook = NonNullable<NonNullable<Parameters<typeof compile>[0]["apps"]>[number]["webhooks"]>[number];

/** The compiled form of one webhook of one app. */
function webhook(change: Partial<Webhook>, retry = {}): Endpoint {
  const all = {
    event_types: ["a"],
    ...("lambda" in change || "lambda_function" in change ? {} : { url }),
    ...change,
  };
  const directory = compile({ webhooks: { retry }, apps: [{ ...app, webhooks: [all] }] });
  return directory.apps[0]?.endpoints[0] as Endpoint;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

describe("names", () => {
  test("a webhook without a name is called webhook, and found as 0.1 called it too", () => {
    const former = `hooks.example.com-${sha256(url).slice(0, 6)}`;
    expect(webhook({})).toMatchObject({ name: "webhook", label: "app-1/webhook", formerName: former });
    expect(webhook({ lambda_function: "fn" }).formerName).toBe(`fn-${sha256("fn").slice(0, 6)}`);
    const directory = compile({ apps: [{ ...app, webhooks: [{ url, event_types: ["a"] }] }] });
    const [only] = directory.apps;
    for (const name of ["webhook", former]) {
      expect(directory.findEndpoint(only!, name)?.label).toBe("app-1/webhook");
    }
    expect(directory.findEndpoint(null, former)).toBeNull();
  });

  test("nobody is found under a former name that is another's, or may be", () => {
    const former = `hooks.example.com-${sha256(url).slice(0, 6)}`;
    const found = (webhooks: readonly { name?: string; url: string }[]): string | undefined => {
      const all = webhooks.map((own) => ({ event_types: ["a"], ...own }));
      const directory = compile({ apps: [{ ...app, webhooks: all }] });
      return directory.findEndpoint(directory.apps[0]!, former)?.name;
    };
    const elsewhere = "https://hooks.example.com/elsewhere";
    expect(found([{ name: "a", url }])).toBe("a");
    expect(found([{ name: "a", url }, { url }])).toBe("webhook");
    expect(
      found([
        { name: "a", url },
        { name: "b", url },
      ]),
    ).toBeUndefined();
    expect(found([{ url }, { name: former, url: elsewhere }])).toBe(former);
    expect(found([{ url: elsewhere }])).toBeUndefined();
  });

  test("the name's hash is 8 hex of its SHA-256", () => {
    expect(webhook({ name: "crm" })).toMatchObject({
      name: "crm",
      label: "app-1/crm",
      nameHash: sha256("crm").slice(0, 8),
    });
  });
});

describe("targets", () => {
  test("a URL", () => {
    const { target } = webhook({});
    expect(target.kind === "http" && target.url).toBe(url);
  });

  test.each([
    [{ lambda_function: "fn" }, { functionName: "fn", region: "us-east-1", async: false, clientOptions: {} }],
    [
      { lambda: { function_name: "fn", region: "eu-west-1", async: true } },
      { functionName: "fn", region: "eu-west-1", async: true },
    ],
    [
      { lambda_function: "fn", lambda: { region: "eu-west-1" } },
      { functionName: "fn", region: "eu-west-1" },
    ],
    [{ lambda_function: "arn:aws:lambda:ap-south-1:123456789012:function:fn" }, { region: "ap-south-1" }],
    [
      { lambda_function: "arn:aws-cn:lambda:cn-north-1:123456789012:function:fn:live" },
      { region: "cn-north-1" },
    ],
    [
      { lambda: { function_name: "fn", client_options: { endpoint: "http://x" } } },
      { clientOptions: { endpoint: "http://x" } },
    ],
  ])("%j", (change, expected) => {
    expect(webhook(change).target).toMatchObject({ kind: "lambda", ...expected });
  });
});

describe("retry", () => {
  test("defaults to webhooks.retry's defaults", () => {
    const { retry, requestTimeoutMs } = webhook({});
    expect(retry).toEqual({
      maxAttempts: 12,
      initialBackoffMs: 1000,
      maxBackoffMs: 3_600_000,
      jitter: 0.2,
      scheduleMs: null,
      maxAgeMs: null,
      retryOn: [],
      deadOn: [],
    });
    expect(requestTimeoutMs).toBe(10_000);
  });

  test("a webhook's own keys count one by one", () => {
    const shared = { max_attempts: 5, jitter: 0, schedule_ms: [1, 2], retry_on: [404], max_age_ms: 9 };
    const own = { max_attempts: 3, schedule_ms: null, dead_on: [500] };
    expect(webhook({ retry: own, request_timeout_ms: 7 }, shared)).toMatchObject({
      retry: {
        maxAttempts: 3,
        jitter: 0,
        scheduleMs: null,
        maxAgeMs: 9,
        retryOn: [404],
        deadOn: [500],
      },
      requestTimeoutMs: 7,
    });
    expect(webhook({ retry: { retry_on: [] } }, shared).retry).toMatchObject({
      retryOn: [],
      scheduleMs: [1, 2],
    });
  });

  test("Standard Webhooks' schedule is available by name", () => {
    expect(webhook({ retry: { schedule_ms: "standard" } }).retry.scheduleMs).toEqual(standardScheduleMs);
  });
});

describe("signing", () => {
  const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const keys = [
    { key, not_after: "2030-01-01T00:00:00Z" },
    { key: "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==" },
  ];

  test("an app's webhooks are signed Pusher's way unless said otherwise", () => {
    expect(webhook({}).pusher).toEqual({ key: "app-key", secret: "app-secret" });
    expect(webhook({}).standardKeys).toBeNull();
    expect(webhook({ signing: "none" })).toMatchObject({ pusher: null });
  });

  test("with both, the newest key comes first", () => {
    const { pusher, standardKeys } = webhook({ signing: "both", signing_keys: keys });
    expect(pusher).not.toBeNull();
    expect(standardKeys?.map((dated) => [dated.key.version, dated.notAfter])).toEqual([
      ["v1a", null],
      ["v1", Date.UTC(2030, 0, 1)],
    ]);
  });

  test("a named endpoint with keys is signed the standard way, and never Pusher's", () => {
    const directory = compile({ endpoints: { crm: { url, signing_keys: keys }, plain: { url } } });
    expect(directory.findEndpoint(null, "crm")).toMatchObject({
      label: "crm",
      pusher: null,
      eventTypes: null,
    });
    expect(directory.findEndpoint(null, "crm")?.standardKeys).toHaveLength(2);
    expect(directory.findEndpoint(null, "plain")?.standardKeys).toBeNull();
    expect(directory.named?.map(({ name }) => name)).toEqual(["crm", "plain"]);
  });
});

describe("looking up", () => {
  const hook = { name: "hook", url, event_types: ["a"] };
  const directory = compile({
    apps: [
      { ...app, webhooks: [hook] },
      { id: "app-2", key: "app-1", secret: "x", accept: ["native"], webhooks: [hook] },
    ],
    endpoints: { crm: { url } },
  });

  test.each([
    ["app-1", null, "app-1"],
    ["app-2", null, "app-2"],
    [null, "app-key", "app-1"],
    ["nobody", "app-key", "app-1"],
    ["app-1", "app-1", "app-1"],
    [null, "app-1", "app-2"],
    ["nobody", "nobody", null],
    ["app-key", null, null],
    ["__proto__", "constructor", null],
    [null, null, null],
  ])("id %p and key %p give %p", (id, key, found) => {
    expect(directory.findApp(id, key)?.id ?? null).toBe(found);
  });

  test("endpoints of apps and named ones are apart", () => {
    const [first, second] = directory.apps;
    if (first === undefined || second === undefined) throw new Error("two apps were configured");
    expect(directory.findEndpoint(first, "hook")?.label).toBe("app-1/hook");
    expect(directory.findEndpoint(second, "hook")?.label).toBe("app-2/hook");
    expect(directory.findEndpoint(null, "hook")).toBeNull();
    expect(directory.findEndpoint(first, "crm")).toBeNull();
    expect(directory.findEndpoint(null, "crm")?.label).toBe("crm");
    expect(directory.findEndpoint(null, "__proto__")).toBeNull();
  });

  test("an app takes every form unless said otherwise", () => {
    expect(directory.apps.map(({ accept }) => [...accept])).toEqual([
      ["soketi", "sockudo", "native"],
      ["native"],
    ]);
  });
});

describe("the directory as a whole", () => {
  const hook = (name: string, more = {}) => ({ name, url, event_types: ["a"], ...more });
  const directory = compile({
    apps: [
      { ...app, webhooks: [hook("one"), hook("two", { retry: { max_attempts: 3 } })] },
      { ...app, id: "app-2", key: "key-2", webhooks: [hook("one", { retry: { max_attempts: 3 } })] },
    ],
    endpoints: { crm: { url, concurrency: 2 } },
  });

  test("lists every endpoint in the order of the configuration", () => {
    expect(directory.endpoints.map(({ label }) => label)).toEqual([
      "app-1/one",
      "app-1/two",
      "app-2/one",
      "crm",
    ]);
    expect(directory.named).toEqual(directory.endpoints.slice(3));
  });

  test("lists every retry policy once, the common one first; equal ones are one object", () => {
    expect(directory.retries.map(({ maxAttempts }) => maxAttempts)).toEqual([12, 3]);
    const [one, two, other] = directory.endpoints;
    expect(two?.retry).toBe(other?.retry as never);
    expect(one?.limits).toBe(other?.limits as never);
  });

  test("every limit in the schema reaches the endpoint, with its default and with a value of its own", () => {
    const camel = (key: string): string => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const [one, , , crm] = directory.endpoints;
    expect(Object.keys(one!.limits)).toEqual(Object.keys(limitEntries).map(camel));
    expect([one?.limits.concurrency, crm?.limits.concurrency]).toEqual([null, 2]);
    expect(crm?.limits.breaker).toEqual({
      failureShare: 0.5,
      minAttempts: 20,
      windowMs: 60_000,
      openMs: 30_000,
    });
  });
});
