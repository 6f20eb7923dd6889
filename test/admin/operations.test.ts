import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { deliveryId, endpointNameHash } from "../../src/jobs/id.ts";
import type { NewJob } from "../../src/queue/driver.ts";
import { until } from "../support/until.ts";
import { app1, startAdmin, type Admin } from "./start-admin.ts";

const operator = "operator-of-operations";
const ofApp2 = "operator-of-app-2-alone";
const reader = "reader-of-operations";
const dead = "/v1/queues/webhooks/dead";

interface View {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly matched: number;
  readonly done: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly code?: string;
}

let admin: Admin;
let now = Date.parse("2026-12-01T12:00:00Z");

beforeAll(async () => {
  admin = await startAdmin({
    clock: { now: () => now, monotonic: () => performance.now() },
    deadLetterRetention: 10_000,
    config: {
      server: {
        token: operator,
        tokens: [
          { name: "of-app-2", token: ofApp2, scope: "operate", apps: ["app-2"] },
          { name: "reader", token: reader, scope: "read" },
        ],
      },
      apps: [
        app1,
        {
          ...app1,
          id: "app-2",
          key: "app-key-2",
          secret: "another-secret",
          webhooks: [
            { name: "hook", url: "http://127.0.0.1:1/", event_types: ["channel_occupied"] },
            { name: "other", url: "http://127.0.0.1:1/", event_types: ["nothing_of_this"] },
          ],
        },
      ],
      endpoints: { backup: { url: "http://127.0.0.1:1/", signing: "none" } },
    },
  });
});
afterAll(() => admin.stop());

const hookHash = endpointNameHash("hook");

const leaseOptions = (max: number) => ({
  max,
  leaseMs: 30_000,
  waitMs: 0,
  closedKeys: new Set<string>(),
  parkedMax: 1,
  signal: new AbortController().signal,
});

const envelope = (id: string, app: string, endpoint: string): string =>
  JSON.stringify({
    hookline: 1,
    id,
    kind: "pusher",
    app_id: app,
    app_key: app === "app-1" ? "app-key" : "app-key-2",
    endpoint,
    delivery_id: deliveryId(id, endpointNameHash(endpoint)),
    bound_events: [1],
    payload: {
      time_ms: 1,
      events: ["left_out", "channel_occupied"].map((name) => ({ name, channel: "c" })),
    },
  });

/** Makes dead letters of one endpoint. */
async function bury(count: number, app: string, endpoint: string): Promise<void> {
  const prefix = `${app}-${endpoint}-${now}`;
  const jobs = Array.from({ length: count }, (_, n): NewJob => ({
    id: deliveryId(`${prefix}-${n}`, endpointNameHash(endpoint)),
    body: envelope(`${prefix}-${n}`, app, endpoint),
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: null,
    dedup: null,
  }));
  await admin.memory.enqueue("webhooks", jobs);
  const leases = await admin.memory.lease("webhooks", leaseOptions(count));
  expect(leases).toHaveLength(count);
  const letter = { reason: "http_404", detail: "HTTP 404", endpoint: `${app}/${endpoint}`, attempted: true };
  await admin.memory.settle(leases.map((lease) => ({ verb: "dead", ...letter, lease })));
}

const ask = async (
  token: string,
  path: string,
  body?: unknown,
  method = body === undefined ? "GET" : "POST",
): Promise<View & { status: number; body: Record<string, unknown> }> => {
  const response = await admin.request(path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as View & Record<string, unknown>;
  return { ...answer, status: response.status, body: answer };
};
const counts = async () => {
  const { ready, dead: letters } = await admin.memory.stats("webhooks");
  return { ready, dead: letters };
};

beforeEach(async () => {
  await ask(operator, `${dead}/remove`, { all: true });
  for (;;) {
    const leases = await admin.memory.lease("webhooks", leaseOptions(1_000));
    if (leases.length === 0) break;
    await admin.memory.settle(leases.map((lease) => ({ verb: "ack", lease })));
  }
  now += 7_200_000;
});

describe("redrive by filter", () => {
  test("20 of one endpoint among 5,000 of others, counted first and then made ready", async () => {
    await bury(10, "app-1", "hook");
    now += 7_200_000;
    await bury(2_500, "app-2", "hook");
    await bury(20, "app-1", "hook");
    await bury(2_500, "app-2", "other");
    const filter = { endpoint: "app-1/hook", since: "-1h" };
    const counted = await ask(reader, `${dead}/redrive`, { filter, dry_run: true });
    expect(counted.body).toMatchObject({ state: "done", dry_run: true, matched: 20, done: 0, redriven: 0 });
    expect(await counts()).toEqual({ ready: 0, dead: 5_030 });
    const { body } = await ask(operator, `${dead}/redrive`, { filter });
    expect(body).toMatchObject({
      state: "done",
      looked: 5_030,
      matched: 20,
      done: 20,
      redriven: 20,
      total: 5_030,
    });
    expect(await counts()).toEqual({ ready: 20, dead: 5_010 });
    const leases = await admin.memory.lease("webhooks", leaseOptions(100));
    expect(leases.every(({ job }) => job.id.startsWith(`app-1-hook-${now}`))).toBe(true);
    await admin.memory.settle(leases.map((lease) => ({ verb: "ack", lease })));
    expect((await ask(operator, `${dead}/redrive`, { filter })).body).toMatchObject({
      matched: 0,
      redriven: 0,
    });
  });

  test("max takes the oldest that fit", async () => {
    await bury(3, "app-2", "hook");
    now += 1_000;
    await bury(3, "app-2", "hook");
    await ask(operator, `${dead}/redrive`, { filter: { app: "app-2" }, max: 3 });
    const leases = await admin.memory.lease("webhooks", leaseOptions(10));
    expect(leases.map(({ job }) => job.id.includes(`-${now - 1_000}-`))).toEqual([true, true, true]);
    await admin.memory.settle(leases.map((lease) => ({ verb: "ack", lease })));
  });

  test("a reader may count and not do; who may do names a filter", async () => {
    const refused = await ask(reader, `${dead}/redrive`, { filter: { app: "app-2" } });
    expect([refused.status, refused.code]).toEqual([403, "forbidden"]);
    for (const body of [{}, { filter: {} }, { filter: {}, max: 3 }, { dry_run: true }]) {
      for (const verb of ["redrive", "remove"]) {
        const answer = await ask(operator, `${dead}/${verb}`, body);
        expect([verb, body, answer.status, answer.code]).toEqual([verb, body, 400, "empty_filter"]);
      }
    }
    for (const body of [
      { filter: { app: "x" }, all: true },
      { ids: ["x"], filter: { app: "x" } },
    ]) {
      expect(await ask(operator, `${dead}/redrive`, body)).toMatchObject({
        status: 422,
        code: "invalid_body",
      });
    }
    const lines = admin.logged.filter((line) => line.includes('"changed"') && line.includes('"reader"'));
    expect(lines).toEqual([]);
  });

  test("an app's token reaches its own letters only, whatever it names", async () => {
    await bury(5, "app-1", "hook");
    await bury(4, "app-2", "hook");
    expect(await ask(ofApp2, `${dead}/redrive`, { all: true })).toMatchObject({ matched: 4, done: 4 });
    const ids = Array.from({ length: 5 }, (_, n) => `app-1-hook-${now}-${n}`);
    expect(await ask(ofApp2, `${dead}/redrive`, { ids })).toMatchObject({ status: 200, matched: 0, done: 0 });
    expect(await ask(ofApp2, `${dead}/remove`, { ids })).toMatchObject({ status: 200, matched: 0, done: 0 });
    const one = await admin.request(`${dead}/${ids[0]}_${hookHash}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${ofApp2}` },
    });
    expect(one.status).toBe(404);
    expect((await ask(ofApp2, `${dead}/redrive`, { filter: { app: "app-1" } })).code).toBe("forbidden");
    expect((await counts()).dead).toBe(5);
    const { body } = await ask(ofApp2, "/v1/operations");
    expect((body["items"] as { token: string }[]).every(({ token }) => token === "of-app-2")).toBe(true);
  });
});

describe("redrive to another endpoint", () => {
  const redrive = (to: string, more: object = { all: true }) =>
    ask(operator, `${dead}/redrive`, { to, ...more });

  test("of the same app, whatever that one's filters are, under its own webhook-id", async () => {
    await bury(1, "app-2", "hook");
    expect(await redrive("app-2/other")).toMatchObject({ state: "done", done: 1, skipped: {} });
    const [lease] = await admin.memory.lease("webhooks", leaseOptions(1));
    const job = JSON.parse(lease!.job.body as string) as Record<string, unknown>;
    expect(job).toMatchObject({ endpoint: "other", redirected: true, bound_events: [1] });
    expect(lease!.job.id).toBe(String(job["delivery_id"]));
    expect(lease!.job.id).not.toEndWith(hookHash);
    await admin.memory.settle([{ verb: "ack", lease: lease! }]);
  });

  test("to a named one, by id of the job", async () => {
    await bury(2, "app-2", "hook");
    const answer = await redrive("-/backup", { ids: [`app-2-hook-${now}-0`, "nobody"] });
    expect(answer.body).toMatchObject({ done: 1, not_found: ["nobody"] });
    const [lease] = await admin.memory.lease("webhooks", leaseOptions(1));
    expect(JSON.parse(lease!.job.body as string)).toMatchObject({ endpoint: "-/backup", app_id: "app-2" });
    await admin.memory.settle([{ verb: "ack", lease: lease! }]);
  });

  test("of another app is refused, said of those that are left out, and moves nothing", async () => {
    await bury(2, "app-1", "hook");
    expect(await redrive("app-2/hook")).toMatchObject({ status: 422, code: "other_app" });
    expect(await redrive("app-2/hook", { filter: { app: "app-1" } })).toMatchObject({ code: "other_app" });
    expect((await counts()).dead).toBe(2);
    await bury(1, "app-2", "hook");
    expect(await redrive("app-2/other", { all: true, dry_run: true })).toMatchObject({
      matched: 3,
      skipped: { other_app: 2 },
    });
    expect(await redrive("app-2/other")).toMatchObject({ matched: 3, done: 1, skipped: { other_app: 2 } });
    expect(await redrive("app-2/nobody")).toMatchObject({ status: 422, code: "unknown_endpoint" });
    expect(await ask(ofApp2, `${dead}/redrive`, { to: "app-1/hook", all: true })).toMatchObject({
      status: 403,
    });
  });
});

describe("remove", () => {
  test("by filter, by ids, and all", async () => {
    await bury(3, "app-1", "hook");
    await bury(4, "app-2", "hook");
    expect((await ask(reader, `${dead}/remove`, { all: true, dry_run: true })).body).toMatchObject({
      matched: 7,
    });
    const removed = await ask(operator, `${dead}/remove`, { filter: { app: "app-1" } });
    expect(removed.body).toMatchObject({ kind: "remove", matched: 3, done: 3, removed: 3 });
    const ids = [`app-2-hook-${now}-0`, `app-2-hook-${now}-1_${hookHash}`, "nobody"];
    const named = await ask(operator, `${dead}/remove`, { ids });
    expect(named.body).toMatchObject({ removed: 2, not_found: ["nobody"] });
    expect(await counts()).toEqual({ ready: 0, dead: 2 });
  });
});

describe("an operation", () => {
  test("that is paced goes on after its answer, is one for the same request, and is stopped", async () => {
    await bury(300, "app-2", "hook");
    const body = { filter: { app: "app-2" }, per_second: 20 };
    const [first, second] = await Promise.all([
      ask(operator, `${dead}/redrive`, body),
      ask(operator, `${dead}/redrive`, body),
    ]);
    expect([first.status, first.state, second.id]).toEqual([202, "running", first.id]);
    const other = await ask(operator, `${dead}/redrive`, { ...body, per_second: 21, dry_run: true });
    expect(other.id).not.toBe(first.id);
    const shown = await ask(reader, `/v1/operations/${first.id}`);
    expect(shown.body).toMatchObject({ state: "running", token: "default", request: body, ended_at: null });
    await until(async () => (await ask(reader, `/v1/operations/${first.id}`)).done > shown.done, {
      what: "progress",
    });
    const refused = await ask(reader, `/v1/operations/${first.id}`, undefined, "DELETE");
    expect(refused.code).toBe("forbidden");
    const stopped = await ask(operator, `/v1/operations/${first.id}`, undefined, "DELETE");
    expect([stopped.status, stopped.state]).toEqual([200, "stopped"]);
    const left = await counts();
    expect(left.ready).toBe(stopped.done);
    expect(left.dead).toBe(300 - stopped.done);
    // Sixty would be three seconds' worth.
    expect(stopped.done).toBeLessThan(200);
    // Again does the rest.
    expect(await ask(operator, `${dead}/redrive`, { filter: { app: "app-2" } })).toMatchObject({
      status: 200,
      state: "done",
      done: left.dead!,
    });
    const { body: list } = await ask(reader, "/v1/operations?limit=2");
    expect(list).toMatchObject({ scope: "process", complete: false, items: [{ state: "done" }, {}] });
  });

  test("of nobody is 404", async () => {
    expect(await ask(reader, "/v1/operations/nobody")).toMatchObject({
      status: 404,
      code: "unknown_operation",
    });
  });
});
