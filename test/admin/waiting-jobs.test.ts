import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deliveryId, endpointNameHash } from "../../src/jobs/id.ts";
import type { Lease, QueueDriver } from "../../src/queue/driver.ts";
import { startAdmin, appSecret, token, type Admin } from "./start-admin.ts";

const scoped = { shop: "token-of-shop-only", reader: "token-of-reader", other: "token-of-other-queue" };

let admin: Admin;
let driver: QueueDriver;

const hook = (name: string) => ({ name, url: "http://127.0.0.1:1/", event_types: ["order_paid"] });
const appOf = (id: string, ...hooks: string[]) => ({
  id,
  key: `key-of-${id}`,
  secret: id === "shop" ? appSecret : `secret-of-${id}`,
  webhooks: hooks.map(hook),
});

beforeAll(async () => {
  admin = await startAdmin({
    config: {
      server: {
        token,
        tokens: [
          { name: "shop", token: scoped.shop, scope: "operate", apps: ["shop"] },
          { name: "reader", token: scoped.reader, scope: "read" },
          { name: "other", token: scoped.other, scope: "operate", queues: ["other"] },
        ],
      },
      queue: { queues: ["webhooks", "other", "third"] },
      apps: [appOf("shop", "orders", "stock"), appOf("bank", "ledger")],
    },
    driver: (memory) => (driver = memory),
  });
});
afterAll(() => admin.stop());

async function api(method: string, path: string, body?: unknown, by = token) {
  const response = await fetch(`${admin.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${by}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it expects.
  const parsed: any = JSON.parse(text);
  return { status: response.status, text, body: parsed };
}

const event = (app: string, id: string, more: object = {}) => ({
  id,
  app_id: app,
  payload: { time_ms: 1, events: [{ name: "order_paid", channel: `orders-${id}` }] },
  ...more,
});

async function enqueue(queue: string, ...jobs: object[]): Promise<void> {
  expect((await api("POST", `/v1/queues/${queue}/jobs`, jobs)).status).toBe(202);
}

const list = async (query: string, by = token) => {
  const { status, body } = await api("GET", `/v1/queues/webhooks/jobs?${query}`, undefined, by);
  expect(status).toBe(200);
  return body.items as { ref: string; id: string; [member: string]: unknown }[];
};

function lease(queue: string, max = 1): Promise<Lease[]> {
  const signal = new AbortController().signal;
  const closedKeys = new Set(["shop/orders"]);
  return driver.lease(queue, { max, leaseMs: 60_000, waitMs: 0, closedKeys, parkedMax: 9, signal });
}

/** Empties a queue. */
async function drain(queue: string): Promise<void> {
  for (const state of ["ready", "delayed", "parked"]) {
    const { body } = await api("GET", `/v1/queues/${queue}/jobs?state=${state}&limit=1000`);
    const refs = body.items.map(({ ref }: { ref: string }) => ref);
    if (refs.length > 0) await api("POST", `/v1/queues/${queue}/jobs/cancel`, { refs });
  }
}

describe("GET /v1/queues/{queue}/jobs", () => {
  test("tells what waits in each state, secrets masked, bodies cut", async () => {
    await enqueue("webhooks", event("shop", "first", { app_secret: appSecret }));
    await enqueue("webhooks", event("bank", "second", { delay_ms: 600_000 }));
    await enqueue("webhooks", { id: "long", type: "order_paid", app_id: "bank", data: "x".repeat(9_000) });
    const items = await list("");
    expect(items.map(({ id }) => id)).toEqual(["first", "long"]);
    expect(items[0]).toMatchObject({
      state: "ready",
      job_id: "first",
      attempts: 0,
      app: "shop",
      endpoint: null,
      events: ["order_paid"],
      delivery_id: null,
      due_at: null,
      lease_ends_at: null,
    });
    expect(JSON.stringify(items)).not.toContain(appSecret);
    expect(items[1]).toMatchObject({ truncated: true });
    expect(String(items[1]!["body"]).length).toBe(4096);
    const [delayed] = await list("state=delayed");
    expect(delayed).toMatchObject({ id: "second", state: "delayed", app: "bank" });
    expect(Math.abs(Date.parse(String(delayed!["due_at"])) - Date.now() - 600_000)).toBeLessThan(60_000);
    await drain("webhooks");
  });

  test("filters by app, event, id, time, and the endpoints that a job will go to", async () => {
    await enqueue("webhooks", event("shop", "a"), event("bank", "b"), event("shop", "c"));
    await enqueue("webhooks", { id: "n", type: "other_event", app_id: "bank", data: {} });
    const ids = async (query: string) => (await list(query)).map(({ id }) => id);
    expect(await ids("app=shop")).toEqual(["a", "c"]);
    expect(await ids("endpoint=bank/ledger")).toEqual(["b"]);
    expect(await ids("app=shop&endpoint=stock")).toEqual(["a", "c"]);
    expect(await ids("event=other_event")).toEqual(["n"]);
    expect(await ids("job_id=c")).toEqual(["c"]);
    expect(await ids("since=-1h&until=2999-01-01")).toHaveLength(4);
    expect(await ids("until=2001-01-01")).toEqual([]);
    for (const [query, named] of [
      ["state=dead", "state"],
      ["limit=0", "limit"],
      ["since=soon", "since"],
      ["colour=red", "colour"],
    ] as const) {
      const { status, body } = await api("GET", `/v1/queues/webhooks/jobs?${query}`);
      expect([status, body.code]).toEqual([400, "bad_query"]);
      expect(body.detail).toContain(named);
    }
    expect((await api("GET", "/v1/queues/webhooks/jobs?cursor=x")).body.code).toBe("bad_cursor");
    expect((await api("GET", "/v1/queues/nobody/jobs")).status).toBe(404);
    await drain("webhooks");
  });

  test("an answer stays below 4 MB and leads on", async () => {
    const data = "x".repeat(5_000);
    const jobs = Array.from({ length: 1_000 }, (_, n) => ({
      id: `big-${n}`,
      type: "t",
      app_id: "bank",
      data,
    }));
    for (let at = 0; at < jobs.length; at += 100) await enqueue("third", ...jobs.slice(at, at + 100));
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await api("GET", `/v1/queues/third/jobs?limit=1000${query}`);
      expect(page.text.length).toBeLessThan(4_100_000);
      seen.push(...page.body.items.map(({ id }: { id: string }) => id));
      ({ cursor } = page.body);
      expect(page.body.complete).toBe(cursor === null);
      pages += 1;
    } while (cursor !== null);
    expect(seen).toEqual(jobs.map(({ id }) => id));
    expect(pages).toBeGreaterThan(1);
    await drain("third");
  });
});

describe("POST /v1/queues/{queue}/jobs/run and /cancel", () => {
  test("by refs and by ids: done, leased, not_found", async () => {
    await enqueue("webhooks", event("shop", "held"));
    await lease("webhooks");
    await enqueue("webhooks", event("shop", "late", { delay_ms: 600_000 }), event("bank", "here"));
    const ran = await api("POST", "/v1/queues/webhooks/jobs/run", { ids: ["late", "held", "nobody"] });
    expect([ran.status, ran.body]).toEqual([200, { done: 1, leased: ["held"], not_found: ["nobody"] }]);
    expect((await list("")).map(({ id }) => id)).toEqual(["late", "here"]);
    const refs = [...(await list("")), ...(await list("state=leased"))].map(({ ref }) => ref);
    const gone = await api("POST", "/v1/queues/webhooks/jobs/cancel", { refs: [...refs, "x"] });
    expect([gone.status, gone.body]).toEqual([200, { done: 2, leased: [refs[2]], not_found: ["x"] }]);
    expect(await list("")).toEqual([]);
    const again = await api("POST", "/v1/queues/webhooks/jobs/cancel", { refs: refs.slice(0, 2) });
    expect(again.body).toEqual({ done: 0, leased: [], not_found: refs.slice(0, 2) });
    expect(admin.logged.some((line) => line.includes('"changed"') && line.includes("/jobs/cancel"))).toBe(
      true,
    );
  });

  test("a cancelled job stands in the history once for each receiver, and can be resent from there", async () => {
    await enqueue("webhooks", event("shop", "regret"));
    await api("POST", "/v1/queues/webhooks/jobs/cancel", { ids: ["regret"] });
    const { body } = await api("GET", "/v1/deliveries?state=cancelled&job_id=regret&since=-1h");
    expect(body.items.map(({ endpoint }: { endpoint: string }) => endpoint).sort()).toEqual([
      "shop/orders",
      "shop/stock",
    ]);
    expect(body.items[0]).toMatchObject({ attempts: [], body_kept: true, app: "shop" });
    expect(Math.abs(Date.parse(body.items[0].cancelled_at) - Date.now())).toBeLessThan(60_000);
    const bulk = await api("POST", "/v1/deliveries/resend", { filter: { job_id: "regret" }, dry_run: true });
    expect(bulk.body).toMatchObject({ matched: 2, resendable: 0, skipped: { cancelled: 2 } });
    const resent = await api("POST", `/v1/deliveries/${body.items[0].id}/resend`);
    expect(resent.status).toBe(202);
    expect(await list("")).toMatchObject([{ endpoint: body.items[0].endpoint }]);
    await drain("webhooks");
  });

  test("a body that is not refs or ids is refused", async () => {
    for (const body of [{}, { refs: [] }, { refs: ["a"], ids: ["b"] }, { ids: [1] }, { max: 3 }]) {
      const answer = await api("POST", "/v1/queues/webhooks/jobs/cancel", body);
      expect([answer.status, answer.body.code]).toEqual([422, "invalid_body"]);
    }
  });
});

describe("GET /v1/jobs/{id}", () => {
  test("says where it is in every state, parents and children, and what the history knows", async () => {
    const where = async (id: string, query = "") => (await api("GET", `/v1/jobs/${id}${query}`)).body;
    await enqueue("webhooks", event("shop", "story"));
    expect(await where("story")).toMatchObject({
      id: "story",
      queue: "webhooks",
      state: "ready",
      endpoint: null,
      attempts: 0,
      due_at: null,
      complete: true,
      deliveries: [],
    });
    const [parent] = await lease("webhooks");
    expect((await where("story")).state).toBe("leased");
    const [ordersId, stockId] = ["orders", "stock"].map((name) =>
      deliveryId("story", endpointNameHash(name)),
    );
    const child = (name: string, id = "") => {
      const payload = '{"time_ms":1,"events":[{"name":"order_paid"}]}';
      const body = `{"hookline":1,"id":"story","kind":"pusher","app_id":"shop","endpoint":"${name}","delivery_id":"${id}","bound_events":"all","payload":${payload}}`;
      return { id, body, endpoint: `shop/${name}` };
    };
    const children = [child("orders", ordersId), child("stock", stockId)];
    await driver.settle([{ verb: "replace", jobs: children, lease: parent! }]);
    const [first] = await lease("webhooks");
    await driver.settle([{ verb: "retry", delayMs: 600_000, endpoint: "shop/orders", lease: first! }]);
    const story = await where("story");
    expect(
      story.jobs.map(({ id, state, endpoint }: Record<string, unknown>) => [id, state, endpoint]),
    ).toEqual([
      [stockId, "ready", "shop/stock"],
      [ordersId, "delayed", "shop/orders"],
    ]);
    expect(story.jobs[0].job_id).toBe("story");
    const one = await where(ordersId!);
    expect(one).toMatchObject({ state: "delayed", endpoint: "shop/orders", attempts: 1 });
    expect(one.jobs).toHaveLength(1);
    const [second] = await lease("webhooks");
    const end = { reason: "http_404", detail: "404", endpoint: "shop/stock", attempted: true } as const;
    await driver.settle([{ verb: "dead", ...end, lease: second! }]);
    const both = await where("story", "?queue=webhooks");
    expect(both.jobs.map(({ state }: { state: string }) => state)).toEqual(["delayed", "dead"]);
    expect((await where(stockId!)).jobs[0]).toMatchObject({ state: "dead", reason: "http_404" });
    await api("POST", "/v1/queues/webhooks/jobs/cancel", { ids: ["story"] });
    expect(await where(ordersId!)).toMatchObject({ state: "cancelled", jobs: [], complete: true });
  });

  test("404 after a complete look only", async () => {
    const none = await api("GET", "/v1/jobs/never-seen");
    expect([none.status, none.body.code]).toEqual([404, "unknown_job"]);
    expect((await api("GET", "/v1/jobs/x?queue=nobody")).body.code).toBe("unknown_queue");
    const { jobs } = driver;
    const find = jobs!.find.bind(jobs);
    Object.assign(jobs!, { find: async () => ({ jobs: [], complete: false }) });
    const unsure = await api("GET", "/v1/jobs/never-seen");
    Object.assign(jobs!, { find });
    expect([unsure.status, unsure.body]).toMatchObject([
      200,
      { state: "unknown", complete: false, jobs: [] },
    ]);
  });
});

describe("tokens that are limited", () => {
  test("see and change their own only", async () => {
    await enqueue("webhooks", event("shop", "mine"), event("bank", "theirs"));
    await enqueue("other", event("shop", "elsewhere"));
    expect((await list("", scoped.shop)).map(({ id }) => id)).toEqual(["mine"]);
    expect((await list("", scoped.reader)).map(({ id }) => id)).toEqual(["mine", "theirs"]);
    expect((await api("GET", "/v1/queues/webhooks/jobs?app=bank", undefined, scoped.shop)).status).toBe(403);
    expect((await api("GET", "/v1/queues/webhooks/jobs", undefined, scoped.other)).status).toBe(403);
    expect((await api("GET", "/v1/jobs/theirs", undefined, scoped.shop)).status).toBe(404);
    expect((await api("GET", "/v1/jobs/mine", undefined, scoped.shop)).body.state).toBe("ready");
    expect((await api("GET", "/v1/jobs/mine", undefined, scoped.other)).status).toBe(404);
    expect((await api("GET", "/v1/jobs/mine?queue=webhooks", undefined, scoped.other)).status).toBe(403);
    const refs = (await list("")).map(({ ref }) => ref);
    const path = "/v1/queues/webhooks/jobs/cancel";
    expect((await api("POST", path, { refs }, scoped.reader)).status).toBe(403);
    expect((await api("POST", path, { ids: ["theirs"] }, scoped.shop)).body).toEqual({
      done: 0,
      leased: [],
      not_found: ["theirs"],
    });
    expect((await api("POST", path, { refs }, scoped.shop)).body).toEqual({
      done: 1,
      leased: [],
      not_found: [refs[1]],
    });
    expect((await list("")).map(({ id }) => id)).toEqual(["theirs"]);
  });
});

test("a backend that lists nothing says so: 422, and where a job is only the history tells", async () => {
  const bare = await startAdmin({
    driver: (memory) => {
      const rest = { ...memory, name: "sqs" };
      delete rest.jobs;
      delete rest.findDead;
      return rest;
    },
  });
  try {
    for (const [method, path, body] of [
      ["GET", "/v1/queues/webhooks/jobs", undefined],
      ["POST", "/v1/queues/webhooks/jobs/run", { ids: ["a"] }],
      ["POST", "/v1/queues/webhooks/jobs/cancel", { refs: ["a"] }],
    ] as const) {
      const response = await (body === undefined ? bare.get(path) : bare.post(path, body));
      const answer = (await response.json()) as { code?: string };
      expect([method, response.status, answer.code]).toEqual([method, 422, "unsupported_by_driver"]);
    }
    const where = await bare.get("/v1/jobs/anything");
    expect([where.status, await where.json()]).toMatchObject([200, { state: "unknown", complete: false }]);
  } finally {
    await bare.stop();
  }
});
