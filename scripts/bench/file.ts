/**
 * Measures the driver file: enqueues, deliveries beside memory, and a million waiting jobs.
 *
 * usage: scripts/bench/file [--jobs=50000] [--rounds=3] [--waiting=1000000] [--folder=DIR]
 *
 * Enqueues go to the driver itself: one at a time from 64 callers, and in batches of 64 from 8. Deliveries go through the
 * executable, in turns on memory and file: paused, given its jobs over HTTP, resumed; CPU is from the resume to the last
 * receipt. The waiting jobs are written by the driver and then found by an executable: time from its spawn to ready,
 * resident memory, bytes on disk. It measures, it does not judge.
 */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createFileDriver } from "../../src/queue/drivers/file/driver.ts";
import type { NewJob, QueueDriver } from "../../src/queue/driver.ts";
import { executablePath } from "../build.ts";
import { cpuMs, memoryMb, startContender, type Contender } from "./parts/contender.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
    waiting: { type: "string", default: "1000000" },
    folder: { type: "string", default: tmpdir() },
  },
});
const jobs = Number(values.jobs);
const root = mkdtempSync(join(values.folder, "hookline-bench-file-"));
const secret = "bench-secret-of-32-characters-xx";
const filler = "x".repeat(300);
const payload = `{"time_ms":1763740800000,"events":[{"name":"client_event","channel":"room","data":"${filler}"}]}`;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const show = (value: number, digits = 0): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const receiver = Bun.spawn([process.execPath, join(import.meta.dir, "parts", "receiver.ts")], {
  stdout: "pipe",
  stderr: "inherit",
});
const receiverPort = Number(new TextDecoder().decode((await receiver.stdout.getReader().read()).value));
const receiverUrl = `http://127.0.0.1:${receiverPort}`;

function newJob(n: number): NewJob {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  const body = `{"hookline":1,"id":"${id}","kind":"pusher","app_id":"app-1","payload":${payload}}`;
  return { id, body, delayMs: 0, group: null, deduplicationId: null, routing: null, dedup: null };
}

async function openDriver(folder: string): Promise<QueueDriver> {
  const driver = createFileDriver({
    folder,
    queues: ["webhooks"],
    fsync: "always",
    fsyncIntervalMs: 1_000,
    minFreeBytes: 1024 * 1024,
    maxBytes: null,
    allowNetworkFs: true,
    deadLetterRetention: null,
    deadLetterRetentionMs: 1e10,
    deduplicationTtlMs: 300_000,
    maxPayloadBytes: 1e8,
    clock: systemClock,
    log: silentLogger,
    events: { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined },
    fail: (error) => {
      throw error;
    },
  });
  await driver.open(new AbortController().signal);
  return driver;
}

/** Enqueues `total` jobs from so many callers at once, `batch` each time; says rate, CPU and the waits. */
async function measureEnqueue(
  driver: QueueDriver,
  total: number,
  callers: number,
  batch: number,
): Promise<void> {
  const waits: number[] = [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < total) {
      const from = next;
      next += batch;
      const at = performance.now();
      const results = await driver.enqueue(
        "webhooks",
        Array.from({ length: batch }, (_, index) => newJob(from + index)),
      );
      waits.push(performance.now() - at);
      const failed = results.find((result) => result.status === "failed");
      if (failed?.status === "failed") throw failed.error;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  waits.sort((a, b) => a - b);
  const wait = (share: number): string => show(waits[Math.floor(waits.length * share)] ?? 0, 2);
  console.log(
    `enqueue ${`${callers} × ${batch}`.padEnd(8)} ${show(total / seconds).padStart(9)} jobs/s, ${show((user + system) / total, 1)} µs CPU a job, wait p50 ${wait(0.5)} p99 ${wait(0.99)} ms`,
  );
}

interface Server extends Contender {
  readonly url: string;
  readonly startMs: number;
}

async function startServer(driver: "memory" | "file", folder: string): Promise<Server> {
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  const file = join(root, `${port}.json`);
  const settings = { concurrency: 64 };
  const webhooks = [{ name: "hook", url: `${receiverUrl}/hook`, event_types: ["client_event"] }];
  const config = {
    server: { port },
    queue: {
      driver,
      memory: { ...settings, capacity: jobs * 2 },
      file: { ...settings, path: folder, allow_network_fs: true, min_free_mb: 1 },
    },
    log: { level: "warn" },
    apps: [{ id: "app-1", key: "app-key", secret, webhooks }],
  };
  writeFileSync(file, JSON.stringify(config));
  const url = `http://127.0.0.1:${port}`;
  const started = performance.now();
  const contender = startContender([executablePath, "serve", "--config", file], {});
  for (;;) {
    const isReady = await fetch(`${url}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return { ...contender, url, startMs: performance.now() - started };
    if (performance.now() - started > 120_000) throw new Error("the server is not ready after two minutes");
    await pause(5);
  }
}

async function post(server: Server, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.url}/v1/queues/webhooks/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
}

/** CPU µs of one delivery, from the resume to the last receipt. */
async function measureDelivery(driver: "memory" | "file"): Promise<number> {
  const folder = join(root, `delivery-${Math.random()}`);
  const server = await startServer(driver, folder);
  await post(server, "pause", {});
  const job = { app_id: "app-1", app_key: "app-key", payload: JSON.parse(payload) as unknown };
  for (let done = 0; done < jobs; done += 1_000)
    await post(
      server,
      "jobs",
      Array.from({ length: 1_000 }, () => job),
    );
  const cpu = cpuMs(server.pid);
  await post(server, "resume", {});
  for (;;) {
    if (Number(await (await fetch(`${receiverUrl}/count`)).text()) >= jobs) break;
    await pause(20);
  }
  await pause(300);
  const used = (cpuMs(server.pid) - cpu) * 1_000;
  await fetch(`${receiverUrl}/report`);
  await server.stop();
  return used / jobs;
}

function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

async function measureWaiting(total: number): Promise<void> {
  const folder = join(root, "waiting");
  const driver = await openDriver(folder);
  await driver.pause("webhooks");
  await measureEnqueue(driver, total, 8, 64);
  await driver.close();
  const server = await startServer("file", folder);
  await pause(1_000);
  console.log(
    `${show(total)} waiting: ready ${show(server.startMs)} ms after the start, CPU until then ${show(cpuMs(server.pid))} ms, ` +
      `RSS ${show(memoryMb(server.pid, "VmRSS"))} MB, at most ${show(memoryMb(server.pid, "VmHWM"))} MB, ${show(bytesOf(folder) / 1e6)} MB on disk`,
  );
  await server.stop();
}

try {
  const driver = await openDriver(join(root, "single"));
  await measureEnqueue(driver, 50_000, 64, 1);
  await driver.close();
  await measureWaiting(Number(values.waiting));
  const all = { memory: [] as number[], file: [] as number[] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const driverName of round % 2 === 0
      ? (["memory", "file"] as const)
      : (["file", "memory"] as const)) {
      all[driverName].push(await measureDelivery(driverName));
    }
  }
  for (const [index, own] of all.file.entries()) {
    const memory = all.memory[index] ?? Number.NaN;
    console.log(
      `delivery, round ${index + 1}: file ${show(own, 1)} µs CPU, memory ${show(memory, 1)}, ratio ${show(own / memory, 2)}`,
    );
  }
} finally {
  receiver.kill();
  await receiver.exited;
  rmSync(root, { recursive: true, force: true });
}
