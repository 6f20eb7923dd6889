import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runExecutable, startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, isSigned, jobNumberOf, jobsFrom } from "./scenario.ts";

const long = process.env["HOOKLINE_LONG"] === "1";

function config(receiver: Receiver, path: string, file: object = {}): object {
  return configFor([{ name: "hook", url: receiver.url, breaker: { min_attempts: 100_000 } }], {
    queue: { driver: "file", file: { path, concurrency: 16, min_free_mb: 1, ...file } },
  });
}

/** Posts jobs one request after the other until the server is gone; returns those that were confirmed. */
async function postUntilGone(server: Executable, from: number, confirmed: Set<number>): Promise<number> {
  let n = from;
  for (;;) {
    const first = n;
    n += 10;
    try {
      const { status, body } = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(first, 10));
      if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
      for (let at = first; at < n; at += 1) confirmed.add(at);
    } catch (error) {
      // Whether these ten are there nobody knows.
      if (/^\d/.test((error as Error).message)) throw error;
      return n;
    }
  }
}

test("killed again and again under load: every 202 is delivered, doubles carry one id", async () => {
  const kills = long ? 200 : 6;
  using folder = temporaryFolder();
  await using receiver = await startReceiver({ record: false });
  const seen = new Map<number, string[]>();
  receiver.behave((request) => {
    if (!isSigned(request)) throw new Error("a delivery with a wrong signature");
    const n = jobNumberOf(request);
    seen.set(n, [...(seen.get(n) ?? []), String(request.headers["webhook-id"])]);
    return answer(n % 7 === 0 && seen.get(n)!.length === 1 ? 503 : 200);
  });
  const confirmed = new Set<number>();
  let next = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const server = await startExecutable(config(receiver, folder.path));
    const before = confirmed.size;
    const posting = [0, 1, 2].map((lane) => postUntilGone(server, next + lane * 100_000, confirmed));
    next += 300_000;
    await until(() => confirmed.size > before + 60 + Math.random() * 300, {
      what: "confirmed jobs",
      timeoutMs: 30_000,
      everyMs: 1,
    });
    server.signal("SIGKILL");
    await server.exited;
    await Promise.all(posting);
  }
  await using server = await startExecutable(config(receiver, folder.path));
  const missing = (): number => [...confirmed].filter((n) => !seen.has(n)).length;
  await until(() => missing() === 0, {
    what: "every confirmed job to arrive",
    timeoutMs: 60_000,
    everyMs: 50,
  });
  await server.untilIdle("webhooks", 30_000);
  expect((await server.stats())["dead"]).toBe(0);
  let doubles = 0;
  for (const [n, ids] of seen) {
    expect(new Set(ids).size).toBe(1);
    doubles += ids.length - (n % 7 === 0 ? 2 : 1);
  }
  // At each kill: what was leased, at most 32 and what is in flight, or acked in the last two groups.
  expect(doubles).toBeLessThanOrEqual(kills * 100);
  expect(await server.stop()).toBe(0);
}, 900_000);

test("a second process on the store ends with exit code 78 and says who has it", async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver();
  await using first = await startExecutable(config(receiver, folder.path));
  const file = join(folder.path, "second.json");
  writeFileSync(file, JSON.stringify(config(receiver, folder.path)));
  const second = await runExecutable(["serve", "--config", file, "--set", "server.port=0"]);
  expect(second.code).toBe(78);
  expect(second.stderr).toContain(`is in use by pid ${first.pid}`);
});

test("a pause, a mode and dead letters are there after a restart", async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver();
  receiver.behave(() => answer(404));
  {
    await using server = await startExecutable(config(receiver, folder.path));
    await server.enqueue("webhooks", jobsFrom(0, 3));
    await until(async () => (await server.stats())["dead"] === 3, { what: "three dead letters" });
    const paused = await server.api("POST", "/v1/queues/webhooks/pause");
    expect(paused.body).toMatchObject({ paused: true, scope: "process" });
    await server.api("POST", "/v1/endpoints/shop/hook/pause");
    await server.enqueue("webhooks", jobsFrom(3, 2));
    expect((await server.api("GET", "/health")).body).toMatchObject({ driver: "file", durable: true });
    expect(await server.stop()).toBe(0);
  }
  receiver.behave(() => answer(204));
  await using server = await startExecutable(config(receiver, folder.path));
  expect(await server.stats()).toMatchObject({ ready: 2, dead: 3 });
  expect((await server.api("GET", "/v1/queues/webhooks")).body).toMatchObject({ paused: true });
  const { body: endpoint } = await server.api("GET", "/v1/endpoints/shop/hook");
  expect(endpoint).toMatchObject({ mode: "paused", scope: "process" });
  await server.api("POST", "/v1/queues/webhooks/resume");
  await server.api("POST", "/v1/endpoints/shop/hook/resume");
  await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 3 });
  await until(() => receiver.requests.length === 8, { what: "five deliveries after three refused ones" });
});

test("a full store answers 503 storage_full and says so; deliveries go on, and it takes jobs again by itself", async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver({ record: false });
  const seen = new Set<number>();
  let status = 503;
  receiver.behave((request) => {
    if (status === 200) seen.add(jobNumberOf(request));
    return answer(status);
  });
  await using server = await startExecutable(config(receiver, folder.path, { max_bytes: 400_000 }));
  const taken = new Set<number>();
  let n = 0;
  let refused: { status: number; code: string } | null = null;
  while (refused === null) {
    const { status: got, body } = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(n, 100));
    if (got === 202) for (let at = n; at < n + 100; at += 1) taken.add(at);
    else refused = { status: got, code: body.code };
    n += 100;
  }
  expect(refused).toEqual({ status: 503, code: "storage_full" });
  const health = await server.api("GET", "/health");
  expect(health.body).toMatchObject({ status: "degraded" });
  expect(JSON.stringify(health.body.checks)).toContain("refuses writes");
  await until(async () => (await server.api("GET", "/health/ready")).status === 503, { what: "not ready" });
  status = 200;
  await until(() => seen.size === taken.size, {
    what: "every job to arrive",
    timeoutMs: 60_000,
    everyMs: 50,
  });
  await server.untilIdle("webhooks", 30_000);
  await until(async () => (await server.api("GET", "/health/ready")).status === 200, {
    what: "ready again",
    timeoutMs: 30_000,
  });
  await server.enqueue("webhooks", jobsFrom(n, 1));
  expect(await server.stop()).toBe(0);
}, 120_000);
