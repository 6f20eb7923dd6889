import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { secret } from "../support/secrets.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobNumber, jobsFrom } from "./scenario.ts";

/** Issue "Find it, send it again, be told", part 3: the history of deliveries, over the API. */

const reader = secret("reader");
const shopOnly = secret("shop-only");
const headerSecret = secret("header");

let receiver: Receiver;
let server: Executable;

beforeAll(async () => {
  receiver = await startReceiver({ behaviour: answer(200) });
  const hooks = [
    { name: "orders", url: `${receiver.url}/orders`, headers: { authorization: headerSecret } },
    {
      name: "stock",
      url: `${receiver.url}/stock`,
      event_types: ["channel_vacated"],
      retry: { max_attempts: 2, initial_backoff_ms: 10 },
    },
  ];
  server = await startExecutable(
    configFor(hooks, {
      queue: { driver: "memory", queues: ["webhooks", "other"] },
      endpoints: { crm: { url: `${receiver.url}/crm` } },
      server: {
        tokens: [
          { name: "reader", token: reader, scope: "read" },
          { name: "shop-only", token: shopOnly, scope: "read", apps: [app.id], queues: ["webhooks"] },
        ],
      },
    }),
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver.close();
});

interface Item {
  readonly id: string;
  readonly job_id: string;
  readonly [member: string]: unknown;
}

async function list(query = "", headers: Record<string, string> = {}): Promise<Item[]> {
  const { status, body } = await server.api("GET", `/v1/deliveries${query}`, undefined, headers);
  expect(status).toBe(200);
  return (body as { items: Item[] }).items;
}

async function listed(query: string, count: number): Promise<Item[]> {
  return until(
    async () => {
      const items = await list(query);
      return items.length === count ? items : null;
    },
    { what: `${count} deliveries for ${query}` },
  );
}

describe("GET /v1/deliveries", () => {
  test("tells what was sent, and what the receiver made of it, secrets masked", async () => {
    const sent = jobNumber(17, "told");
    await server.enqueue("webhooks", { ...sent, app_secret: app.secret });
    const [item] = await listed("?job_id=told-17", 1);
    expect(item).toMatchObject({
      queue: "webhooks",
      app: "shop",
      endpoint: "shop/orders",
      job_id: "told-17",
      events: ["channel_occupied"],
      state: "delivered",
      outcome: "delivered",
      dead_reason: null,
      body_kept: true,
    });
    const request = receiver.requests.find(({ text }) => text.includes('"room-17"'))!;
    expect(item!["webhook_id"]).toBe(request.headers["webhook-id"]);
    expect(item!["body"]).toBe(request.text);
    const { attempts, request_headers: headers } = item as unknown as {
      attempts: Record<string, unknown>[];
      request_headers: Record<string, string>;
    };
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ attempt: 1, outcome: "delivered", status: 200 });
    expect(Math.abs(Date.now() - Date.parse(attempts[0]!["at"] as string))).toBeLessThan(60_000);
    expect(headers["webhook-id"]).toBe(item!["webhook_id"] as string);
    expect(headers["x-pusher-signature"]).toBe(request.headers["x-pusher-signature"]);
    expect(headers["authorization"]).toContain("***");
    const one = await server.api("GET", `/v1/deliveries/${item!.id}`);
    expect(one.body).toEqual(item);
    for (const text of [one.text, JSON.stringify(item)]) {
      expect(text).not.toContain(headerSecret);
      expect(text).not.toContain(app.secret);
    }
  });

  test("keeps the attempts of one delivery together, and finds it by what it came to", async () => {
    receiver.behave((request) => answer(request.path === "/stock" ? 503 : 200));
    const events = [{ name: "channel_vacated", channel: "room-1" }];
    await server.enqueue("webhooks", { id: "failing", app_id: app.id, payload: { time_ms: 1, events } });
    const found = "?endpoint=shop/stock&state=dead";
    const [item] = await listed(found, 1);
    expect(item).toMatchObject({ job_id: "failing", state: "dead", dead_reason: "attempts_exhausted" });
    const attempts = item!["attempts"] as { attempt: number; status: number }[];
    expect(attempts.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 503],
      [2, 503],
    ]);
    for (const query of [
      "?app=shop&endpoint=stock",
      "?outcome=http_status",
      "?status=503",
      "?status=5xx&event=channel_vacated",
      "?reason=attempts_exhausted&since=-1h",
      `?job_id=failing&until=${Date.now() + 60_000}`,
    ]) {
      expect((await list(query)).map(({ job_id: id }) => id)).toEqual(["failing"]);
    }
    for (const query of [
      "?status=4xx",
      "?until=2001-01-01",
      "?event=nothing",
      "?endpoint=stock",
      "?queue=other&app=shop",
    ]) {
      expect(await list(query)).toEqual([]);
    }
  });

  test("a page goes on where the last one ended, whatever comes meanwhile", async () => {
    receiver.behave(answer(200));
    await server.enqueue("other", jobsFrom(0, 25, "paged"));
    await listed("?queue=other&limit=1000", 25);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const more: string = cursor === null ? "" : `&cursor=${cursor}`;
      const { body } = await server.api("GET", `/v1/deliveries?queue=other&limit=10${more}`);
      expect(body.items.length).toBeLessThanOrEqual(10);
      seen.push(...(body.items as Item[]).map(({ job_id: id }) => id));
      ({ cursor } = body as { cursor: string | null });
      expect(body.complete).toBe(cursor === null);
      await server.enqueue("webhooks", jobsFrom(seen.length, 3, "meanwhile"));
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
  });

  test("a long body is cut in a list, and whole where one delivery is asked for", async () => {
    const data = "x".repeat(20_000);
    await server.enqueue("webhooks", { id: "long", type: "order.paid", endpoint: "crm", data });
    const [item] = await listed("?job_id=long&app=-&endpoint=crm", 1);
    expect(item).toMatchObject({ endpoint: "crm", app: null, events: ["order.paid"], truncated: true });
    expect((item!["body"] as string).length).toBe(4096);
    const { body } = await server.api("GET", `/v1/deliveries/${item!.id}`);
    expect(body.truncated).toBeUndefined();
    expect(JSON.parse(body.body).data).toBe(data);
  });

  test("a token's limits hold, and what it may not see is not there", async () => {
    const all = await list("?limit=1000");
    const limited = { authorization: `Bearer ${shopOnly}` };
    const shown = await list("?limit=1000", limited);
    expect(all.some(({ queue }) => queue === "other")).toBe(true);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.every(({ queue, app: of }) => queue === "webhooks" && of === "shop")).toBe(true);
    const hidden = all.find(({ endpoint }) => endpoint === "crm")!;
    const get = (path: string, token: string) =>
      server.api("GET", path, undefined, { authorization: `Bearer ${token}` });
    expect((await get(`/v1/deliveries/${hidden.id}`, reader)).status).toBe(200);
    expect((await get(`/v1/deliveries/${hidden.id}`, shopOnly)).status).toBe(404);
    expect((await get("/v1/deliveries?queue=other", shopOnly)).status).toBe(403);
    expect((await get("/v1/deliveries?app=-", shopOnly)).status).toBe(403);
  });

  test("what cannot be understood is refused with what can", async () => {
    const cases = [
      ["?outcome=fine", "bad_query", "outcome"],
      ["?status=999", "bad_query", "status"],
      ["?since=yesterday", "bad_query", "since"],
      ["?colour=red", "bad_query", "colour"],
      ["?cursor=nothing", "bad_cursor", "cursor"],
      ["?limit=1001", "bad_query", "limit"],
    ] as const;
    for (const [query, code, named] of cases) {
      const { status, body } = await server.api("GET", `/v1/deliveries${query}`);
      expect([status, body.code]).toEqual([400, code]);
      expect(body.detail).toContain(named);
    }
    const none = await server.api("GET", "/v1/deliveries/00000000-1");
    expect([none.status, none.body.code]).toEqual([404, "unknown_delivery"]);
  });
});

test("shows the beginning of what the receiver answered, secrets masked", async () => {
  const said = `no such order for ${headerSecret}`;
  receiver.behave(answer(404, { body: said + "x".repeat(2_000) }));
  await server.enqueue("webhooks", jobNumber(18, "said"));
  const [item] = await listed("?job_id=said-18", 1);
  receiver.behave(answer(200));
  const [attempt] = (item as Item)["attempts"] as { answer: string }[];
  expect(attempt?.answer).toStartWith("no such order for ***xxx");
  expect(attempt?.answer.length).toBeWithin(900, 1025);
});

test("history.enabled: false remembers nothing and says so", async () => {
  await using off = await startExecutable(
    configFor([{ url: receiver.url }], { history: { enabled: false } }),
  );
  await off.enqueue("webhooks", jobsFrom(0, 1, "off"));
  await off.untilIdle();
  const { status, body } = await off.api("GET", "/v1/deliveries");
  expect([status, body.code]).toEqual([404, "history_off"]);
});
