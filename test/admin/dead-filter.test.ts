import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Disposition, NewJob } from "../../src/queue/driver.ts";
import { app1, sockudoJob, startAdmin, type Admin } from "./start-admin.ts";

const operator = "operator-of-dead-letters";
const ofApp2 = "reader-of-app-2-alone";
const dead = "/v1/queues/webhooks/dead";

interface Page {
  readonly items: readonly { id: string }[];
  readonly cursor: string | null;
  readonly complete: boolean;
}

type Dead = Omit<Extract<Disposition, { verb: "dead" }>, "verb" | "attempted">;

let admin: Admin;
let now = Date.parse("2026-12-01T12:00:00Z");

/** Makes a dead letter of a job, as the worker would. */
async function bury(id: string, body: unknown, letter: Dead): Promise<void> {
  const job: NewJob = {
    id,
    body: typeof body === "string" ? body : JSON.stringify(body),
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: null,
    dedup: null,
  };
  const { memory } = admin;
  await memory.enqueue("webhooks", [job]);
  const signal = new AbortController().signal;
  const [lease] = await memory.lease("webhooks", {
    max: 1,
    leaseMs: 30_000,
    waitMs: 0,
    closedKeys: new Set<string>(),
    parkedMax: 1,
    signal,
  });
  await memory.settle([{ verb: "dead", attempted: true, ...letter, lease: lease! }]);
}

/** An envelope of ours, bound to an endpoint. */
const envelope = (id: string, endpoint: string, ...events: readonly string[]): unknown => ({
  hookline: 1,
  id,
  kind: "pusher",
  app_id: "app-2",
  app_key: "app-key-2",
  endpoint,
  delivery_id: `${id}_0a1b2c3d`,
  bound_events: [1],
  payload: { time_ms: 1, events: events.map((name) => ({ name, channel: "c" })) },
});

beforeAll(async () => {
  admin = await startAdmin({
    clock: { now: () => now, monotonic: () => performance.now() },
    config: {
      server: {
        token: operator,
        tokens: [
          { name: "of-app-2", token: ofApp2, scope: "read", apps: ["app-2"] },
          { name: "of-named", token: `${ofApp2}-named`, scope: "read", apps: ["-"] },
        ],
      },
      queue: { queues: ["webhooks", "other"] },
      apps: [app1, { ...app1, id: "app-2", key: "app-key-2", secret: "another-secret" }],
    },
  });
  const reply = (status: number) => ({ reason: `http_${status}`, detail: `HTTP ${status}` });
  await bury("order-1_0a1b2c3d", envelope("order-1", "hook", "left_out", "paid"), {
    ...reply(404),
    endpoint: "app-2/hook",
  });
  await bury("order-1_ffffffff", envelope("order-1", "else", "paid", "left_out"), {
    reason: "attempts_exhausted",
    detail: "HTTP 503",
    endpoint: "app-2/else",
  });
  now += 60_000;
  await bury("order-2", sockudoJob("c"), { ...reply(410), endpoint: "app-1/hook" });
  await bury(
    "order-3",
    { type: "mail.sent", data: {}, endpoint: "billing" },
    { ...reply(400), endpoint: "billing" },
  );
  now += 60_000;
  // Nobody has said yet whose these are.
  await bury("lost-1", sockudoJob("c", { app_id: "app-2" }), {
    reason: "bad_signature",
    detail: null,
    endpoint: null,
  });
  await bury("lost-2", "no JSON", { reason: "malformed", detail: "not JSON", endpoint: null });
  now += 60_000;
});
afterAll(() => admin.stop());

const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const ids = async (query: string, token = operator): Promise<string[]> => {
  const response = await admin.request(`${dead}?${query}`, as(token));
  const page = (await response.json()) as Page;
  expect([response.status, page.cursor, page.complete]).toEqual([200, null, true]);
  return page.items.map(({ id }) => id);
};

describe("GET /v1/queues/{queue}/dead", () => {
  const rows: [query: string, found: string[]][] = [
    ["endpoint=app-2/hook", ["order-1_0a1b2c3d"]],
    ["app=app-2&endpoint=else", ["order-1_ffffffff"]],
    ["endpoint=-/billing", ["order-3"]],
    ["endpoint=billing", ["order-3"]],
    ["app=-", ["order-3"]],
    ["app=app-2", ["lost-1", "order-1_ffffffff", "order-1_0a1b2c3d"]],
    ["app=app-1", ["order-2"]],
    ["app=nobody", []],
    ["reason=malformed", ["lost-2"]],
    ["status=404", ["order-1_0a1b2c3d"]],
    ["status=5xx", ["order-1_ffffffff"]],
    ["status=4XX", ["order-3", "order-2", "order-1_0a1b2c3d"]],
    // What a delivery leaves out is no event of it.
    ["event=paid", ["order-1_0a1b2c3d"]],
    ["event=left_out", ["order-1_ffffffff"]],
    ["event=mail.sent", ["order-3"]],
    ["event=channel_occupied", ["lost-1", "order-2"]],
    ["job_id=order-1", ["order-1_ffffffff", "order-1_0a1b2c3d"]],
    ["job_id=order-1_ffffffff", ["order-1_ffffffff"]],
    ["job_id=order-", []],
    ["since=-90s", ["lost-2", "lost-1"]],
    ["until=-150s", ["order-1_ffffffff", "order-1_0a1b2c3d"]],
    ["since=2026-12-01T12:01:00Z&until=2026-12-01T12:01:30Z", ["order-3", "order-2"]],
    ["endpoint=app-2/hook&reason=http_410", []],
  ];
  for (const [query, found] of rows) {
    test(query, async () => {
      expect(await ids(query)).toEqual(found);
    });
  }

  test("a filter's pages end at their limit, wherever that is, and lead to all", async () => {
    const seen: string[] = [];
    let cursor = "";
    do {
      const page = (await (
        await admin.get(`${dead}?event=channel_occupied&limit=1${cursor}`)
      ).json()) as Page;
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.cursor === null ? "" : `&cursor=${page.cursor}`;
    } while (cursor !== "");
    expect(seen).toEqual(["lost-1", "order-2"]);
  });

  test("shows an app's token the app's own, those without an endpoint by the job in them", async () => {
    expect(await ids("", ofApp2)).toEqual(["lost-1", "order-1_ffffffff", "order-1_0a1b2c3d"]);
    expect(await ids("reason=http_404", ofApp2)).toEqual(["order-1_0a1b2c3d"]);
    expect(await ids("endpoint=app-1/hook", ofApp2)).toEqual([]);
    expect(await ids("", `${ofApp2}-named`)).toEqual(["order-3"]);
    const other = await admin.request(`${dead}?app=app-1`, as(ofApp2));
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([403, "forbidden"]);
  });

  test("refuses what is no filter", async () => {
    for (const query of [
      "status=99",
      "since=soon",
      "endpoint=",
      "outcome=timeout",
      "status=404&status=410",
    ]) {
      const response = await admin.get(`${dead}?${query}`);
      const { code } = (await response.json()) as { code: string };
      expect([query, response.status, code]).toEqual([query, 400, "bad_query"]);
    }
  });
});

describe("GET /v1/queues/{queue}/dead/summary", () => {
  interface Summary {
    readonly count: number;
    readonly bytes: number | null;
    readonly groups: readonly { endpoint: string | null; reason: string; count: number }[];
    readonly more_groups: number;
  }
  const summary = async (query = "", token = operator): Promise<Summary> =>
    (await (await admin.request(`${dead}/summary${query}`, as(token))).json()) as Summary;

  test("counts by endpoint and reason", async () => {
    const { count, bytes, groups } = await summary();
    expect(count).toBe(6);
    expect(bytes).toBeGreaterThan(500);
    const lines = groups.map(({ endpoint, reason, count: some }) => `${endpoint} ${reason} ${some}`);
    expect(lines.sort()).toEqual([
      "app-1/hook http_410 1",
      "app-2/else attempts_exhausted 1",
      "app-2/hook http_404 1",
      "billing http_400 1",
      "null bad_signature 1",
      "null malformed 1",
    ]);
  });

  test("by filter and in part", async () => {
    expect(await summary("?app=app-2&limit=1")).toMatchObject({ count: 2, bytes: null, more_groups: 1 });
    expect(await summary("?endpoint=billing")).toMatchObject({ count: 1, groups: [{ app: "-" }] });
    expect(await summary("?reason=malformed")).toMatchObject({ count: 1, groups: [{ endpoint: null }] });
  });

  test("shows an app's token the app's own", async () => {
    const { groups, bytes } = await summary("", ofApp2);
    expect(groups.map(({ endpoint }) => String(endpoint)).sort()).toEqual(["app-2/else", "app-2/hook"]);
    expect(bytes).toBe(null);
  });

  test("of an empty queue is empty", async () => {
    const response = await admin.get("/v1/queues/other/dead/summary");
    expect(await response.json()).toEqual({
      queue: "other",
      count: 0,
      bytes: 0,
      complete: true,
      groups: [],
      more_groups: 0,
    });
  });
});
