import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runExecutable, startExecutable, token, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { secret } from "../support/secrets.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumber, jobsFrom } from "./scenario.ts";

/** Issue "Find it, send it again, be told", part 3: deliveries are sent again, to the one endpoint and with the same payload. */

const reader = secret("reader");

let receiver: Receiver;
let server: Executable;
let config: (hooks: readonly string[]) => object;

beforeAll(async () => {
  receiver = await startReceiver({ behaviour: answer(200) });
  const tokens = [
    { name: "reader", token: reader, scope: "read" },
    { name: "narrow", token: secret("narrow"), scope: "operate", apps: ["elsewhere"] },
  ];
  config = (hooks) => {
    const of = (name: string): object => ({
      name,
      url: `${receiver.url}/${name}`,
      retry: { max_attempts: 2, initial_backoff_ms: 10 },
      breaker: { min_attempts: 1_000_000 },
      ...(name === "stock" ? { event_types: ["channel_vacated", "channel_occupied"] } : {}),
    });
    return configFor(hooks.map(of), {
      endpoints: { crm: { url: `${receiver.url}/crm` } },
      server: { tokens },
    });
  };
  server = await startExecutable(config(["orders", "stock"]));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver.close();
});

interface Item {
  readonly id: string;
  readonly job_id: string;
  readonly webhook_id: string;
  readonly resend_of: string | null;
  readonly endpoint: string;
  readonly state: string;
}

async function listed(query: string, count: number): Promise<Item[]> {
  return until(
    async () => {
      const { items } = (await server.api("GET", `/v1/deliveries?limit=1000&${query}`)).body as {
        items: Item[];
      };
      return items.length === count ? items : null;
    },
    { what: `${count} deliveries for ${query}` },
  );
}

const resend = (id: string, body?: object) => server.api("POST", `/v1/deliveries/${id}/resend`, body);
const resendMany = (body: unknown, headers: Record<string, string> = {}) =>
  server.api("POST", "/v1/deliveries/resend", body, headers);

describe("one delivery", () => {
  test("goes again to its endpoint alone, signed anew, with the same payload and webhook-id", async () => {
    await server.enqueue("webhooks", jobNumber(1, "again"));
    const items = await listed("job_id=again-1", 2);
    const item = items.find(({ endpoint }) => endpoint === "shop/orders")!;
    const first = receiver.requests.find(({ headers }) => headers["webhook-id"] === item.webhook_id)!;
    receiver.clear();
    const { status, body } = await resend(item.id);
    expect(status).toBe(202);
    expect(body).toMatchObject({
      status: "enqueued",
      queue: "webhooks",
      endpoint: "shop/orders",
      webhook_id: item.webhook_id,
      resend_of: item.id,
    });
    expect(body.note).toContain("new_id");
    expect(body.job_id).not.toBe("again-1");
    const second = await receiver.waitFor(1);
    expect(second.text).toBe(first.text);
    expect(second.path).toBe("/orders");
    expect(second.headers["webhook-id"]).toBe(item.webhook_id);
    expect(isSigned(second)).toBe(true);
    const [made] = await listed(`job_id=${body.job_id}`, 1);
    expect(made).toMatchObject({ resend_of: item.id, webhook_id: item.webhook_id, state: "delivered" });
    expect(receiver.count).toBe(1);
  });

  test("goes under another webhook-id with new_id, and keeps whose repeat it is over its attempts", async () => {
    await server.enqueue("webhooks", { id: "renamed", type: "order.paid", endpoint: "crm", data: { n: 1 } });
    const [item] = await listed("job_id=renamed", 1);
    receiver.clear();
    receiver.behave((_, n) => answer(n === 1 ? 503 : 200));
    const { body } = await resend(item!.id, { new_id: true });
    expect(body.note).toBeUndefined();
    const second = await receiver.waitFor(2);
    expect(second.headers["webhook-id"]).toBe(body.webhook_id);
    expect(body.webhook_id).not.toBe(item!.webhook_id);
    expect(JSON.parse(second.text)).toMatchObject({ type: "order.paid", data: { n: 1 } });
    const [made] = await listed(`job_id=${body.job_id}&state=delivered`, 1);
    expect(made).toMatchObject({ resend_of: item!.id });
    receiver.behave(answer(200));
  });

  test("keeps the events that its endpoint got of a payload, where the endpoint wanted some of them", async () => {
    const events = [
      { name: "channel_vacated", channel: "a" },
      { name: "channel_occupied", channel: "b" },
    ];
    await server.enqueue("webhooks", { id: "some", app_id: app.id, payload: { time_ms: 1, events } });
    const items = await listed("job_id=some", 2);
    const item = items.find(({ endpoint }) => endpoint === "shop/orders")!;
    receiver.clear();
    await resend(item.id);
    const again = await receiver.waitFor(1);
    expect(JSON.parse(again.text).events).toEqual([events[1]]);
  });

  test("is refused where it is unknown, out of reach, or asked for wrongly", async () => {
    const { items } = (await server.api("GET", "/v1/deliveries?limit=1")).body as { items: Item[] };
    const { id } = items[0]!;
    const codes = async (answer: ReturnType<typeof resend>) => {
      const { status, body } = await answer;
      return [status, body.code];
    };
    expect(await codes(resend("00000000-1"))).toEqual([404, "unknown_delivery"]);
    expect(await codes(resend(id, { colour: "red" }))).toEqual([422, "invalid_body"]);
    const as = (other: string) =>
      server.api("POST", `/v1/deliveries/${id}/resend`, undefined, { authorization: `Bearer ${other}` });
    expect(await codes(as(reader))).toEqual([403, "forbidden"]);
    expect(await codes(as(secret("narrow")))).toEqual([404, "unknown_delivery"]);
  });
});

describe("many deliveries", () => {
  test("those that fit a filter go again, and no other; a dry run says how many", async () => {
    receiver.behave((request) => answer(request.path === "/stock" ? 404 : 200));
    await server.enqueue("webhooks", jobsFrom(0, 20, "bulk"));
    await listed("endpoint=shop/stock&state=dead", 20);
    const filter = { endpoint: "shop/stock", state: "dead", since: "-1h", status: 404 };
    const dry = await resendMany({ filter, dry_run: true }, { authorization: `Bearer ${reader}` });
    expect([dry.status, dry.body]).toMatchObject([
      200,
      { state: "done", dry_run: true, matched: 20, resendable: 20, skipped: {} },
    ]);
    receiver.behave(answer(200));
    receiver.clear();
    const { status, body } = await resendMany({ filter, per_second: 1000 });
    expect([status, body.matched, body.resent, body.failed]).toEqual([200, 20, 20, {}]);
    await receiver.waitForCount(20);
    expect(receiver.requests.every(({ path }) => path === "/stock")).toBe(true);
    expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(20);
    const made = await listed("endpoint=shop/stock&state=delivered&event=channel_occupied&since=-1h", 22);
    expect(made.filter(({ resend_of: of }) => of !== null)).toHaveLength(20);
    // Each stands there twice now, and is sent once.
    const again = await resendMany({ filter: { endpoint: "shop/stock", since: "-1h" }, dry_run: true });
    expect(again.body.skipped["same_webhook_id"]).toBe(20);
  });

  test("an empty filter is refused unless all are meant", async () => {
    for (const body of [{}, { filter: {} }, { new_id: true }]) {
      const { status, body: problem } = await resendMany(body);
      expect([status, problem.code]).toEqual([400, "empty_filter"]);
    }
    const all = await resendMany({ all: true, dry_run: true });
    expect(all.status).toBe(200);
    expect(all.body.matched).toBeGreaterThan(20);
    expect((await resendMany({ all: true, filter: { queue: "webhooks" } })).status).toBe(422);
    expect((await resendMany({ filter: { colour: "red" } })).status).toBe(422);
    const asReader = await resendMany({ all: true }, { authorization: `Bearer ${reader}` });
    expect([asReader.status, asReader.body.code]).toEqual([403, "forbidden"]);
  });

  test("hookline deliveries finds them, shows one and sends them again", async () => {
    const run = (...args: string[]) =>
      runExecutable(["deliveries", ...args, "--url", server.url, "--token", token]);
    const table = await run("ls", "--job-id", "again-1", "--endpoint", "shop/stock", "--since=-1h");
    expect([table.code, table.stderr]).toEqual([0, ""]);
    const lines = table.stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ID +STARTED AT +STATE/);
    expect(lines).toHaveLength(2);
    const id = lines[1]!.split(" ", 1)[0]!;
    const shown = await run("show", id);
    expect(JSON.parse(shown.stdout)).toMatchObject({ id, job_id: "again-1", endpoint: "shop/stock" });
    const dry = await run("resend", "--job-id", "again-1", "--endpoint", "shop/stock", "--dry-run");
    expect([dry.code, dry.stdout]).toEqual([0, "1 would be resent\n"]);
    receiver.clear();
    const sent = await run("resend", id, "--new-id");
    expect([sent.code, sent.stderr]).toEqual([0, ""]);
    await listed(`job_id=${sent.stdout.trim()}&state=delivered`, 1);
    expect(receiver.count).toBe(1);
    expect((await run("resend", "00000000-1")).code).toBe(1);
    expect((await run("resend")).code).toBe(2);
    expect((await run("lst")).code).toBe(2);
  });

  test("what has no endpoint any more, or a disabled one, is 422 and 409, and is left out in bulk", async () => {
    const [item] = await listed("job_id=again-1&endpoint=shop/stock", 1);
    await server.api("POST", "/v1/endpoints/shop/stock/disable");
    const disabled = await resend(item!.id);
    expect([disabled.status, disabled.body.code]).toEqual([409, "endpoint_disabled"]);
    server.configure(config(["orders"]));
    expect((await server.api("POST", "/v1/config/reload")).status).toBe(200);
    const gone = await resend(item!.id);
    expect([gone.status, gone.body.code]).toEqual([422, "unknown_endpoint"]);
    const { body } = await resendMany({ filter: { job_id: "again-1" }, dry_run: true });
    expect(body).toMatchObject({
      dry_run: true,
      matched: 2,
      resendable: 1,
      skipped: { unknown_endpoint: 1 },
    });
  });
});

test("a delivery whose body is not kept is 410", async () => {
  await using bare = await startExecutable(configFor([{ url: receiver.url }], { history: { body: false } }));
  await bare.enqueue("webhooks", jobsFrom(0, 1, "bare"));
  const [item] = await until(
    async () => {
      const { items } = (await bare.api("GET", "/v1/deliveries")).body as { items: Item[] };
      return items.length === 1 ? items : null;
    },
    { what: "the delivery" },
  );
  const { status, body } = await bare.api("POST", `/v1/deliveries/${item!.id}/resend`);
  expect([status, body.code]).toEqual([410, "body_not_kept"]);
});
