import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startAdmin, token, type Admin } from "./start-admin.ts";

let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({ config: { server: { token }, supervisor: { allow_crash: true } } });
});
afterAll(() => admin.stop());

/** Every path, and the query parameters it takes. */
const rows: [method: string, path: string, known: string][] = [
  ["GET", "/health", "none"],
  ["GET", "/health/live", "none"],
  ["GET", "/health/ready", "none"],
  ["GET", "/metrics", "none"],
  ["GET", "/.well-known/hookline-keys", "none"],
  ["POST", "/v1/queues/webhooks/jobs", "none"],
  ["POST", "/v1/apps/app-1/events", "none"],
  ["GET", "/v1/queues", "limit, cursor"],
  ["GET", "/v1/queues/webhooks", "none"],
  ["POST", "/v1/queues/webhooks/pause", "none"],
  ["POST", "/v1/queues/webhooks/resume", "none"],
  [
    "GET",
    "/v1/queues/webhooks/dead",
    "app, endpoint, event, reason, status, job_id, since, until, limit, cursor",
  ],
  ["GET", "/v1/queues/webhooks/dead/summary", "app, endpoint, reason, limit"],
  ["POST", "/v1/queues/webhooks/dead/remove", "none"],
  ["GET", "/v1/operations", "limit, cursor"],
  ["GET", "/v1/operations/x", "none"],
  ["DELETE", "/v1/operations/x", "none"],
  ["POST", "/v1/queues/webhooks/dead/redrive", "none"],
  ["DELETE", "/v1/queues/webhooks/dead/x", "none"],
  ["GET", "/v1/endpoints", "limit, cursor, sort"],
  ["GET", "/v1/endpoints/app-1/hook", "none"],
  ["POST", "/v1/endpoints/app-1/hook/enable", "none"],
  ["POST", "/v1/endpoints/app-1/hook/disable", "none"],
  ["POST", "/v1/endpoints/app-1/hook/pause", "none"],
  ["POST", "/v1/endpoints/app-1/hook/resume", "none"],
  ["POST", "/v1/endpoints/app-1/hook/test", "none"],
  ["GET", "/v1/endpoints/app-1/hook/attempts", "limit"],
  ["GET", "/v1/workers", "limit, cursor"],
  ["POST", "/v1/workers/webhooks/loop-0/restart", "none"],
  ["POST", "/v1/workers/webhooks/loop-0/crash", "none"],
  ["POST", "/v1/workers/webhooks/loop-0/stall", "none"],
  ["GET", "/v1/config", "limit, cursor"],
  ["GET", "/v1/problems", "limit"],
];

async function refusalOf(path: string, method = "GET"): Promise<string> {
  const body = method === "POST" ? { body: '{"events":[{"name":"channel_occupied"}],"max":1}' } : {};
  const response = await admin.request(path, { method, ...body });
  const answer = (await response.json()) as { code: string; detail: string };
  expect({ path, status: response.status, code: answer.code }).toEqual({
    path,
    status: 400,
    code: "bad_query",
  });
  return answer.detail;
}

// faults.md C14: `…/dead?colour=x` listed everything, as if all of it had that reason.
describe("a query parameter", () => {
  test("that is unknown is refused on every path, with the known ones named", async () => {
    for (const [method, path, known] of rows) {
      expect({ path, detail: await refusalOf(`${path}?colour=x`, method) }).toEqual({
        path,
        detail: `no query parameter "colour"; this path takes ${known}`,
      });
    }
    expect(admin.asked).toEqual([]);
    expect(await admin.memory.stats("webhooks")).toMatchObject({ ready: 0, paused: false });
  });

  test("that is given twice, empty or no number is refused", async () => {
    const dead = "/v1/queues/webhooks/dead";
    expect(await refusalOf(`${dead}?limit=5&limit=6`)).toStartWith("limit: given more than once");
    expect(await refusalOf(`${dead}?limit=5&l%69mit=6`)).toStartWith("limit: given more than once");
    for (const query of [
      "limit",
      "limit=",
      "cursor=",
      "limit=5&cursor",
      "=",
      "=x",
      "limit=5&=",
      "toString=1",
    ]) {
      await refusalOf(`${dead}?${query}`);
    }
    for (const limit of ["0", "-1", "1001", "1e2", "0x10", "5.0", "%205", "5+", "+5", "NaN", "٥", "5,6"]) {
      expect(await refusalOf(`${dead}?limit=${limit}`)).toStartWith(
        "limit: expected an integer from 1 to 1000",
      );
    }
  });

  test("that cannot be decoded is refused", async () => {
    for (const query of ["limit=%zz", "%ff=1", "cursor=%", "cursor=%e2%82"]) {
      expect(await refusalOf(`/v1/queues/webhooks/dead?${query}`)).toContain("valid UTF-8");
    }
  });

  test("that holds a secret is not told back, cut or not", async () => {
    for (const text of [token, `${"x".repeat(90)}${token}`, `${"x".repeat(5_000)}${token}`]) {
      expect(await refusalOf(`/v1/workers?${text}=1`)).not.toContain(token.slice(0, 4));
    }
  });

  test("is taken where the path knows it, and a lone question mark is none", async () => {
    for (const path of ["/v1/queues/webhooks/dead?limit=1000", "/v1/workers?", "/v1/endpoints?&limit=1&"]) {
      expect({ path, status: (await admin.get(path)).status }).toEqual({ path, status: 200 });
    }
  });

  test("does not tell a caller without a token what a path takes", async () => {
    const response = await fetch(`${admin.url}/v1/workers?reason=x`);
    expect(response.status).toBe(401);
  });
});
