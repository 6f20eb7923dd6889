/**
 * Measures hookline on Redis beside a bare fetch loop and BullMQ, in one run, in turns, on one machine.
 *
 * usage: scripts/bench/redis [--jobs=50000] [--warmup=50000] [--rounds=2] [--concurrency=64] [--million] [--only=bare,node,bun,hookline]
 *
 * Starts its own Redis (no persistence, the same for all) and a receiver in a process of its own. Rates are
 * the receiver's. All jobs are preloaded; the first --warmup of them, while each runtime still compiles its
 * code, are shown by themselves, and the rates that are compared are those of the --jobs after them. It
 * measures, it does not judge.
 */
import { Queue } from "bullmq";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { build, executablePath, isFresh } from "../build.ts";
import { cpuMs, memoryMb, startContender } from "./redis-parts/contender.ts";
import type { Contender } from "./redis-parts/contender.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "50000" },
    warmup: { type: "string", default: "50000" },
    rounds: { type: "string", default: "2" },
    concurrency: { type: "string", default: "64" },
    million: { type: "boolean", default: false },
    only: { type: "string", default: "bare,node,bun,hookline" },
    seconds: { type: "string", default: "5" },
  },
});
const jobs = Number(values.jobs);
/** In whole tens of thousands: the receiver keeps the time of each. */
const warmup = Math.max(1, Math.round(Number(values.warmup) / 10_000)) * 10_000;
const total = warmup + jobs;
const concurrency = Number(values.concurrency);
const parts = import.meta.dir + "/redis-parts";
const secret = "bench-secret-of-32-characters-xx";
const token = "bench-token";

const payloadOf = (sentAt: string): string =>
  `{"time_ms":1763740800000,"events":[{"name":"client_event","channel":"presence-room-4711","event":"client-message","socket_id":"1234.5678","sent_at":"${sentAt}","data":"{\\"text\\":\\"The quick brown fox jumps over the lazy dog, again and again.\\"}"}]}`;
const payload = payloadOf("0");
const sockudoJob = (of: string): string =>
  `{"app_key":"app-key","app_id":"app-1","app_secret":"${secret}","payload":${of},"original_signature":"app-1:presence-room-4711:client_event"}`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const redisPort = await freePort();
const redisServer = startContender(
  ["redis-server", "--port", String(redisPort), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
  {},
);
const receiver = Bun.spawn([process.execPath, `${parts}/receiver.ts`], { stdout: "pipe", stderr: "inherit" });
const receiverPort = Number(new TextDecoder().decode((await receiver.stdout.getReader().read()).value));
const target = `http://127.0.0.1:${receiverPort}/hook`;
const redis = new Redis({ port: redisPort, host: "127.0.0.1", replyMapping: "legacy" });
redis.on("error", () => undefined);
const queue = new Queue("webhooks", { connection: { host: "127.0.0.1", port: redisPort } });

interface Report {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly marks: number[];
  readonly latencies: number[];
}
const report = async (timed = false): Promise<Report> =>
  (await (await fetch(`http://127.0.0.1:${receiverPort}/report?timed=${timed ? 1 : 0}`)).json()) as Report;
const received = async (): Promise<number> =>
  Number(await (await fetch(`http://127.0.0.1:${receiverPort}/count`)).text());

async function untilReceived(count: number, patienceMs: number): Promise<void> {
  const end = performance.now() + patienceMs;
  while ((await received()) < count) {
    if (performance.now() > end) throw new Error(`only ${await received()} of ${count} jobs arrived`);
    await pause(20);
  }
}

/** Starts hookline's executable on this Redis; resolves when it is ready. */
async function startHookline(consume: boolean): Promise<Contender & { readonly url: string }> {
  const port = await freePort();
  const file = join(folder, `hookline-${port}.json`);
  writeFileSync(
    file,
    JSON.stringify({
      server: { port, token },
      queue: {
        driver: "redis",
        consume,
        redis: { concurrency, url_override: `redis://127.0.0.1:${redisPort}` },
      },
      log: { level: "warn" },
      apps: [
        {
          id: "app-1",
          key: "app-key",
          secret,
          webhooks: [{ url: target, event_types: ["client_event"] }],
        },
      ],
    }),
  );
  const contender = startContender([executablePath, "serve", "--config", file], {});
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const ready = await fetch(`${url}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return { ...contender, url };
    await pause(10);
  }
}

interface Measure {
  readonly rate: number;
  /** Of the jobs of the warm-up. */
  readonly coldRate: number;
  readonly cpuPerThousand: number;
  readonly rssMb: number;
}
type Name = "bare" | "node" | "bun" | "hookline";
const labels: Readonly<Record<Name, string>> = {
  bare: "bare fetch loop, Bun",
  node: "BullMQ, Node, undici",
  bun: "BullMQ, Bun, fetch",
  hookline: "hookline",
};

async function preload(name: Name, count: number): Promise<void> {
  const step = 1_000;
  for (let done = 0; done < count; done += step) {
    const size = Math.min(step, count - done);
    if (name === "hookline") {
      await redis.rpush(
        "sockudo_queue:queue:webhooks",
        ...Array.from({ length: size }, () => sockudoJob(payload)),
      );
    } else if (name !== "bare") {
      await queue.addBulk(Array.from({ length: size }, () => ({ name: "webhook", data: { payload } })));
    }
  }
}

async function start(name: Name): Promise<Contender> {
  const env = {
    TARGET: target,
    SECRET: secret,
    CONCURRENCY: String(concurrency),
    REDIS_PORT: String(redisPort),
    JOBS: String(total),
    PAYLOAD: payload,
  };
  if (name === "bare") return startContender([process.execPath, `${parts}/bare-fetch.ts`], env);
  if (name === "hookline") return startHookline(true);
  return startContender([name === "node" ? "node" : process.execPath, `${parts}/bullmq-worker.mjs`], env);
}

async function throughput(name: Name): Promise<Measure> {
  await redis.flushall();
  await report();
  await preload(name, total);
  const contender = await start(name);
  while ((await received()) < warmup) await pause(2);
  const cpuBefore = cpuMs(contender.pid);
  const seenBefore = await received();
  await untilReceived(total, 120_000);
  const cpu = cpuMs(contender.pid) - cpuBefore;
  const { firstAt, lastAt, count, marks } = await report();
  const warmAt = marks[warmup / 10_000 - 1] ?? firstAt;
  const measure = {
    rate: (count - warmup) / ((lastAt - warmAt) / 1_000),
    coldRate: warmup / ((warmAt - firstAt) / 1_000),
    cpuPerThousand: cpu / ((count - seenBefore) / 1_000),
    rssMb: memoryMb(contender.pid, "VmRSS"),
  };
  await contender.stop();
  return measure;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const percentile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ??
  Number.NaN;
const show = (value: number, digits = 0): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Puts 1,000 jobs a second for some seconds and gives the time from each to its receipt. */
async function latency(
  name: "node" | "bun" | "hookline",
  put: (body: string) => Promise<unknown>,
): Promise<string> {
  await redis.flushall();
  const contender = await start(name);
  await put(payload);
  await untilReceived(1, 30_000);
  await report(true);
  const puttable = Number(values.seconds) * 1_000;
  const started = performance.now();
  const puts: Promise<unknown>[] = [];
  for (let sent = 0; sent < puttable;) {
    const dueCount = Math.min(puttable, Math.floor(performance.now() - started));
    for (; sent < dueCount; sent += 1) {
      puts.push(put(payloadOf((performance.timeOrigin + performance.now()).toFixed(3))));
    }
    await pause(1);
  }
  await Promise.all(puts);
  await untilReceived(puttable, 30_000);
  const { latencies } = await report();
  await contender.stop();
  return `p50 ${show(percentile(latencies, 0.5), 1)} ms, p99 ${show(percentile(latencies, 0.99), 1)} ms`;
}

/** Jobs a second over HTTP, `batch` a request, 16 requests in flight. */
async function enqueueRate(url: string, batch: number, many: number): Promise<number> {
  const one = sockudoJob(payload);
  const body = batch === 1 ? one : `[${Array.from({ length: batch }, () => one).join(",")}]`;
  let left = many / batch;
  const started = performance.now();
  const loop = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await fetch(`${url}/v1/queues/webhooks/jobs`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      });
      if (answer.status !== 202) throw new Error(`enqueue answered ${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 16 }, loop));
  return many / ((performance.now() - started) / 1_000);
}

/** One million preloaded jobs: the most memory, and the rate at both ends. */
async function million(): Promise<void> {
  await redis.flushall();
  await report();
  await preload("hookline", 1_000_000);
  const contender = await startHookline(true);
  let rssMb = 0;
  const sampling = setInterval(() => {
    rssMb = Math.max(rssMb, memoryMb(contender.pid, "VmRSS"));
  }, 100);
  await untilReceived(1_000_000, 600_000);
  clearInterval(sampling);
  const { marks, firstAt, lastAt } = await report();
  const rate = (from: number, to: number): number => 100_000 / ((to - from) / 1_000);
  console.log(
    `one million jobs: first 100,000 at ${show(rate(firstAt, marks[9]!))}/s, last at ${show(rate(marks[89]!, lastAt))}/s, ` +
      `${show(1_000_000 / ((lastAt - firstAt) / 1_000))}/s in all, RSS at most ${show(rssMb)} MB`,
  );
  await contender.stop();
}

try {
  if (!isFresh()) await build();
  while (redis.status !== "ready") await pause(10);
  const names = values.only.split(",") as Name[];
  const results = new Map<Name, Measure[]>(names.map((name) => [name, []]));
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const name of names) {
      const measure = await throughput(name);
      results.get(name)?.push(measure);
      console.log(
        `round ${round}: ${labels[name].padEnd(22)} ${show(measure.rate).padStart(8)} jobs/s (warm-up ${show(measure.coldRate)})`,
      );
    }
  }
  console.log(
    `\n${show(jobs)} preloaded jobs after a warm-up of ${show(warmup)}, ${Buffer.byteLength(payload)} bytes each, ${concurrency} in flight, median of ${values.rounds}:`,
  );
  const rateOf = (name: Name): number => median((results.get(name) ?? []).map(({ rate }) => rate));
  for (const name of names) {
    const all = results.get(name) ?? [];
    const cpu = median(all.map(({ cpuPerThousand }) => cpuPerThousand));
    const rss = Math.max(...all.map(({ rssMb }) => rssMb));
    console.log(
      `  ${labels[name].padEnd(22)} ${show(rateOf(name)).padStart(8)} jobs/s  ${show(cpu, 1).padStart(7)} ms CPU per 1,000  ${show(rss).padStart(5)} MB RSS`,
    );
  }
  for (const name of names) {
    if (name === "hookline") continue;
    console.log(`  hookline / ${labels[name].padEnd(22)} ${(rateOf("hookline") / rateOf(name)).toFixed(2)}`);
  }
  if (names.includes("hookline")) {
    await redis.flushall();
    const sink = await startHookline(false);
    console.log(
      `\nenqueue over HTTP: ${show(await enqueueRate(sink.url, 1, 20_000))} jobs/s one by one, ${show(await enqueueRate(sink.url, 100, 100_000))} jobs/s in batches of 100`,
    );
    await sink.stop();
    console.log("\nenqueue to receipt at 1,000 jobs/s:");
    if (names.includes("node")) {
      console.log(
        `  ${labels.node.padEnd(22)} ${await latency("node", (body) => queue.add("webhook", { payload: body }))}`,
      );
    }
    if (names.includes("bun")) {
      console.log(
        `  ${labels.bun.padEnd(22)} ${await latency("bun", (body) => queue.add("webhook", { payload: body }))}`,
      );
    }
    const push = (body: string) => redis.rpush("sockudo_queue:queue:webhooks", sockudoJob(body));
    console.log(`  ${labels.hookline.padEnd(22)} ${await latency("hookline", push)}`);
    if (values.million) {
      console.log("");
      await million();
    }
  }
} finally {
  await queue.close().catch(() => undefined);
  redis.disconnect();
  receiver.kill();
  await redisServer.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
