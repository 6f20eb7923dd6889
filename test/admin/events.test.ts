import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createNoneDriver } from "../../src/queue/drivers/none/driver.ts";
import { app1, appSecret, startAdmin, type Admin, type AdminSetup } from "./start-admin.ts";

let running: Admin[] = [];

async function start(setup: AdminSetup = {}): Promise<Admin> {
  const admin = await startAdmin(setup);
  running.push(admin);
  return admin;
}

let admin: Admin;
beforeEach(async () => void (admin = await start()));
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
});

interface Answer {
  accepted: number;
  jobs: { id: string; status: string }[];
  events: { name: string; webhooks: number }[];
  code?: string;
  detail?: string;
}
const json = async (response: Response): Promise<Answer> => (await response.json()) as Answer;

/** Takes everything off the queue, as bodies. */
async function drain(one: Admin, queue = "webhooks"): Promise<string[]> {
  const leases = await one.memory.lease(queue, {
    max: 1000,
    leaseMs: 60_000,
    waitMs: 0,
    parkedMax: 0,
    closedKeys: new Set(),
    signal: new AbortController().signal,
  });
  return leases.map((lease) => String(lease.job.body));
}

describe("events", () => {
  const events = "/v1/apps/app-1/events";
  const one = { events: [{ name: "channel_occupied", channel: "room" }] };

  test("become a job on webhooks, with time_ms now", async () => {
    const before = Date.now();
    const response = await admin.post(
      events,
      '{"events":[{"name":"channel_occupied","channel":"room","n":1.0}]}',
    );
    expect(response.status).toBe(202);
    const answer = await json(response);
    const { id } = answer.jobs[0]!;
    expect(answer).toEqual({
      accepted: 1,
      jobs: [{ id, status: "enqueued" }],
      events: [{ name: "channel_occupied", webhooks: 1 }],
    });
    const [body = ""] = await drain(admin);
    expect(body).toContain('"events":[{"name":"channel_occupied","channel":"room","n":1.0}]');
    const envelope = JSON.parse(body) as { id: string; app_id: string; payload: { time_ms: number } };
    expect(envelope).toMatchObject({ id: answer.jobs[0]?.id, app_id: "app-1" });
    expect(envelope.payload.time_ms).toBeGreaterThanOrEqual(before);
  });

  test("go to the first queue where there is no webhooks, and never to a raw one", async () => {
    const other = await start({
      config: {
        queue: { queues: [{ name: "orders", format: "raw", endpoint: "e" }, "first", "second"] },
        endpoints: { e: { url: "http://127.0.0.1:1/" } },
      },
    });
    expect((await other.post(events, one)).status).toBe(202);
    expect((await other.memory.stats("first")).ready).toBe(1);
  });

  const bad: [name: string, path: string, body: string, status: number, code: string][] = [
    ["an unknown app", "/v1/apps/nobody/events", JSON.stringify(one), 404, "no_such_app"],
    ["an app's key instead of its id", "/v1/apps/app-key/events", JSON.stringify(one), 404, "no_such_app"],
    ["no events", events, "{}", 422, "invalid_body"],
    ["an empty list", events, '{"events":[]}', 422, "invalid_body"],
    ["an event without name", events, '{"events":[{"channel":"x"}]}', 422, "invalid_body"],
    ["a name that is a number", events, '{"events":[{"name":7}]}', 422, "invalid_body"],
    ["an unknown member", events, '{"events":[{"name":"x"}],"evnts":1}', 422, "invalid_body"],
    ["an array", events, "[]", 422, "invalid_body"],
    ["no JSON", events, "{", 400, "invalid_json"],
  ];
  for (const [name, path, body, status, code] of bad) {
    test(`${name}: ${status} ${code}`, async () => {
      const response = await admin.post(path, body);
      expect({ status: response.status, code: (await json(response)).code }).toEqual({ status, code });
      expect((await admin.memory.stats("webhooks")).ready).toBe(0);
    });
  }

  test("an event without name is named by its place", async () => {
    const response = await admin.post(events, '{"events":[{"name":"a"},{"channel":"x"}]}');
    expect((await json(response)).detail).toContain("events[1].name");
  });

  test("of several requests share a job when batching, answered once the driver has it", async () => {
    const batching = { enabled: true, duration_ms: 60_000, size: 3 };
    const batched = await start({
      config: {
        webhooks: { batching },
        apps: [app1, { ...app1, id: "app-2", key: "key-2" }],
      },
    });
    const [first, second] = await Promise.all([
      batched.post(events, one),
      batched.post(events, { events: [...one.events, ...one.events] }),
    ]);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect((await json(first)).jobs).toEqual((await json(second)).jobs);
    expect((await batched.memory.stats("webhooks")).ready).toBe(1);

    const waiting = [batched.post(events, one), batched.post("/v1/apps/app-2/events", one)];
    const flushed = batched.flushUntilSettled(waiting);
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(202);
    await flushed;
    expect((await batched.memory.stats("webhooks")).ready).toBe(3);
  });

  test("a batch larger than the backend takes is split, so that no request fails for another's sake", async () => {
    const batched = await start({
      config: { webhooks: { batching: { enabled: true, duration_ms: 60_000, size: 4 } } },
      driver: (memory) => ({ ...memory, capabilities: { ...memory.capabilities, maxPayloadBytes: 3000 } }),
    });
    const large = { events: [{ name: "channel_occupied", channel: "c".repeat(1500) }] };
    const responses = await Promise.all([1, 2, 3, 4].map(() => batched.post(events, large)));
    expect(responses.map((response) => response.status)).toEqual([202, 202, 202, 202]);
    const sizes = (await drain(batched)).map((body) => body.length);
    expect(sizes).toHaveLength(4);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(3000);
  });
});

// faults.md C3: an event that no webhook wants was answered 202, and nobody was told.
describe("the answer to events", () => {
  const hook = (name: string, event_types: string[], filter?: object) => ({
    ...app1.webhooks![0]!,
    name,
    event_types,
    ...(filter === undefined ? {} : { filter }),
  });
  const webhooks = [
    hook("a", ["order.*"]),
    hook("b", ["order.paid", "member_added"]),
    hook("c", ["order.paid"], { channel_prefix: "private-" }),
  ];
  const names = ["order.paid", "order.paid", "order_paid", "member_added", "order.paid"];
  const channels = ["shop", "private-shop", "shop", null, undefined];
  const body = { events: names.map((name, at) => ({ name, channel: channels[at] })) };

  test("says of each how many webhooks want it, in order", async () => {
    const one = await start({ config: { apps: [{ ...app1, webhooks }] } });
    const { events } = await json(await one.post("/v1/apps/app-1/events", body));
    expect(events).toEqual([
      { name: "order.paid", webhooks: 2 },
      { name: "order.paid", webhooks: 3 },
      { name: "order_paid", webhooks: 0 },
      { name: "member_added", webhooks: 1 },
      { name: "order.paid", webhooks: 2 },
    ]);
  });

  test("says so also of a batch, of a request's own events alone, and where the driver is none", async () => {
    const batching = { enabled: true, duration_ms: 1, size: 100 };
    const setup = { config: { apps: [{ ...app1, webhooks }], webhooks: { batching } } };
    const batched = await start(setup);
    const answers = await Promise.all(
      ["member_added", "nobody_wants_this"].map(async (name) =>
        json(await batched.post("/v1/apps/app-1/events", { events: [{ name }] })),
      ),
    );
    expect(answers.map(({ events }) => events)).toEqual([
      [{ name: "member_added", webhooks: 1 }],
      [{ name: "nobody_wants_this", webhooks: 0 }],
    ]);
    const none = await start({ ...setup, driver: createNoneDriver });
    const answer = await none.post("/v1/apps/app-1/events", { events: [{ name: "member_added" }] });
    expect([answer.status, (await json(answer)).events]).toEqual([
      200,
      [{ name: "member_added", webhooks: 1 }],
    ]);
  });

  test("has a debug line with the names that no webhook wants, bounded and masked", async () => {
    const events = Array.from({ length: 50 }, (_, n) => ({ name: `odd_${n}` }));
    await admin.post("/v1/apps/app-1/events", {
      events: [...events, { name: "channel_occupied" }, events[0]],
    });
    await admin.post("/v1/apps/app-1/events", { events: [{ name: `${"x".repeat(190)}${appSecret}` }] });
    const lines = admin.logged.filter((line) => line.includes("no webhook of the app wants"));
    const [first, second] = lines.map((line) => JSON.parse(line) as { events: string[]; names: number });
    expect(first).toMatchObject({ level: "debug", app: "app-1", names: 50 });
    expect(first?.events).toEqual(events.slice(0, 20).map(({ name }) => name));
    expect(second?.events).toEqual(["x".repeat(190)]);
  });

  test("names no secret, and no more than 200 characters of a name", async () => {
    const response = await admin.post("/v1/apps/app-1/events", {
      events: [{ name: appSecret }, { name: "n".repeat(1_000) }],
    });
    expect((await json(response)).events.map(({ name }) => name)).toEqual(["***", "n".repeat(200)]);
  });
});

// faults.md C17: such a request was refused, so that it could not be repeated safely.
describe("events with an Idempotency-Key", () => {
  const headers = { "idempotency-key": "order-4711" };
  const path = "/v1/apps/app-1/events";
  const body = { events: [{ name: "channel_occupied", channel: "a" }] };

  test("again are a duplicate with the same answer, and others under the key a conflict", async () => {
    const first = await json(await admin.post(path, body, headers));
    expect(first.jobs.map(({ status }) => status)).toEqual(["enqueued"]);
    const again = await admin.post(path, body, headers);
    expect(again.status).toBe(202);
    expect(await json(again)).toEqual({
      ...first,
      jobs: first.jobs.map(({ id }) => ({ id, status: "duplicate" })),
    });
    const other = await admin.post(path, { events: [...body.events, ...body.events] }, headers);
    expect(other.status).toBe(409);
    expect(await json(other)).toMatchObject({ code: "idempotency_conflict", accepted: 0 });
    expect(await drain(admin)).toHaveLength(1);
  });

  test("are a job of their own, beside the batch", async () => {
    const batching = { enabled: true, duration_ms: 60_000, size: 100 };
    const batched = await start({ config: { webhooks: { batching } } });
    const waiting = batched.post(path, body);
    expect((await batched.post(path, body, headers)).status).toBe(202);
    expect((await json(await batched.post(path, body, headers))).jobs[0]?.status).toBe("duplicate");
    expect((await batched.memory.stats("webhooks")).ready).toBe(1);
    await batched.flushUntilSettled([waiting]);
    expect((await waiting).status).toBe(202);
    expect(await drain(batched)).toHaveLength(2);
  });

  test("belong to their app: another app and a job may use the same key", async () => {
    const one = await start({ config: { apps: [app1, { ...app1, id: "app-2", key: "key-2" }] } });
    const job = { app_id: "app-1", payload: { time_ms: 1, events: body.events } };
    for (const [where, what] of [
      [path, body],
      ["/v1/apps/app-2/events", body],
      ["/v1/queues/webhooks/jobs", job],
    ] as const) {
      const answer = await json(await one.post(where, what, headers));
      expect(answer.jobs.map(({ status }) => status)).toEqual(["enqueued"]);
    }
    expect(await drain(one)).toHaveLength(3);
  });

  test("that are too large for one job are the same jobs again", async () => {
    const one = await start({
      driver: (memory) => ({ ...memory, capabilities: { ...memory.capabilities, maxPayloadBytes: 3000 } }),
    });
    const large = { name: "channel_occupied", channel: "c".repeat(1_000) };
    const first = await json(await one.post(path, { events: [large, large, large, large] }, headers));
    expect(first.jobs.length).toBeGreaterThan(1);
    const again = await json(await one.post(path, { events: [large, large, large, large] }, headers));
    expect(again.jobs).toEqual(first.jobs.map(({ id }) => ({ id, status: "duplicate" })));
  });

  test("are refused where the key is none, or the driver cannot deduplicate; with driver none it is no matter", async () => {
    const plain = await start({
      driver: (memory) => ({ ...memory, capabilities: { ...memory.capabilities, dedup: false } }),
    });
    const refused = await plain.post(path, body, headers);
    expect([refused.status, (await json(refused)).code]).toEqual([422, "unsupported_by_driver"]);
    expect((await plain.memory.stats("webhooks")).ready).toBe(0);
    const bad = await admin.post(path, body, { "idempotency-key": "a b" });
    expect([bad.status, (await json(bad)).code]).toEqual([400, "invalid_idempotency_key"]);
    const none = await start({ driver: createNoneDriver });
    expect((await none.post(path, body, headers)).status).toBe(200);
  });
});
