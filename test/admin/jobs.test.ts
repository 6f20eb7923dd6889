import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { DriverUnavailableError, PayloadTooLargeError, QueueFullError } from "../../src/errors.ts";
import { createNoneDriver } from "../../src/queue/drivers/none/driver.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { appSecret, sockudoJob, startAdmin, type Admin, type AdminSetup } from "./start-admin.ts";

const path = "/v1/queues/webhooks/jobs";
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
  jobs: { id: string | null; status: string; error?: { code: string; detail: string } }[];
  code?: string;
  status?: number;
  detail?: string;
  discarded?: number;
  reason?: string;
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

describe("accepting", () => {
  test("one job: 202, with the id it is stored under", async () => {
    const response = await admin.post(path, sockudoJob());
    expect(response.status).toBe(202);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const answer = await json(response);
    expect(answer).toEqual({ accepted: 1, jobs: [{ id: expect.any(String), status: "enqueued" }] });
    const [body] = await drain(admin);
    expect(body).toContain(`"id":"${answer.jobs[0]?.id}"`);
    expect(body).not.toContain(appSecret);
  });

  test("a payload's bytes survive, whatever their spelling", async () => {
    const payload = String.raw`{"time_ms": 1.0, "events":[ {"name":"channel_occupied","channel":"\u0061\/b","n":12345678901234567890,"e":1e400,"z":-0.0} ]}`;
    const response = await admin.post(
      path,
      `{"app_id":"app-1","app_key":"app-key","app_secret":"x","payload":${payload}}`,
    );
    expect(response.status).toBe(202);
    expect((await drain(admin))[0]).toEndWith(`"payload":${payload}}`);
  });

  test("an array: one entry per job, in order", async () => {
    const response = await admin.post(path, [
      sockudoJob("a", { job_id: "one" }),
      sockudoJob("b", { job_id: "two" }),
    ]);
    expect(response.status).toBe(202);
    expect(await json(response)).toEqual({
      accepted: 2,
      jobs: [
        { id: "one", status: "enqueued" },
        { id: "two", status: "enqueued" },
      ],
    });
  });

  test("a batch with bad jobs: the good ones are taken, each bad one is named", async () => {
    const response = await admin.post(path, [
      sockudoJob("a", { job_id: "good-1" }),
      { nonsense: true },
      sockudoJob("b", { job_id: "foreign", app_id: "nobody", app_key: "nobody" }),
      7,
      {
        appKey: "app-key",
        appId: "app-1",
        payload: { time_ms: 1, events: [] },
        originalPusherSignature: "00",
      },
      sockudoJob("c", { job_id: "good-2" }),
    ]);
    expect(response.status).toBe(202);
    const answer = await json(response);
    expect(answer.accepted).toBe(2);
    expect(answer.jobs.map((job) => job.error?.code ?? `${job.status} ${job.id}`)).toEqual([
      "enqueued good-1",
      "malformed",
      "unknown_app",
      "malformed",
      "bad_signature",
      "enqueued good-2",
    ]);
    for (const job of answer.jobs.filter((job) => job.status === "failed"))
      expect(job.error?.detail).not.toBe("");
    expect(await drain(admin)).toHaveLength(2);
    const text = await (await admin.get("/metrics")).text();
    expect(text).toContain('hookline_jobs_enqueued_total{queue="webhooks"} 2');
    expect(text).toContain('hookline_jobs_rejected_total{queue="webhooks",code="malformed"} 2');
    expect(text).toContain('hookline_jobs_rejected_total{queue="webhooks",code="bad_signature"} 1');
  });

  test("Soketi's form with its true signature", async () => {
    const payload = { time_ms: 1, events: [{ name: "channel_occupied", channel: "x" }] };
    const signature = createHmac("sha256", appSecret).update(JSON.stringify(payload)).digest("hex");
    const job = { appKey: "app-key", appId: "app-1", payload, originalPusherSignature: signature };
    expect((await admin.post(path, job)).status).toBe(202);
  });

  test("an id that is a secret is accepted, and not told back", async () => {
    const text = await (await admin.post(path, sockudoJob("a", { job_id: appSecret }))).text();
    expect(JSON.parse(text)).toEqual({ accepted: 1, jobs: [{ id: "***", status: "enqueued" }] });
  });

  test("delay_ms holds the job back", async () => {
    expect((await admin.post(path, { ...sockudoJob(), delay_ms: 60_000 })).status).toBe(202);
    expect(await admin.memory.stats("webhooks")).toMatchObject({ ready: 0, delayed: 1 });
  });

  test("a byte order mark and a charset parameter are tolerated", async () => {
    const response = await admin.post(path, `\uFEFF${JSON.stringify(sockudoJob())}`, {
      "content-type": 'Application/JSON; charset="UTF-8"',
    });
    expect(response.status).toBe(202);
  });

  test("a chunked body is taken", async () => {
    const text = JSON.stringify(sockudoJob());
    const body = new ReadableStream({
      start(controller) {
        for (const character of text) controller.enqueue(new TextEncoder().encode(character));
        controller.close();
      },
    });
    const response = await admin.request(path, { method: "POST", body });
    expect(response.status).toBe(202);
  });

  test("__proto__ keys pollute nothing", async () => {
    const event = '{"name":"channel_occupied","channel":"x","__proto__":{"polluted":1}}';
    const payload = `{"__proto__":{"polluted":1},"time_ms":1,"events":[${event}]}`;
    const response = await admin.post(
      path,
      `{"__proto__":{"polluted":1},"app_id":"app-1","app_secret":"","payload":${payload}}`,
    );
    expect(response.status).toBe(202);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect((await drain(admin))[0]).toContain(payload);
    const hidden = `{"__proto__":{"app_id":"app-1","payload":{"time_ms":1,"events":[]}}}`;
    expect((await admin.post(path, hidden)).status).toBe(422);
  });
});

// Finding: another body under the same id was answered "duplicate" and was silently gone.
describe("an id of the producer's own", () => {
  test("makes the same job again a duplicate, and another job under it a conflict", async () => {
    const first = sockudoJob("a", { id: "order-1" });
    expect((await json(await admin.post(path, first))).jobs).toEqual([{ id: "order-1", status: "enqueued" }]);
    const again = await admin.post(path, first);
    expect([again.status, (await json(again)).jobs]).toEqual([202, [{ id: "order-1", status: "duplicate" }]]);
    const other = await admin.post(path, sockudoJob("b", { id: "order-1" }));
    expect(other.status).toBe(409);
    expect(await json(other)).toMatchObject({
      code: "id_conflict",
      accepted: 0,
      jobs: [{ id: "order-1", status: "failed", error: { code: "id_conflict" } }],
    });
    expect(await drain(admin)).toHaveLength(1);
  });

  test("that is used twice in one array for different jobs fails the second alone", async () => {
    const answer = await admin.post(path, [
      sockudoJob("a", { id: "order-1" }),
      sockudoJob("b", { id: "order-1" }),
      sockudoJob("a", { id: "order-1" }),
    ]);
    expect(answer.status).toBe(202);
    const { accepted, jobs } = await json(answer);
    expect(accepted).toBe(2);
    expect(jobs.map((job) => job.error?.code ?? job.status)).toEqual([
      "enqueued",
      "id_conflict",
      "duplicate",
    ]);
    expect(await drain(admin)).toHaveLength(1);
  });
});

describe("an Idempotency-Key", () => {
  const headers = { "idempotency-key": "order-4711" };

  test("makes the same batch again a duplicate, and another body a conflict", async () => {
    const first = await json(await admin.post(path, [sockudoJob("a"), sockudoJob("b")], headers));
    const again = await admin.post(path, [sockudoJob("a"), sockudoJob("b")], headers);
    expect(again.status).toBe(202);
    expect(await json(again)).toEqual({
      accepted: 2,
      jobs: first.jobs.map(({ id }) => ({ id, status: "duplicate" })),
    });
    const other = await admin.post(path, [sockudoJob("x"), sockudoJob("y")], headers);
    expect(other.status).toBe(409);
    expect(await json(other)).toMatchObject({ code: "idempotency_conflict", accepted: 0 });
    const mixed = await admin.post(path, [sockudoJob("a"), sockudoJob("other")], headers);
    expect(mixed.status).toBe(202);
    expect((await json(mixed)).jobs.map((job) => job.error?.code ?? job.status)).toEqual([
      "duplicate",
      "idempotency_conflict",
    ]);
    expect(await drain(admin)).toHaveLength(2);
  });

  test("that is empty, too long or not visible ASCII is refused", async () => {
    for (const key of ["a b", "x".repeat(256), "schlüssel"]) {
      const response = await admin.post(path, sockudoJob(), { "idempotency-key": key });
      expect({ key, status: response.status }).toEqual({ key, status: 400 });
      expect((await json(response)).code).toBe("invalid_idempotency_key");
    }
    expect((await admin.post(path, sockudoJob(), { "idempotency-key": "x".repeat(255) })).status).toBe(202);
  });

  test("is 422 where the driver cannot deduplicate", async () => {
    const plain = await start({
      driver: (memory) => ({ ...memory, capabilities: { ...memory.capabilities, dedup: false } }),
    });
    const response = await plain.post(path, sockudoJob(), headers);
    expect(response.status).toBe(422);
    expect((await json(response)).code).toBe("unsupported_by_driver");
    expect((await plain.post(path, sockudoJob())).status).toBe(202);
  });
});

describe("a bad request is told so and takes nothing", () => {
  const ok = JSON.stringify(sockudoJob());
  const cases: [
    name: string,
    body: string | Uint8Array<ArrayBuffer>,
    status: number,
    code: string,
    headers?: Record<string, string>,
  ][] = [
    ["an empty body", "", 400, "empty_body"],
    ["white space", " \n\t ", 400, "empty_body"],
    ["no JSON", "{app_id:1}", 400, "invalid_json"],
    ["JSON cut off", ok.slice(0, -1), 400, "invalid_json"],
    ["two JSON texts", `${ok}${ok}`, 400, "invalid_json"],
    ["a body that is not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, "invalid_utf8"],
    ["UTF-8 cut off", new Uint8Array([0x22, 0xe2, 0x82]), 400, "invalid_utf8"],
    ["no content type", ok, 415, "unsupported_media_type", { "content-type": "" }],
    [
      "a form's content type",
      ok,
      415,
      "unsupported_media_type",
      { "content-type": "application/x-www-form-urlencoded" },
    ],
    [
      "text/plain, which browsers send without asking",
      ok,
      415,
      "unsupported_media_type",
      { "content-type": "text/plain" },
    ],
    [
      "another charset",
      ok,
      415,
      "unsupported_media_type",
      { "content-type": "application/json; charset=latin1" },
    ],
    ["a compressed body", ok, 415, "unsupported_media_type", { "content-encoding": "gzip" }],
    ["an empty array", "[]", 422, "invalid_body"],
    ["a number", "7", 422, "malformed"],
    ["null", "null", 422, "malformed"],
    ["a form nobody knows", '{"a":1}', 422, "malformed"],
    [
      "an event without name",
      '{"app_id":"app-1","app_secret":"","payload":{"time_ms":1,"events":[{"channel":"x"}]}}',
      422,
      "malformed",
    ],
    ["an unknown app", JSON.stringify(sockudoJob("a", { app_id: "x", app_key: "x" })), 422, "unknown_app"],
    [
      "a wrong signature",
      '{"appKey":"app-key","appId":"app-1","payload":{"time_ms":1,"events":[]},"originalPusherSignature":"ab"}',
      422,
      "bad_signature",
    ],
    [
      "a group where nothing is ordered",
      JSON.stringify({ ...sockudoJob(), group: "g" }),
      422,
      "unsupported_by_driver",
    ],
    ["a negative delay", JSON.stringify({ ...sockudoJob(), delay_ms: -1 }), 422, "malformed"],
    ["an open bracket a million times", "[".repeat(1_000_000), 400, "invalid_json"],
    ["a body of 10 MB", JSON.stringify(sockudoJob("c".repeat(10_000_000))), 413, "body_too_large"],
  ];
  for (const [name, body, status, code, headers] of cases) {
    test(`${name}: ${status} ${code}`, async () => {
      const response = await admin.request(path, { method: "POST", body, ...(headers ? { headers } : {}) });
      const answer = await json(response);
      expect({ status: response.status, code: answer.code }).toEqual({ status, code });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(answer).toMatchObject({
        status,
        type: `urn:hookline:problem:${code}`,
        title: expect.any(String),
      });
      expect(JSON.stringify(answer)).not.toContain(appSecret);
      expect(answer.detail).not.toBe("");
      expect((await admin.memory.stats("webhooks")).ready).toBe(0);
      expect((await admin.get("/health/live")).status).toBe(200);
    });
  }

  test("balanced brackets deeper than the stack are refused and crash nothing", async () => {
    const deep = `${"[".repeat(400_000)}${"]".repeat(400_000)}`;
    const response = await admin.post(path, `{"app_id":"app-1","payload":{"time_ms":1,"events":${deep}}}`);
    expect([400, 422]).toContain(response.status);
    expect((await admin.post(path, sockudoJob())).status).toBe(202);
  });

  test("a chunked body beyond the limit is cut off while it arrives", async () => {
    const small = await start({ config: { server: { max_body_bytes: 1000 } } });
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 50; index += 1) controller.enqueue(new Uint8Array(100).fill(0x20));
        controller.close();
      },
    });
    const response = await small.request(path, { method: "POST", body });
    expect(response.status).toBe(413);
    expect((await json(response)).code).toBe("body_too_large");
  });

  test("a 10 MB channel name where the limit allows it is a job, or 413 where the backend does not", async () => {
    const config = { server: { max_body_bytes: 20_000_000 } };
    const large = await start({ config });
    expect((await large.post(path, sockudoJob("c".repeat(10_000_000)))).status).toBe(202);
    const small = await start({
      config,
      driver: (memory) => ({ ...memory, capabilities: { ...memory.capabilities, maxPayloadBytes: 262_144 } }),
    });
    const response = await small.post(path, sockudoJob("c".repeat(10_000_000)));
    expect(response.status).toBe(413);
    expect((await json(response)).code).toBe("payload_too_large");
  });

  test("more jobs than the answer should hold: 413", async () => {
    const response = await admin.post(path, `[${"1,".repeat(40_000)}1]`);
    expect(response.status).toBe(413);
    expect((await json(response)).code).toBe("too_many_jobs");
  });

  test("JSON errors name line and column", async () => {
    for (const [body, where] of [
      ['{\n  "a": 1,\n  "b" 2\n}', "line 3, column 7"],
      ["[1, 2,, 3]", "line 1, column 7"],
      ['{"a": "b\n"}', "line 1, column 9"],
      ['{"a": tru}', "line 1, column 7"],
      ['{"a": 01}', "line 1, column 7"],
      ['["\\x"]', "line 1, column 3"],
      ['{"a": [1, 2}', "line 1, column 12"],
      ["[1]\n\n]", "line 3, column 1"],
      ['{"a":1,}', "line 1, column 8"],
      ['{"a', "line 1, column 2: this string never ends"],
    ] as const) {
      const answer = await json(await admin.post(path, body));
      expect({ body, detail: answer.detail }).toEqual({ body, detail: expect.stringContaining(where) });
    }
  });
});

describe("what the driver says", () => {
  const failing =
    (error: Error) =>
    (memory: QueueDriver): QueueDriver => ({
      ...memory,
      enqueue: async (_queue, jobs) => jobs.map(({ id }) => ({ status: "failed", id, error })),
    });

  test("a full queue: 503 with Retry-After", async () => {
    const full = await start({
      config: { queue: { memory: { capacity: 1, when_full: "reject" } } },
    });
    expect((await full.post(path, sockudoJob())).status).toBe(202);
    const response = await full.post(path, sockudoJob());
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect((await json(response)).code).toBe("queue_full");
    const mixed = await start({ config: { queue: { memory: { capacity: 1, when_full: "reject" } } } });
    const batch = await mixed.post(path, [sockudoJob(), sockudoJob()]);
    expect(batch.status).toBe(202);
    expect((await json(batch)).jobs.map((job) => job.error?.code ?? job.status)).toEqual([
      "enqueued",
      "queue_full",
    ]);
  });

  const cases: [error: Error, status: number, code: string][] = [
    [new QueueFullError("maxmemory"), 503, "queue_full"],
    [new DriverUnavailableError("gone"), 503, "driver_unavailable"],
    [new PayloadTooLargeError("too large"), 413, "payload_too_large"],
    [new Error(`a bug that knows ${appSecret}`), 500, "internal"],
  ];
  for (const [error, status, code] of cases) {
    test(`${code} of one job: ${status}`, async () => {
      const one = await start({ driver: failing(error) });
      const response = await one.post(path, sockudoJob());
      const text = await response.text();
      expect(response.status).toBe(status);
      expect(JSON.parse(text)).toMatchObject({ code });
      expect(text).not.toContain(appSecret);
      expect(text).not.toContain("a bug");
    });
    test(`${code} thrown for all: ${status}`, async () => {
      const one = await start({
        driver: (memory) => ({ ...memory, enqueue: () => Promise.reject(error) }),
      });
      const response = await one.post(path, [sockudoJob(), sockudoJob()]);
      expect(response.status).toBe(status);
      expect(((await response.json()) as Answer).code).toBe(code);
    });
  }

  test("an unexpected error is logged, without secrets", async () => {
    const one = await start({ driver: failing(new Error(`a bug that knows ${appSecret}`)) });
    await one.post(path, sockudoJob());
    const line = one.logged.find((line) => line.includes("a bug that knows"));
    expect(line).toBeDefined();
    expect(line).not.toContain(appSecret);
  });

  test("driver none: 200, everything discarded and counted, an Idempotency-Key is no matter", async () => {
    const none = await start({ driver: createNoneDriver });
    const response = await none.post(path, [sockudoJob(), sockudoJob()], { "idempotency-key": "k" });
    expect(response.status).toBe(200);
    expect(await json(response)).toMatchObject({ accepted: 0, discarded: 2, reason: "queue driver is none" });
    const text = await (await none.get("/metrics")).text();
    expect(text).toContain('hookline_jobs_discarded_total{queue="webhooks"} 2');
  });

  test("while draining, or before the driver is open: 503", async () => {
    admin.state.draining = true;
    const draining = await admin.post(path, sockudoJob());
    expect(draining.status).toBe(503);
    expect((await json(draining)).code).toBe("draining");
    admin.state.draining = false;
    admin.state.driverOpen = false;
    const closed = await admin.post(path, sockudoJob());
    expect(closed.status).toBe(503);
    expect((await json(closed)).code).toBe("driver_unavailable");
  });
});
