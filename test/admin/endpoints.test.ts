import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import Pusher from "pusher";
import { Webhook } from "standardwebhooks";
import type { ConfigInput } from "../../src/config/schema.ts";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { generateKeyPair, generateSymmetricKey } from "../../src/delivery/signing-keys.ts";
import type { Disposition } from "../../src/queue/driver.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { createSharedStore } from "../support/shared-state.ts";
import { startAdmin, token, type Admin, type AdminSetup } from "./start-admin.ts";

const whsec = generateSymmetricKey();
const pair = generateKeyPair();
const oldPair = generateKeyPair();
const app = { id: "shop", key: "shop-key", secret: "a-secret-of-the-shop" };

let receiver: Receiver;
let running: Admin[] = [];
beforeEach(async () => void (receiver = await startReceiver()));
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
  await receiver.close();
});

function configOf(more: ConfigInput = {}): ConfigInput {
  const webhook = {
    name: "main",
    url: `${receiver.url}/hooks/secret-path?q=secret-query`,
    event_types: ["a"],
  };
  return {
    apps: [
      {
        ...app,
        webhooks: [
          { ...webhook, breaker: { min_attempts: 1 }, concurrency: 3, rate_limit: { per_second: 10 } },
        ],
      },
    ],
    endpoints: {
      billing: {
        url: `${receiver.url}/billing`,
        signing_keys: [
          { key: oldPair.secretKey, not_after: "2020-01-01T00:00:00Z" },
          { key: whsec, not_after: "2099-01-01T00:00:00Z" },
          { key: pair.secretKey },
        ],
      },
      worker: { lambda: { function_name: "deliver", region: "eu-west-1", async: true } },
    },
    ...more,
  };
}

async function start(setup: AdminSetup = {}): Promise<Admin> {
  const one = await startAdmin({ config: configOf(), ...setup });
  running.push(one);
  return one;
}

type View = Record<string, unknown>;
const json = async (response: Response): Promise<View> => (await response.json()) as View;
const code = async (response: Response): Promise<[number, unknown]> => [
  response.status,
  (await json(response))["code"],
];
/** POST without a body, as curl -X POST sends it. */
const ask = (one: Admin, path: string): Promise<Response> => one.request(path, { method: "POST" });

describe("GET /v1/endpoints", () => {
  test("lists webhooks and named endpoints with their settings and how they stand", async () => {
    const admin = await start();
    const { endpoints } = (await json(await admin.get("/v1/endpoints"))) as { endpoints: View[] };
    expect(endpoints.map(({ app: of, name, label }) => [of, name, label])).toEqual([
      ["shop", "main", "shop/main"],
      [null, "billing", "billing"],
      [null, "worker", "worker"],
    ]);
    expect(endpoints[0]).toEqual({
      app: "shop",
      name: "main",
      label: "shop/main",
      target: { kind: "http", url: `${receiver.url}/hooks/***` },
      mode: "enabled",
      scope: "process",
      breaker: "closed",
      open_until: null,
      held_ms: 0,
      in_flight: 0,
      window: null,
      waiting: 0,
      oldest_waiting_age_ms: null,
      rates: {
        step_ms: 5_000,
        ends_at: expect.any(String),
        delivered: Array(60).fill(0),
        failed: Array(60).fill(0),
        dead: Array(60).fill(0),
      },
      signing: ["pusher"],
      signing_keys: [],
      limits: {
        concurrency: 3,
        rate_limit: { per_second: 10, burst: 1 },
        breaker: { failure_share: 0.5, min_attempts: 1, window_ms: 60_000, open_ms: 30_000 },
        on_gone: "dead_letter",
        gone_threshold: 3,
        max_attempts: 12,
        request_timeout_ms: 10_000,
      },
    });
    expect(endpoints[1]).toMatchObject({
      signing: ["v1a", "v1"],
      signing_keys: [
        { version: "v1a", kid: expect.any(String), not_after: null, in_use: true },
        { version: "v1", kid: null, not_after: "2099-01-01T00:00:00.000Z", in_use: true },
        { version: "v1a", kid: expect.any(String), not_after: "2020-01-01T00:00:00.000Z", in_use: false },
      ],
    });
    expect(endpoints[2]).toMatchObject({
      target: { kind: "lambda", function: "deliver", region: "eu-west-1", async: true },
      signing: [],
    });
  });

  test("holds no secret", async () => {
    const text = await (await (await start()).get("/v1/endpoints")).text();
    for (const secret of [app.secret, "secret-path", "secret-query", whsec, pair.secretKey, pair.publicKey]) {
      expect(text).not.toContain(secret.replace(/^wh\w+_/, ""));
    }
  });

  test("shows breaker, hold and what is in flight", async () => {
    const admin = await start();
    const gate = admin.gates.of(admin.directory.apps[0]!.endpoints[0]!);
    const attempt = gate.start() as number;
    expect(await json(await admin.get("/v1/endpoints/shop/main"))).toMatchObject({ in_flight: 1 });
    gate.ended(attempt, { kind: "http_status", status: 503, retryAfterMs: 60_000, durationMs: 1 });
    const view = await json(await admin.get("/v1/endpoints/shop/main"));
    expect(view).toMatchObject({ in_flight: 0, breaker: "open" });
    expect(view["held_ms"]).toBeWithin(50_000, 60_001);
  });
});

describe("modes", () => {
  test("disable, pause, resume and enable change it and answer with the endpoint", async () => {
    const admin = await start();
    const gate = admin.gates.of(admin.directory.named[0]!);
    for (const [verb, mode] of [
      ["pause", "paused"],
      ["resume", "enabled"],
      ["disable", "disabled"],
      ["enable", "enabled"],
    ] as const) {
      const response = await ask(admin, `/v1/endpoints/-/billing/${verb}`);
      expect(response.status).toBe(200);
      expect(await json(response)).toMatchObject({ label: "billing", mode, scope: "process" });
      expect(gate.mode).toBe(mode);
    }
    expect(admin.gates.all().map(({ mode }) => mode)).toEqual(["enabled", "enabled", "enabled"]);
  });

  test("enable closes the breaker and forgets a Retry-After", async () => {
    const admin = await start();
    const gate = admin.gates.of(admin.directory.apps[0]!.endpoints[0]!);
    const attempt = gate.start() as number;
    gate.ended(attempt, { kind: "http_status", status: 503, retryAfterMs: 60_000, durationMs: 1 });
    expect(await json(await ask(admin, "/v1/endpoints/shop/main/enable"))).toMatchObject({
      breaker: "closed",
      held_ms: 0,
    });
  });

  test("a disabled endpoint is not resumed by mistake: 409 endpoint_disabled", async () => {
    const admin = await start();
    await ask(admin, "/v1/endpoints/shop/main/disable");
    expect(await code(await ask(admin, "/v1/endpoints/shop/main/resume"))).toEqual([
      409,
      "endpoint_disabled",
    ]);
    expect(await json(await admin.get("/v1/endpoints/shop/main"))).toMatchObject({ mode: "disabled" });
  });

  test("reach all processes where the backend shares them", async () => {
    const store = createSharedStore();
    const driver: AdminSetup["driver"] = (memory) => ({ ...memory, shared: store.connect() });
    const [one, other] = [await start({ driver }), await start({ driver })];
    expect(await json(await ask(one, "/v1/endpoints/shop/main/pause"))).toMatchObject({ scope: "cluster" });
    expect(await json(await other.get("/v1/endpoints/shop/main"))).toMatchObject({
      mode: "paused",
      scope: "cluster",
    });
    store.isAway = true;
    expect(await code(await ask(one, "/v1/endpoints/shop/main/resume"))).toEqual([503, "driver_unavailable"]);
    one.state.driverOpen = false;
    expect(await code(await ask(one, "/v1/endpoints/shop/main/resume"))).toEqual([503, "driver_unavailable"]);
    expect(await json(await one.get("/v1/endpoints/shop/main"))).toMatchObject({ mode: "paused" });
  });
});

describe("names", () => {
  test("what is not configured is 404, by what is missing", async () => {
    const admin = await start();
    for (const [path, expected] of [
      ["/v1/endpoints/nobody/main", "no_such_app"],
      ["/v1/endpoints/shop/billing", "unknown_endpoint"],
      ["/v1/endpoints/-/main", "unknown_endpoint"],
      ["/v1/endpoints/shop-key/main", "no_such_app"],
      ["/v1/endpoints/shop/main/attempts/more", "not_found"],
    ] as const) {
      expect([path, ...(await code(await admin.get(path)))]).toEqual([path, 404, expected]);
    }
    expect(await code(await ask(admin, "/v1/endpoints/shop/billing/test"))).toEqual([
      404,
      "unknown_endpoint",
    ]);
  });

  test("a name with signs that a URL escapes is found", async () => {
    const name = "arn:aws:lambda:eu-west-1:123456789012:function:deliver-a1b2c3";
    const webhooks = [{ name, url: receiver.url, event_types: ["a"] }];
    const admin = await start({ config: configOf({ apps: [{ ...app, webhooks }] }) });
    for (const path of [name, encodeURIComponent(name)]) {
      expect(await json(await admin.get(`/v1/endpoints/shop/${path}`))).toMatchObject({ name });
    }
  });

  test("with a token configured nothing of it is for those without", async () => {
    const admin = await start({ config: configOf({ server: { token } }) });
    for (const [method, path] of [
      ["GET", "/v1/endpoints"],
      ["GET", "/v1/endpoints/shop/main"],
      ["GET", "/v1/endpoints/shop/main/attempts"],
      ["POST", "/v1/endpoints/shop/main/pause"],
      ["POST", "/v1/endpoints/shop/main/test"],
    ] as const) {
      const response = await fetch(`${admin.url}${path}`, { method });
      expect([path, response.status]).toEqual([path, 401]);
    }
    expect(receiver.count).toBe(0);
    expect(admin.gates.all().every(({ mode }) => mode === "enabled")).toBe(true);
  });
});

describe("POST /v1/endpoints/{app}/{name}/test", () => {
  test("sends a webhook a signed event that npm's pusher accepts", async () => {
    const admin = await start();
    const result = await json(await ask(admin, "/v1/endpoints/shop/main/test"));
    expect(result).toEqual({
      endpoint: "shop/main",
      delivery_id: expect.stringMatching(/^[0-9a-f-]{36}_[0-9a-f]{8}$/),
      outcome: "delivered",
      status: 200,
      code: null,
      detail: "HTTP 200",
      duration_ms: expect.any(Number),
      retry_after_ms: null,
    });
    const request = await receiver.waitFor(1);
    expect(request).toMatchObject({ method: "POST", path: "/hooks/secret-path?q=secret-query" });
    expect(request.headers["webhook-id"]).toBe(result["delivery_id"] as string);
    const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, cluster: "eu" });
    const webhook = pusher.webhook({ headers: { ...request.headers }, rawBody: request.text });
    expect(webhook.isValid()).toBe(true);
    expect(JSON.parse(request.text)).toEqual({
      time_ms: expect.any(Number),
      events: [{ name: "hookline_test", channel: "hookline-test" }],
    });
  });

  test("sends a named endpoint a generic job that npm's standardwebhooks accepts, under a new id each time", async () => {
    const admin = await start();
    for (let n = 0; n < 2; n += 1) await ask(admin, "/v1/endpoints/-/billing/test");
    const request = await receiver.waitFor(2);
    const payload = new Webhook(whsec).verify(request.text, { ...request.headers });
    expect(payload).toEqual({
      type: "hookline.test",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      data: { endpoint: "billing" },
    });
    // The current keys, not the one that has reached its end.
    expect(request.headers["webhook-signature"]).toMatch(/^v1a,\S+ v1,\S+$/);
    expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
  });

  test("answers 200 with the outcome when it fails, and neither breaker nor delivery log hears of it", async () => {
    receiver.behave(answer(503, { headers: { "retry-after": "7" } }));
    const admin = await start();
    const response = await ask(admin, "/v1/endpoints/shop/main/test");
    expect(response.status).toBe(200);
    expect(await json(response)).toMatchObject({
      outcome: "http_status",
      status: 503,
      detail: "HTTP 503",
      retry_after_ms: 7_000,
    });
    expect(await json(await admin.get("/v1/endpoints/shop/main"))).toMatchObject({
      breaker: "closed",
      held_ms: 0,
    });
    expect(await json(await admin.get("/v1/endpoints/shop/main/attempts"))).toMatchObject({ attempts: [] });
    expect(receiver.count).toBe(1);
  });

  test("says in words why nothing could be sent", async () => {
    const config = configOf();
    const signing_keys = [{ key: oldPair.secretKey, not_after: "2020-01-01T00:00:00Z" }];
    config.endpoints = {
      refused: { url: "http://127.0.0.1:9/" },
      metadata: { url: "http://169.254.169.254/latest" },
      expired: { url: receiver.url, signing_keys },
    };
    const admin = await start({ config });
    expect(await json(await ask(admin, "/v1/endpoints/-/refused/test"))).toMatchObject({
      outcome: "connect",
      status: null,
      code: "ECONNREFUSED",
    });
    expect(await json(await ask(admin, "/v1/endpoints/-/metadata/test"))).toMatchObject({
      outcome: "blocked",
    });
    expect(await json(await ask(admin, "/v1/endpoints/-/expired/test"))).toMatchObject({
      outcome: "blocked",
      code: "no_signing_key",
      detail: "not sent: every signing key of the endpoint has expired",
    });
    expect(receiver.count).toBe(0);
  });

  test("works while the endpoint is paused or disabled: that is when one wants to know", async () => {
    const admin = await start();
    for (const verb of ["pause", "disable"]) {
      await ask(admin, `/v1/endpoints/shop/main/${verb}`);
      const result = await json(await ask(admin, "/v1/endpoints/shop/main/test"));
      expect(result).toMatchObject({ outcome: "delivered" });
    }
    expect(await json(await admin.get("/v1/endpoints/shop/main"))).toMatchObject({ mode: "disabled" });
  });

  test("is cut off when the process stops", async () => {
    receiver.behave({ do: "hang", where: "head" });
    const admin = await start();
    const pending = ask(admin, "/v1/endpoints/shop/main/test");
    await receiver.waitForCount(1);
    admin.closing.abort();
    expect(await json(await pending)).toMatchObject({ outcome: "aborted", status: null });
  });
});

describe("GET /v1/endpoints/{app}/{name}/attempts", () => {
  const record = (admin: Admin, endpoint: Endpoint, n: number, outcome: Outcome, next: Disposition): void => {
    const held = { lease: { queue: "webhooks" } };
    const delivery = { endpoint, held, jobId: `job-${n}`, id: `job-${n}_${endpoint.nameHash}`, attempt: n };
    admin.attempts.record(delivery, outcome, next);
  };

  test("lists them newest first, with outcome and what follows", async () => {
    const admin = await start();
    const endpoint = admin.directory.apps[0]!.endpoints[0]!;
    const failed: Outcome = { kind: "http_status", status: 500, retryAfterMs: null, durationMs: 12.345 };
    record(admin, endpoint, 1, failed, { verb: "retry", delayMs: 999.6 });
    const dead = {
      verb: "dead",
      reason: "attempts_exhausted",
      detail: null,
      endpoint: null,
      attempted: true,
    } as const;
    record(admin, endpoint, 2, { kind: "tls", code: "CERT_HAS_EXPIRED", durationMs: 1 }, dead);
    const { attempts, ...rest } = await json(await admin.get("/v1/endpoints/shop/main/attempts"));
    expect(rest).toEqual({ endpoint: "shop/main", scope: "process" });
    expect(attempts).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        delivery_id: `job-2_${endpoint.nameHash}`,
        job_id: "job-2",
        queue: "webhooks",
        attempt: 2,
        outcome: "tls",
        status: null,
        code: "CERT_HAS_EXPIRED",
        detail: "tls: CERT_HAS_EXPIRED",
        duration_ms: 1,
        retry_after_ms: null,
        next: "dead",
        retry_in_ms: null,
        dead_reason: "attempts_exhausted",
      },
      expect.objectContaining({
        attempt: 1,
        outcome: "http_status",
        status: 500,
        duration_ms: 12.3,
        next: "retry",
        retry_in_ms: 1_000,
        dead_reason: null,
      }),
    ]);
  });

  test("20 unless asked for more, at most 100; anything else is 400 bad_query", async () => {
    const admin = await start();
    const endpoint = admin.directory.named[0]!;
    const ok: Outcome = { kind: "delivered", status: 200, durationMs: 1 };
    for (let n = 1; n <= 120; n += 1) record(admin, endpoint, n, ok, { verb: "ack" });
    const count = async (query: string): Promise<number> =>
      ((await json(await admin.get(`/v1/endpoints/-/billing/attempts${query}`)))["attempts"] as View[])
        .length;
    expect([await count(""), await count("?limit=1"), await count("?limit=100")]).toEqual([20, 1, 100]);
    for (const limit of ["0", "101", "-1", "x", "", "1.5"]) {
      const response = await admin.get(`/v1/endpoints/-/billing/attempts?limit=${limit}`);
      expect([limit, ...(await code(response))]).toEqual([limit, 400, "bad_query"]);
    }
  });
});

describe("GET /.well-known/hookline-keys", () => {
  const keySet = async (admin: Admin): Promise<{ keys: View[] }> => {
    const response = await fetch(`${admin.url}/.well-known/hookline-keys`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/jwk-set+json");
    return (await response.json()) as { keys: View[] };
  };

  test("needs no token and has the public ed25519 keys in use, each once, without names", async () => {
    const config = configOf({ server: { token } });
    const [endpoint] = Object.values(config.endpoints!);
    const admin = await start({
      config: { ...config, endpoints: { ...config.endpoints, again: endpoint! } },
    });
    const { keys } = await keySet(admin);
    expect(keys).toEqual([
      {
        kty: "OKP",
        crv: "Ed25519",
        x: pair.publicKey.slice(5).replaceAll("+", "-").replaceAll("/", "_").replace("=", ""),
        kid: expect.any(String),
        use: "sig",
        alg: "EdDSA",
      },
    ]);
  });

  test("verifies a delivery that was signed with the private half", async () => {
    const admin = await start();
    await ask(admin, "/v1/endpoints/-/billing/test");
    const request = await receiver.waitFor(1);
    const { keys } = await keySet(admin);
    const key = await crypto.subtle.importKey("jwk", keys[0] as JsonWebKey, "Ed25519", false, ["verify"]);
    const {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signature,
    } = request.headers;
    const signed = Buffer.from(`${id}.${timestamp}.${request.text}`);
    const bytes = Buffer.from(/v1a,(\S+)/.exec(signature as string)![1]!, "base64");
    expect(await crypto.subtle.verify("Ed25519", key, bytes, signed)).toBe(true);
  });

  test("lists a key until its last signatures are too old to be taken", async () => {
    const end = Date.parse("2030-01-01T00:00:00Z");
    let now = end - 1;
    const clock = { now: () => now, monotonic: () => performance.now() };
    const signing_keys = [{ key: pair.secretKey, not_after: new Date(end).toISOString() }];
    const config = configOf({ endpoints: { billing: { url: receiver.url, signing_keys } } });
    const admin = await start({ config, clock });
    const counts: number[] = [];
    for (const at of [end - 1, end + 299_000, end + 300_000]) {
      now = at;
      counts.push((await keySet(admin)).keys.length);
    }
    expect(counts).toEqual([1, 1, 0]);
  });

  test("is an empty set where nothing is signed with ed25519", async () => {
    const admin = await start({ config: { apps: [] } });
    expect(await keySet(admin)).toEqual({ keys: [] });
  });
});
