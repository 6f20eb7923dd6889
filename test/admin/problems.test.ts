import { afterEach, describe, expect, test } from "bun:test";
import type { Finding } from "../../src/problems/finding.ts";
import { problemKinds } from "../../src/problems/kinds.ts";
import { appSecret, startAdmin, token, type Admin, type AdminSetup } from "./start-admin.ts";

const running: Admin[] = [];
afterEach(async () => {
  for (const admin of running.splice(0)) await admin.stop();
});

async function start(setup: AdminSetup = {}): Promise<Admin> {
  const admin = await startAdmin(setup);
  running.push(admin);
  return admin;
}

interface Health {
  readonly status: string;
  readonly checks: Record<string, Record<string, unknown>>;
}

async function healthOf(admin: Admin): Promise<[number, Health]> {
  const response = await admin.get("/health");
  return [response.status, (await response.json()) as Health];
}

async function problemsOf(admin: Admin, query = ""): Promise<Record<string, unknown>[]> {
  const response = await admin.get(`/v1/problems${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>[];
}

const open: Finding = {
  kind: "breaker_open",
  object: "shop/orders",
  since: Date.UTC(2026, 10, 30, 12),
  detail: "12 of 14 attempts failed",
};
const paused: Finding = { kind: "queue_paused", object: "webhooks", since: open.since + 1, detail: "paused" };
const refused: Finding = {
  kind: "backend_refuses_writes",
  object: "webhooks",
  since: open.since - 1000,
  detail: `enqueue: NOREPLICAS at ${appSecret}`,
  openDetail: "the backend refuses writes (NOREPLICAS)",
};

describe("GET /v1/problems", () => {
  test("lists what stands: the gravest first, with names and remedies, masked", async () => {
    const admin = await start();
    expect(await problemsOf(admin)).toEqual([]);
    admin.findings.push(paused, open, refused);
    const problems = await problemsOf(admin);
    expect(problems.map(({ id }) => id)).toEqual([
      "backend_refuses_writes:webhooks",
      "breaker_open:shop/orders",
      "queue_paused:webhooks",
    ]);
    expect(problems[0]).toEqual({
      id: "backend_refuses_writes:webhooks",
      kind: "backend_refuses_writes",
      severity: "error",
      object: "webhooks",
      since: "2026-11-30T11:59:59.000Z",
      detail: "enqueue: NOREPLICAS at ***",
      remedy: problemKinds.backend_refuses_writes.remedy,
    });
  });

  test("several findings of one kind about one object are one problem, which began with the first", async () => {
    const admin = await start();
    admin.findings.push(refused, { ...refused, since: refused.since - 500, detail: "lease: READONLY" });
    const [problem, ...more] = await problemsOf(admin);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      since: "2026-11-30T11:59:58.500Z",
      detail: "enqueue: NOREPLICAS at ***; lease: READONLY",
    });
  });

  test("is bounded, and says how many there are", async () => {
    const admin = await start();
    for (let number = 0; number < 1200; number += 1)
      admin.findings.push({ ...open, object: `shop/e${number}` });
    const response = await admin.get("/v1/problems?limit=3");
    expect(response.headers.get("x-total-count")).toBe("1200");
    expect(await response.json()).toHaveLength(3);
    expect(await problemsOf(admin)).toHaveLength(1000);
    for (const limit of ["0", "1001", "x", "-1"]) {
      expect((await admin.get(`/v1/problems?limit=${limit}`)).status).toBe(400);
    }
  });

  test("needs the token where one is configured", async () => {
    const admin = await start({ config: { server: { token } } });
    expect((await fetch(`${admin.url}/v1/problems`)).status).toBe(401);
    expect((await admin.get("/v1/problems")).status).toBe(200);
  });
});

describe("GET /health", () => {
  test("names the kinds, and queues, but no endpoint", async () => {
    const admin = await start();
    admin.findings.push(paused, open, { ...open, object: "shop/mail" }, refused);
    const [status, body] = await healthOf(admin);
    expect([status, body.status]).toEqual([200, "degraded"]);
    expect(body.checks["backend_refuses_writes"]).toEqual({
      status: "degraded",
      severity: "error",
      since: "2026-11-30T11:59:59.000Z",
      queues: ["webhooks"],
      detail: "the backend refuses writes (NOREPLICAS)",
    });
    expect(body.checks["breaker_open"]).toMatchObject({ status: "degraded", severity: "warning", count: 2 });
    expect(body.checks["queue_paused"]).toMatchObject({ status: "note", queues: ["webhooks"] });
    expect(JSON.stringify(body)).not.toMatch(/shop|orders|mail/);
    expect(JSON.stringify(body)).not.toContain(appSecret);
  });

  test("a note is shown and leaves the status", async () => {
    const admin = await start();
    admin.findings.push(paused, { ...open, kind: "endpoint_paused" });
    expect((await healthOf(admin))[1].status).toBe("ok");
    admin.findings.push(open);
    expect((await healthOf(admin))[1].status).toBe("degraded");
  });
});

test("/metrics counts them by kind, at 0 where there is none", async () => {
  const admin = await start();
  admin.findings.push(open, { ...open, object: "shop/mail" });
  const text = await (await admin.get("/metrics")).text();
  expect(text).toContain('hookline_problems{kind="breaker_open",severity="warning"} 2');
  expect(text).toContain('hookline_problems{kind="queue_paused",severity="note"} 0');
  admin.findings.splice(0);
  expect(await (await admin.get("/metrics")).text()).toContain(
    'hookline_problems{kind="breaker_open",severity="warning"} 0',
  );
});
