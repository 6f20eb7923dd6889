import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { startExecutable } from "../support/executable.ts";
import { answer, cut, hang, raw, redirect, startReceiver } from "../support/receiver.ts";
import type { Behaviour } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobNumber, jobsFrom } from "./scenario.ts";

const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));

/** What a receiver does, and what must come of it: delivered, or dead (after two attempts, where it is retried). */
const rows: readonly { name: string; behaviour: Behaviour; attempts: number; isDelivered: boolean }[] = [
  { name: "resets", behaviour: cut("reset"), attempts: 2, isDelivered: false },
  { name: "closes", behaviour: cut("close"), attempts: 2, isDelivered: false },
  { name: "hangs", behaviour: hang("head"), attempts: 2, isDelivered: false },
  { name: "never-ends-its-body", behaviour: hang("body"), attempts: 2, isDelivered: false },
  { name: "drips", behaviour: { do: "drip", everyMs: 50 }, attempts: 2, isDelivered: false },
  { name: "redirects", behaviour: redirect(302, "/elsewhere"), attempts: 1, isDelivered: false },
  { name: "speaks-no-http", behaviour: raw("HELO mail\r\n\r\n"), attempts: 2, isDelivered: false },
  {
    name: "answers-204-with-a-body",
    behaviour: raw("HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody"),
    attempts: 1,
    isDelivered: true,
  },
  { name: "endless", behaviour: { do: "endless" }, attempts: 1, isDelivered: true },
  {
    name: "gzip-bomb",
    behaviour: answer(200, { body: bomb, headers: { "content-encoding": "gzip" } }),
    attempts: 1,
    isDelivered: true,
  },
];

test("whatever a receiver does, its delivery ends as it must, the healthy one is served, and no loop dies", async () => {
  const healthy = await startReceiver();
  const receivers = await Promise.all(rows.map((row) => startReceiver({ behaviour: row.behaviour })));
  try {
    const webhooks = [
      { name: "healthy", url: healthy.url },
      // Nothing listens on port 9 of this machine.
      { name: "refuses", url: "http://127.0.0.1:9/" },
      { name: "unresolvable", url: "http://nobody.invalid/" },
      ...rows.map((row, index) => ({ name: row.name, url: receivers[index]!.url })),
    ];
    const settings = { request_timeout_ms: 500, retry: { max_attempts: 2, initial_backoff_ms: 10 } };
    await using server = await startExecutable(configFor(webhooks, { webhooks: settings }));
    await server.enqueue("webhooks", jobNumber(1));
    await healthy.waitForCount(1);
    await server.untilIdle();
    const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=100")).body as {
      items: { endpoint: string; attempts: number; reason: string }[];
    };
    const dead = new Map(items.map((item) => [item.endpoint.replace(/^.*\//, ""), item]));
    for (const [index, row] of rows.entries()) {
      expect({ name: row.name, isDelivered: !dead.has(row.name) }).toEqual({
        name: row.name,
        isDelivered: row.isDelivered,
      });
      expect({ name: row.name, requests: receivers[index]!.count }).toEqual({
        name: row.name,
        requests: row.attempts,
      });
    }
    for (const name of ["refuses", "unresolvable"]) expect(dead.get(name)?.attempts).toBe(2);
    expect(healthy.count).toBe(1);
    const { workers } = (await server.api("GET", "/v1/workers")).body as { workers: { restarts: number }[] };
    expect(workers.every((worker) => worker.restarts === 0)).toBe(true);
    expect(await server.stop()).toBe(0);
  } finally {
    await Promise.all([healthy, ...receivers].map((receiver) => receiver.close()));
  }
}, 240_000);

test("bad requests get a clear answer, enqueue nothing, and harm nobody", async () => {
  const receiver = await startReceiver();
  try {
    await using server = await startExecutable(
      configFor([{ url: receiver.url }], { server: { max_body_bytes: 100_000 } }),
    );
    const jobs = "/v1/queues/webhooks/jobs";
    const events = `/v1/apps/${app.id}/events`;
    const rows: [string, string, unknown, Record<string, string>, number][] = [
      ["POST", jobs, "{not json", {}, 400],
      ["POST", jobs, "", {}, 400],
      ["POST", jobs, new Uint8Array([0x22, 0xff, 0xfe, 0x22]), {}, 400],
      ["POST", jobs, `"${"x".repeat(100_001)}"`, {}, 413],
      ["POST", jobs, JSON.stringify(jobNumber(1)), { "content-type": "text/plain" }, 415],
      ["POST", "/v1/queues/nobody/jobs", jobNumber(1), {}, 404],
      ["POST", jobs, jobNumber(1), { authorization: "Bearer wrong" }, 401],
      ["POST", jobs, jobNumber(1), { origin: "https://evil.test", authorization: "Bearer wrong" }, 403],
      ["POST", "/v1/apps/nobody/events", { events: [{ name: "x", channel: "y" }] }, {}, 404],
      ["GET", "/v1/nowhere", undefined, {}, 404],
      ["DELETE", "/v1/queues/webhooks/dead/nobody", undefined, {}, 404],
    ];
    for (const [method, path, body, headers, status] of rows) {
      const answered = await server.api(method, path, body, headers);
      expect({ path, status: answered.status, text: answered.text }).toMatchObject({ path, status });
      expect(answered.headers.get("content-type")).toContain("application/problem+json");
      expect(answered.body).toMatchObject({ status, code: expect.any(String), title: expect.any(String) });
    }
    for (const bad of [[{ channel: "no-name" }], [{ name: 5, channel: "x" }], "text"]) {
      const answered = await server.api("POST", events, { events: bad });
      expect(answered.status).toBeGreaterThanOrEqual(400);
      expect(answered.status).toBeLessThan(500);
    }
    const poisoned = `{"__proto__":{"app_id":"${app.id}"},"constructor":1}`;
    const answered = await server.api("POST", jobs, poisoned);
    expect(answered.status === 400 || answered.body.accepted === 0).toBe(true);
    await server.enqueue("webhooks", jobsFrom(10, 2));
    await receiver.waitForCount(2);
    await server.untilIdle();
    expect(receiver.count).toBe(2);
  } finally {
    await receiver.close();
  }
});

test("a 10 MB channel name passes where the limit allows it", async () => {
  const receiver = await startReceiver();
  try {
    const overrides = { server: { max_body_bytes: 20_000_000 } };
    await using server = await startExecutable(configFor([{ url: receiver.url }], overrides));
    const channel = "c".repeat(10_000_000);
    const payload = { time_ms: 1, events: [{ name: "channel_occupied", channel }] };
    await server.enqueue("webhooks", { app_id: app.id, payload });
    const request = await receiver.waitFor(1);
    expect(request.text).toBe(JSON.stringify(payload));
  } finally {
    await receiver.close();
  }
});

test("jobs sent straight to an unknown app are refused by name, not lost", async () => {
  await using server = await startExecutable(configFor([]));
  const answered = await server.api("POST", "/v1/queues/webhooks/jobs", [
    { ...jobNumber(1), app_id: "nobody" },
  ]);
  expect(answered.body.jobs[0]).toMatchObject({ status: "failed", error: { code: "unknown_app" } });
  await until(async () => (await server.stats())["ready"] === 0, { what: "an empty queue" });
});
