import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runExecutable, startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

function config(receiver: Receiver, path: string, file: object = {}): object {
  return configFor([{ name: "hook", url: receiver.url, breaker: { min_attempts: 100_000 } }], {
    queue: { driver: "file", file: { path, concurrency: 16, min_free_mb: 1, ...file } },
  });
}

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

test("Bun and Deno take over each other's store, the whole server, after SIGTERM and after SIGKILL", async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver({ record: false });
  let status = 503;
  const seen = new Set<number>();
  receiver.behave((request) => {
    if (status === 200) seen.add(jobNumberOf(request));
    return answer(status);
  });
  const root = join(import.meta.dir, "..", "..");
  // The program itself: the package's own command is a Node script that passes no signals on.
  const [deno] = [...new Bun.Glob("node_modules/@deno/*/deno").scanSync({ cwd: root, absolute: true })];
  const onDeno = { command: [deno!, "run", "-A", join(root, "src", "main.ts")] };
  const isRetried = (server: Executable, count: number) =>
    until(async () => (await server.stats())["delayed"] === count, { what: `${count} jobs to be retried` });
  const slow = { webhooks: { retry: { initial_backoff_ms: 600_000, max_backoff_ms: 600_000, jitter: 0 } } };
  {
    await using bun = await startExecutable({ ...config(receiver, folder.path), ...slow });
    await bun.enqueue("webhooks", jobsFrom(0, 40));
    await isRetried(bun, 40);
    expect(await bun.stop()).toBe(0);
  }
  {
    await using server = await startExecutable({ ...config(receiver, folder.path), ...slow }, onDeno);
    expect(await server.stats()).toMatchObject({ delayed: 40 });
    expect((await server.api("GET", "/health")).body).toMatchObject({ driver: "file", durable: true });
    await server.enqueue("webhooks", jobsFrom(40, 40));
    await isRetried(server, 80);
    server.signal("SIGKILL");
    await server.exited;
  }
  {
    await using bun = await startExecutable({ ...config(receiver, folder.path), ...slow });
    expect(await bun.stats()).toMatchObject({ delayed: 80 });
    await bun.api("POST", "/v1/queues/webhooks/pause");
    await bun.enqueue("webhooks", jobsFrom(80, 40));
    bun.signal("SIGKILL");
    await bun.exited;
  }
  status = 200;
  await using server = await startExecutable(config(receiver, folder.path), onDeno);
  await server.api("POST", "/v1/queues/webhooks/resume");
  await until(() => seen.size === 40, { what: "what waited in line to be delivered by Deno" });
  expect(await server.stats()).toMatchObject({ delayed: 80, ready: 0 });
  expect(await server.stop()).toBe(0);
}, 240_000);

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
  await server.untilIdle("webhooks");
  await until(async () => (await server.api("GET", "/health/ready")).status === 200, {
    what: "ready again",
    timeoutMs: 90_000,
  });
  await server.enqueue("webhooks", jobsFrom(n, 1));
  expect(await server.stop()).toBe(0);
}, 120_000);
