import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import { deliveryId, sha256Hex } from "../../src/jobs/id.ts";
import type { JobBody } from "../../src/jobs/job.ts";
import { getRaw, statusOf } from "./raw-request.ts";
import {
  app1,
  appSecret,
  runningChild,
  sockudoJob,
  startAdmin,
  token,
  type Admin,
  type AdminSetup,
} from "./start-admin.ts";

let running: Admin[] = [];

async function start(setup: AdminSetup = {}): Promise<Admin> {
  const admin = await startAdmin(setup);
  running.push(admin);
  return admin;
}

/** With a token, and with what is switched off by default. */
const startOperated = (setup: AdminSetup = {}): Promise<Admin> =>
  start({ config: { server: { token }, supervisor: { allow_crash: true }, ...setup.config }, ...setup });

let admin: Admin;
beforeEach(async () => void (admin = await start()));
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
});

const code = async (response: Response): Promise<string> =>
  ((await response.json()) as { code: string }).code;

/** Puts a job on the queue and gives it up. */
async function addDeadLetter(
  one: Admin,
  id: string,
  body: JobBody = `{"n":"${id}"}`,
  endpoint = "app-1/hook",
): Promise<void> {
  await one.memory.enqueue("webhooks", [
    { id, body, delayMs: 0, group: null, deduplicationId: null, routing: null, dedup: null },
  ]);
  const [lease] = await one.memory.lease("webhooks", {
    max: 1,
    leaseMs: 60_000,
    waitMs: 0,
    parkedMax: 0,
    closedKeys: new Set(),
    signal: new AbortController().signal,
  });
  if (lease === undefined) throw new Error("no lease");
  const detail = `the receiver said ${appSecret}`;
  await one.memory.settle([{ lease, verb: "dead", reason: "http_410", detail, endpoint, attempted: true }]);
}

describe("health", () => {
  interface Health {
    status: string;
    checks: Record<string, { status: string; detail?: string }>;
  }
  const health = async (one: Admin): Promise<[number, Health]> => {
    const response = await one.get("/health");
    return [response.status, (await response.json()) as Health];
  };
  const ready = async (one: Admin): Promise<[number, string | undefined]> => {
    const response = await one.get("/health/ready");
    return [response.status, ((await response.json()) as { reason?: string }).reason];
  };

  test("ok: 200 with version, driver and durability", async () => {
    const [status, body] = await health(admin);
    expect(status).toBe(200);
    expect(body).toEqual({
      status: "ok",
      version: "1.2.3",
      uptime_ms: expect.any(Number),
      driver: "memory",
      durable: false,
      checks: { driver: { status: "ok" }, loops: { status: "ok" } },
    } as unknown as Health);
    expect((body as unknown as { uptime_ms: number }).uptime_ms).toBeGreaterThanOrEqual(5000);
    expect(await ready(admin)).toEqual([200, undefined]);
  });

  test("draining: 503, ready says so, live does not mind", async () => {
    admin.state.draining = true;
    expect(await health(admin)).toMatchObject([503, { status: "draining" }]);
    expect(await ready(admin)).toEqual([503, "drain: shutting down"]);
    expect((await admin.get("/health/live")).status).toBe(200);
  });

  test("a driver that is not open yet: down", async () => {
    admin.state.driverOpen = false;
    expect(await health(admin)).toMatchObject([
      503,
      { status: "down", checks: { driver: { status: "down" } } },
    ]);
    expect((await ready(admin))[0]).toBe(503);
  });

  test("a driver that fails: down with the reason, secrets masked", async () => {
    const one = await start({
      driver: (memory) => ({
        ...memory,
        ping: () => Promise.reject(new DriverUnavailableError(`no route to redis://u:${appSecret}@r`)),
      }),
    });
    const [status, body] = await health(one);
    expect([status, body.status]).toEqual([503, "down"]);
    expect(body.checks["driver"]?.detail).toContain("no route to");
    expect(JSON.stringify(body)).not.toContain(appSecret);
    expect((await ready(one))[1]).toContain("driver: no route to");
  });

  test("a driver that hangs: down after the probe's own timeout", async () => {
    const one = await start({
      driver: (memory) => ({ ...memory, ping: () => new Promise(() => undefined) }),
    });
    expect(await health(one)).toMatchObject([503, { status: "down" }]);
  });

  test("many probes are one ping", async () => {
    let pings = 0;
    let nowMs = 0;
    const one = await start({
      clock: { now: () => Date.now(), monotonic: () => nowMs },
      driver: (memory) => ({
        ...memory,
        async ping() {
          pings += 1;
        },
      }),
    });
    await Promise.all(Array.from({ length: 50 }, () => one.get("/health")));
    expect(pings).toBe(1);
    nowMs = 1001;
    await one.get("/health/ready");
    expect(pings).toBe(2);
  });

  test("no loop alive: down; one of several restarting: degraded and still ready", async () => {
    const restarting = { ...runningChild("webhooks/loop-1"), state: "restarting" as const };
    const dead = await start({ children: [restarting] });
    expect(await health(dead)).toMatchObject([
      503,
      { status: "down", checks: { loops: { status: "down" } } },
    ]);
    expect(await ready(dead)).toEqual([503, "loops: no worker loop is alive"]);
    const limping = await start({ children: [runningChild("webhooks/loop-0"), restarting] });
    expect(await health(limping)).toMatchObject([200, { status: "degraded" }]);
    expect((await ready(limping))[0]).toBe(200);
  });

  test("without consuming, no loop is needed", async () => {
    const producer = await start({ config: { queue: { consume: false } }, children: [] });
    expect(await health(producer)).toMatchObject([200, { status: "ok" }]);
  });
});

describe("metrics", () => {
  test("are Prometheus text with fresh depths", async () => {
    await admin.post("/v1/queues/webhooks/jobs", sockudoJob());
    await addDeadLetter(admin, "dead-1");
    const response = await admin.get("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text).toMatch(/^hookline_queue_depth\{queue="webhooks",state="ready"\} 1$/m);
    expect(text).toMatch(/^hookline_dead_bytes\{queue="webhooks"\} [1-9]\d*$/m);
    expect(text).toMatch(/^hookline_process_resident_memory_bytes [1-9]\d*$/m);
    expect(text).toMatch(/^hookline_process_uptime_seconds [5-9]/m);
    expect(text).toMatch(/^hookline_worker_progress_age_seconds\{child="webhooks\/loop"\} 0.012$/m);
  });

  test("count requests by route, never by raw path", async () => {
    await admin.get(`/v1/queues/${appSecret}`);
    await admin.get(`/${appSecret}`);
    const text = await (await admin.get("/metrics")).text();
    expect(text).toContain('hookline_http_requests_total{route="/v1/queues/:queue",status="404"} 1');
    expect(text).toContain('hookline_http_requests_total{route="unknown",status="404"} 1');
    expect(text).not.toContain(appSecret);
  });

  test("come also while the backend hangs or fails, its depths as NaN", async () => {
    for (const stats of [
      () => new Promise<never>(() => undefined),
      () => Promise.reject(new DriverUnavailableError("gone")),
    ]) {
      const one = await start({ driver: (memory) => ({ ...memory, stats }) });
      const response = await one.get("/metrics");
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('hookline_queue_depth{queue="webhooks",state="ready"} NaN');
    }
  });
});

describe("queues", () => {
  test("are listed and shown, and an unknown one is 404", async () => {
    await admin.post("/v1/queues/webhooks/jobs", sockudoJob());
    const quiet = Array.from({ length: 60 }, () => 0);
    const expected = {
      name: "webhooks",
      driver: "memory",
      ready: 1,
      delayed: 0,
      leased: 0,
      parked: 0,
      dead: 0,
      oldest_ready_age_ms: expect.any(Number),
      paused: false,
      scope: "process",
      rates: {
        step_ms: 5_000,
        ends_at: expect.any(String),
        delivered: quiet,
        failed: quiet,
        dead: quiet,
      },
    };
    expect(await (await admin.get("/v1/queues")).json()).toEqual({ queues: [expected] });
    expect(await (await admin.get("/v1/queues/webhooks")).json()).toEqual(expected);
    for (const [method, path] of [
      ["GET", "/v1/queues/nope"],
      ["POST", "/v1/queues/nope/jobs"],
      ["POST", "/v1/queues/nope/pause"],
      ["GET", "/v1/queues/nope/dead"],
      ["POST", "/v1/queues/nope/dead/redrive"],
      ["GET", "/v1/queues/__proto__"],
    ] as const) {
      const response = await admin.request(path, { method, ...(method === "POST" ? { body: "{}" } : {}) });
      expect({ path, status: response.status, code: await code(response) }).toEqual({
        path,
        status: 404,
        code: "unknown_queue",
      });
    }
  });

  test("pause and resume say how far they reach, and need no body", async () => {
    const paused = await admin.request("/v1/queues/webhooks/pause", { method: "POST" });
    expect(await paused.json()).toEqual({ name: "webhooks", paused: true, scope: "process" });
    expect(await (await admin.get("/v1/queues/webhooks")).json()).toMatchObject({ paused: true });
    expect((await admin.get("/health/ready")).status).toBe(200);
    const resumed = await admin.request("/v1/queues/webhooks/resume", { method: "POST" });
    expect(await resumed.json()).toMatchObject({ paused: false });
    expect((await admin.memory.stats("webhooks")).paused).toBe(false);
  });

  test("numbers that the backend cannot tell are null", async () => {
    const one = await start({
      driver: (memory) => ({
        ...memory,
        stats: async () => ({
          ready: 3,
          delayed: null,
          leased: null,
          parked: null,
          dead: null,
          oldestReadyAgeMs: null,
          paused: false,
        }),
      }),
    });
    expect(await (await one.get("/v1/queues/webhooks")).json()).toMatchObject({
      ready: 3,
      delayed: null,
      dead: null,
    });
    expect(await (await one.get("/metrics")).text()).not.toContain('state="delayed"');
  });

  test("a backend that does not answer: 503 with Retry-After", async () => {
    const one = await start({
      driver: (memory) => ({ ...memory, stats: () => Promise.reject(new DriverUnavailableError("gone")) }),
    });
    const response = await one.get("/v1/queues");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  });
});

describe("dead letters", () => {
  const dead = "/v1/queues/webhooks/dead";
  interface Page {
    items: { id: string; job: { body?: string; body_base64?: string } }[];
    cursor: string | null;
    complete: boolean;
  }
  const page = async (one: Admin, query = ""): Promise<Page> =>
    (await (await one.get(`${dead}${query}`)).json()) as Page;

  test("are shown with reason and exact body, secrets masked", async () => {
    const body = `{"n": 1.0, "app_secret":"${appSecret}"}`;
    await addDeadLetter(admin, "one", body);
    const text = await (await admin.get(dead)).text();
    expect(text).not.toContain(appSecret);
    expect(JSON.parse(text)).toEqual({
      items: [
        {
          id: "one",
          reason: "http_410",
          detail: "the receiver said ***",
          attempts: 1,
          failed_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          endpoint: "app-1/hook",
          delivery_id: null,
          job: { id: "one", enqueued_at: expect.any(String), body: '{"n": 1.0, "app_secret":"***"}' },
        },
      ],
      cursor: null,
      complete: true,
    });
  });

  test("whose bytes are no text come in base64, secrets masked all the same", async () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(appSecret)]);
    await addDeadLetter(admin, "bytes", new Uint8Array(bytes));
    const [item] = (await page(admin)).items;
    const shown = Buffer.from(item?.job.body_base64 ?? "", "base64");
    expect([...shown.subarray(0, 2)]).toEqual([0xff, 0xfe]);
    expect(shown.toString("latin1")).not.toContain(appSecret);
  });

  test("come in pages that neither repeat nor lose one", async () => {
    for (let index = 0; index < 7; index += 1) await addDeadLetter(admin, `d${index}`);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const next: Page = await page(
        admin,
        `?limit=3${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      expect(next.items.length).toBeLessThanOrEqual(3);
      seen.push(...next.items.map(({ id }) => id));
      cursor = next.cursor;
    } while (cursor !== null);
    expect(seen.toSorted()).toEqual(["d0", "d1", "d2", "d3", "d4", "d5", "d6"]);
  });

  // Finding: the endpoint's name is a producer's to invent, and was shown as it stood.
  test("do not show an endpoint's name that is a secret", async () => {
    await addDeadLetter(admin, "one", "{}", appSecret);
    expect(await (await admin.get(dead)).text()).not.toContain(appSecret);
  });

  const twoHooks = {
    apps: [{ ...app1, webhooks: ["a", "b"].map((name) => ({ ...app1.webhooks![0]!, name })) }],
  };
  /** A delivery of `jobId` to one webhook, given up. */
  const addDeadDelivery = async (one: Admin, jobId: string, name: string): Promise<string> => {
    const id = deliveryId(jobId, sha256Hex(name).slice(0, 8));
    const payload = '{"time_ms":1,"events":[]}';
    const head = `"id":"${jobId}","kind":"pusher","app_id":"app-1","endpoint":"${name}","delivery_id":"${id}"`;
    await addDeadLetter(one, id, `{"hookline":1,${head},"payload":${payload}}`, `app-1/${name}`);
    return id;
  };

  // Finding: job.id of a delivery was the delivery's id.
  test("of a job with several endpoints show the job's own id, and the delivery's beside it", async () => {
    const one = await start({ config: twoHooks });
    const id = await addDeadDelivery(one, "order-1", "a");
    expect((await page(one)).items).toEqual([
      expect.objectContaining({ id, delivery_id: id, job: expect.objectContaining({ id: "order-1" }) }),
    ]);
  });

  test("of a raw queue keep their content to themselves: what merely looks like an envelope names no job", async () => {
    const queues = { queues: [{ name: "webhooks", format: "raw" as const, endpoint: "x" }] };
    const one = await start({ config: { queue: queues, endpoints: { x: { url: "http://127.0.0.1:1/" } } } });
    await addDeadLetter(one, "message", '{"hookline":1,"id":"theirs","kind":"pusher","app_id":"a"}');
    expect((await page(one)).items[0]?.job).toMatchObject({ id: "message" });
  });

  // Finding: redriving by the job's id found none of its deliveries.
  test("are redriven by their job's id, all of its deliveries and no other's", async () => {
    const one = await start({ config: twoHooks });
    for (const name of ["a", "b"]) await addDeadDelivery(one, "order-1", name);
    const other = await addDeadDelivery(one, "order-2", "a");
    const answer = await one.post(`${dead}/redrive`, { ids: ["order-1"] });
    expect(await answer.json()).toMatchObject({ state: "done", redriven: 2 });
    expect((await page(one)).items.map(({ id }) => id)).toEqual([other]);
    expect(one.metrics.redriven.labels({ queue: "webhooks" }).value).toBe(2);
  });

  // Finding: `complete: true` stood beside a cursor that led to more.
  test("are complete on the last page only", async () => {
    for (const id of ["a", "b"]) await addDeadLetter(admin, id);
    const first = await page(admin, "?limit=1");
    expect([first.complete, first.cursor === null]).toEqual([false, false]);
    const last = await page(admin, `?limit=1&cursor=${first.cursor}`);
    expect([last.complete, last.cursor]).toEqual([true, null]);
  });

  // Finding: an unreadable cursor was answered with an empty page.
  test("are not listed by a cursor that cannot be read: 400", async () => {
    await addDeadLetter(admin, "one");
    const response = await admin.get(`${dead}?cursor=nonsense`);
    expect([response.status, await code(response)]).toEqual([400, "bad_cursor"]);
  });

  for (const limit of ["0", "1001", "-1", "1.5", "abc", "", "99999999999"]) {
    test(`limit=${limit} is 400`, async () => {
      const response = await admin.get(`${dead}?limit=${limit}`);
      expect([response.status, await code(response)]).toEqual([400, "bad_query"]);
    });
  }

  test("are redriven by id or by number", async () => {
    for (const id of ["a", "b", "c", "d"]) await addDeadLetter(admin, id);
    // Finding: redriving what is not there said `redriven: 0` and not which.
    expect(await (await admin.post(`${dead}/redrive`, { ids: ["b", "nope", "b"] })).json()).toMatchObject({
      redriven: 1,
      not_found: ["nope"],
    });
    expect(await (await admin.post(`${dead}/redrive`, { max: 2 })).json()).toMatchObject({ redriven: 2 });
    expect((await page(admin)).items).toHaveLength(1);
    expect((await admin.memory.stats("webhooks")).ready).toBe(3);
  });

  const bad: [name: string, body: string, status: number, code: string][] = [
    ["nothing", "{}", 400, "empty_filter"],
    ["an empty filter", '{"filter":{}}', 400, "empty_filter"],
    ["an empty filter and a number", '{"filter":{},"max":5}', 400, "empty_filter"],
    ["both", '{"ids":["a"],"max":1}', 422, "invalid_body"],
    ["no ids", '{"ids":[]}', 422, "invalid_body"],
    ["ids that are numbers", '{"ids":[1]}', 422, "invalid_body"],
    ["max 0", '{"max":0}', 422, "invalid_body"],
    ["max that is a fraction", '{"max":1.5}', 422, "invalid_body"],
    ["max that is a string", '{"max":"5"}', 422, "invalid_body"],
    ["an unknown member", '{"max":1,"force":true}', 422, "invalid_body"],
    ["an array", "[]", 422, "invalid_body"],
    ["null", "null", 422, "invalid_body"],
    ["ids that are null", '{"ids":null}', 422, "invalid_body"],
    ["__proto__", '{"__proto__":{"max":1}}', 422, "invalid_body"],
    ["no JSON", "max=1", 400, "invalid_json"],
    ["no body", "", 400, "empty_body"],
  ];
  for (const [name, body, status, expected] of bad) {
    test(`redrive with ${name}: ${status}, and nothing moves`, async () => {
      await addDeadLetter(admin, "kept");
      const response = await admin.post(`${dead}/redrive`, body);
      const problem = (await response.json()) as { code: string; detail: string };
      expect([response.status, problem.code]).toEqual([status, expected]);
      // Finding: a library's own text, as in `ids: Invalid length: Expected >=1 but received 0`.
      if (status === 422) expect(problem.detail).toMatch(/^([a-z_.\d]+: )?expected /);
      expect((await page(admin)).items).toHaveLength(1);
    });
  }

  test("are removed with the token: 204, then 404", async () => {
    const one = await startOperated();
    await addDeadLetter(one, "gone");
    const removed = await one.request(`${dead}/gone`, { method: "DELETE" });
    expect([removed.status, await removed.text()]).toEqual([204, ""]);
    // Finding: what an operator removes was missing in the last log line.
    expect(one.metrics.removed.labels({ queue: "webhooks" }).value).toBe(1);
    const again = await one.request(`${dead}/gone`, { method: "DELETE" });
    expect([again.status, await code(again)]).toEqual([404, "unknown_dead_letter"]);
  });

  test("are not removed where no token is configured: 403 says so", async () => {
    await addDeadLetter(admin, "kept");
    const response = await admin.request(`${dead}/kept`, { method: "DELETE" });
    expect([response.status, await code(response)]).toEqual([403, "token_not_configured"]);
    expect((await page(admin)).items).toHaveLength(1);
  });
});

describe("workers", () => {
  test("are listed with what went wrong last, secrets masked", async () => {
    const child = { ...runningChild("webhooks/loop-0"), restarts: 2, lastError: `boom ${appSecret}` };
    const one = await start({
      children: [child, { ...runningChild("webhooks/loop-1"), lastProgressAt: null }],
    });
    expect(await (await one.get("/v1/workers")).json()).toEqual({
      workers: [
        {
          id: "webhooks/loop-0",
          state: "running",
          restarts: 2,
          last_error: "boom ***",
          last_progress_at: "2023-11-14T22:13:20.000Z",
          progress_age_ms: 12,
        },
        expect.objectContaining({ id: "webhooks/loop-1", last_error: null, last_progress_at: null }),
      ],
    });
  });

  test("restart takes the id with its slash as it is or encoded", async () => {
    for (const id of ["webhooks/loop-0", "webhooks%2Floop-0"]) {
      const response = await admin.request(`/v1/workers/${id}/restart`, { method: "POST" });
      expect([response.status, await response.json()]).toEqual([
        202,
        { id: "webhooks/loop-0", requested: "restart" },
      ]);
    }
    expect(admin.asked).toEqual(["restart webhooks/loop-0", "restart webhooks/loop-0"]);
  });

  test("an unknown worker is 404", async () => {
    const response = await admin.request("/v1/workers/nobody/restart", { method: "POST" });
    expect([response.status, await code(response)]).toEqual([404, "unknown_worker"]);
  });

  // Finding: a crash of a worker that waited for its restart was answered 202 and never happened.
  test("crash and stall of a worker that is not running are 409", async () => {
    const children = [{ ...runningChild("webhooks/loop-0"), state: "restarting" as const }];
    const one = await startOperated({ children });
    for (const verb of ["crash", "stall"]) {
      const response = await one.request(`/v1/workers/webhooks/loop-0/${verb}`, { method: "POST" });
      expect([response.status, await code(response)]).toEqual([409, "worker_not_running"]);
    }
    const restarted = await one.request("/v1/workers/webhooks/loop-0/restart", { method: "POST" });
    expect(restarted.status).toBe(202);
  });

  test("crash and stall need a token and supervisor.allow_crash", async () => {
    const withoutToken = await start({ config: { supervisor: { allow_crash: true } } });
    const notAllowed = await start({ config: { server: { token } } });
    const allowed = await startOperated();
    for (const verb of ["crash", "stall"]) {
      const ask = async (one: Admin): Promise<[number, string | undefined]> => {
        const response = await one.request(`/v1/workers/webhooks/loop-0/${verb}`, { method: "POST" });
        return [response.status, await code(response)];
      };
      expect(await ask(withoutToken)).toEqual([403, "token_not_configured"]);
      expect(await ask(notAllowed)).toEqual([403, "crash_not_allowed"]);
      expect(await ask(allowed)).toEqual([202, undefined]);
    }
    expect(withoutToken.asked).toEqual([]);
    expect(notAllowed.asked).toEqual([]);
    expect(allowed.asked).toEqual(["crash webhooks/loop-0", "stall webhooks/loop-0"]);
  });
});

test("a start without a token warns once", async () => {
  const warnings = (one: Admin): number =>
    one.logged.filter((line) => line.includes("server.token is not set")).length;
  expect([warnings(admin), warnings(await startOperated())]).toEqual([1, 0]);
});

test("the configuration is shown with sources, and masked once more", async () => {
  const one = await startOperated({
    configEntries: () => [
      { path: "server.port", value: 9640, source: "default" },
      { path: "apps", value: [{ id: "app-1", headers: { x: appSecret } }], source: "file hookline.json" },
    ],
  });
  expect(await (await one.get("/v1/config")).json()).toEqual({
    config: [
      { path: "server.port", value: 9640, source: "default" },
      { path: "apps", value: [{ id: "app-1", headers: { x: "***" } }], source: "file hookline.json" },
    ],
  });
});

describe("every row of the API", () => {
  const rows: [method: string, path: string, isOpen: boolean][] = [
    ["GET", "/health", true],
    ["GET", "/health/live", true],
    ["GET", "/health/ready", true],
    ["GET", "/metrics", true],
    ["POST", "/v1/queues/webhooks/jobs", false],
    ["POST", "/v1/apps/app-1/events", false],
    ["GET", "/v1/queues", false],
    ["GET", "/v1/queues/webhooks", false],
    ["POST", "/v1/queues/webhooks/pause", false],
    ["POST", "/v1/queues/webhooks/resume", false],
    ["GET", "/v1/queues/webhooks/dead", false],
    ["POST", "/v1/queues/webhooks/dead/redrive", false],
    ["DELETE", "/v1/queues/webhooks/dead/x", false],
    ["GET", "/v1/workers", false],
    ["POST", "/v1/workers/webhooks/loop-0/restart", false],
    ["POST", "/v1/workers/webhooks/loop-0/crash", false],
    ["POST", "/v1/workers/webhooks/loop-0/stall", false],
    ["GET", "/v1/config", false],
  ];

  test("needs the token, but for health and metrics", async () => {
    const one = await startOperated();
    for (const [method, path, isOpen] of rows) {
      const response = await fetch(`${one.url}${path}`, { method });
      expect({ path, status: response.status }).toEqual({ path, status: isOpen ? 200 : 401 });
      if (!isOpen) expect(await code(response)).toBe("unauthorized");
    }
  });

  test("refuses a foreign Origin but with the token, and never grants CORS", async () => {
    const one = await startOperated();
    const headers = { origin: "https://evil.test" };
    for (const [method, path] of [...rows, ["OPTIONS", "/v1/queues/webhooks/jobs"] as const]) {
      const refused = await fetch(`${one.url}${path}`, { method, headers });
      expect({ path, status: refused.status }).toEqual({ path, status: 403 });
      // Contract §4: no browser adds a bearer token by itself, so whoever has one is not asked for its Origin.
      const answered = await one.request(path, { method, headers });
      expect({ path, is403: answered.status === 403 }).toEqual({ path, is403: false });
      for (const response of [refused, answered]) {
        expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
  });

  test("answers another method with 405 and Allow, as a problem", async () => {
    for (const [path, method, allow] of [
      ["/health", "POST", "GET, HEAD"],
      ["/v1/queues/webhooks/jobs", "OPTIONS", "POST, GET, HEAD"],
      ["/v1/queues/webhooks/jobs/cancel", "GET", "POST"],
      ["/v1/queues/webhooks/jobs/cancel", "HEAD", "POST"],
      ["/v1/queues/webhooks", "PUT", "GET, HEAD"],
      ["/v1/queues/webhooks/dead/x", "GET", "DELETE"],
      ["/v1/workers/webhooks/loop-0/restart", "GET", "POST"],
    ] as const) {
      const response = await admin.request(path, { method });
      expect({ path, method, status: response.status, allow: response.headers.get("allow") }).toEqual({
        path,
        method,
        status: 405,
        allow,
      });
      if (method !== "HEAD") expect(await code(response)).toBe("method_not_allowed");
    }
  });

  test("answers HEAD like GET, without a body", async () => {
    for (const [method, path] of rows.filter(([method]) => method === "GET")) {
      expect(method).toBe("GET");
      const response = await admin.request(path, { method: "HEAD" });
      expect({ path, status: response.status, body: await response.text() }).toEqual({
        path,
        status: 200,
        body: "",
      });
    }
  });

  test("knows no other path: 404 as a problem", async () => {
    for (const path of [
      "/nowhere",
      "/v1",
      "/v1/",
      "/v2/queues",
      "/v1/queues/",
      "/favicon.ico",
      "//v1/queues",
      "/V1/queues",
    ]) {
      const answer = await getRaw(admin.port, path);
      expect({ path, status: statusOf(answer) }).toEqual({ path, status: 404 });
      expect(answer).toContain("content-type: application/problem+json");
      expect(answer).toContain('"code":"not_found"');
    }
  });

  test("a path spelled otherwise is no way around the token", async () => {
    const one = await startOperated();
    for (const path of [
      "/%761/queues",
      "/v1/%71ueues",
      "/v1//queues",
      "//v1/queues",
      "/health/../v1/queues",
      "/health/%2e%2e/v1/queues",
      "/health/..%2fv1/queues",
      "/v1/queues?x=/health",
      "/v1/queues#/health",
      "/v1/queues/?/health",
      "/health/%2e%2e%2fv1%2fqueues",
      "/v1/queues;/health",
      "/\\v1/queues",
    ]) {
      const response = await fetch(`${one.url}${path}`);
      expect({ path, isRefused: [400, 401, 404].includes(response.status) }).toEqual({
        path,
        isRefused: true,
      });
    }
  });

  test("a path that cannot be decoded is 400", async () => {
    for (const path of ["/v1/queues/%zz", "/v1/queues/%ff", "/%", "/v1/queues/webhooks/dead?cursor=%zz"]) {
      expect({ path, status: (await admin.get(path)).status }).toEqual({ path, status: 400 });
    }
  });
});
