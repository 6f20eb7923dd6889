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
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createFileDriver } from "../../src/queue/drivers/file/driver.ts";
import type { NewJob, QueueDriver } from "../../src/queue/driver.ts";
import { executablePath } from "../build.ts";
import { cpuMs, memoryMb, pause } from "./parts/contender.ts";
import { keepRow, median, show } from "./parts/figures.ts";
import { type Hookline, startHookline } from "./parts/hookline.ts";
import { startBenchReceiver } from "./parts/receiver-client.ts";

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
const receiver = await startBenchReceiver();

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
  keepRow({
    what: `enqueue into the driver file, ${callers} callers, ${batch} jobs a call`,
    hookline: `${show(total / seconds)} jobs/s, ${show((user + system) / total, 1)} µs CPU a job, p99 ${wait(0.99)} ms`,
    beside: "",
    ratio: "",
  });
  console.log(
    `enqueue ${`${callers} × ${batch}`.padEnd(8)} ${show(total / seconds).padStart(9)} jobs/s, ${show((user + system) / total, 1)} µs CPU a job, wait p50 ${wait(0.5)} p99 ${wait(0.99)} ms`,
  );
}

async function startServer(driver: "memory" | "file", folder: string): Promise<Hookline> {
  const settings = { concurrency: 64 };
  const webhooks = [{ name: "hook", url: `${receiver.url}/hook`, event_types: ["client_event"] }];
  return startHookline(executablePath, root, {
    queue: {
      driver,
      memory: { ...settings, capacity: jobs * 2 },
      file: { ...settings, path: folder, allow_network_fs: true, min_free_mb: 1 },
    },
    apps: [{ id: "app-1", key: "app-key", secret, webhooks }],
  });
}

/** CPU µs of one delivery, from the resume to the last receipt. */
async function measureDelivery(driver: "memory" | "file"): Promise<number> {
  const folder = join(root, `delivery-${Math.random()}`);
  const server = await startServer(driver, folder);
  await server.post("pause", {});
  const job = { app_id: "app-1", app_key: "app-key", payload: JSON.parse(payload) as unknown };
  for (let done = 0; done < jobs; done += 1_000)
    await server.post(
      "jobs",
      Array.from({ length: 1_000 }, () => job),
    );
  const cpu = cpuMs(server.pid);
  await server.post("resume", {});
  await receiver.until(jobs);
  await pause(300);
  const used = (cpuMs(server.pid) - cpu) * 1_000;
  await receiver.take();
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
  keepRow({
    what: `${show(total)} jobs waiting in the driver file`,
    hookline: `ready after ${show(server.startMs)} ms, at most ${show(memoryMb(server.pid, "VmHWM"))} MB, ${show(bytesOf(folder) / 1e6)} MB on disk`,
    beside: "",
    ratio: "",
  });
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
  keepRow({
    what: "a delivery from the driver file",
    hookline: `${show(median(all.file), 1)} µs CPU`,
    beside: `from memory ${show(median(all.memory), 1)} µs`,
    ratio: `${show(median(all.file.map((own, round) => own / (all.memory[round] ?? Number.NaN))), 2)} × the CPU`,
  });
} finally {
  receiver.stop();
  rmSync(root, { recursive: true, force: true });
}
