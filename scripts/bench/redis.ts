/**
 * Measures hookline on Redis beside a bare fetch loop and BullMQ, in one run, in turns, on one machine.
 *
 * usage: scripts/bench/redis [--jobs=50000] [--warmup=50000] [--rounds=3] [--concurrency=64]
 *                            [--parts=plain,mixed,latency] [--without-bullmq] [--executable=PATH] [--million]
 *
 * All jobs are in place before a contender starts. What counts is the CPU of a delivery, all threads, after the warm-up;
 * rates stand beside, and move with what else the machine does. `latency` is from the enqueue to the receipt at 1,000 jobs
 * a second. It measures, it does not judge.
 */
import { Queue } from "bullmq";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build, executablePath, isFresh } from "../build.ts";
import { startBenchRedis } from "./parts/bench-redis.ts";
import { contest } from "./parts/contest.ts";
import { keepRow, show } from "./parts/figures.ts";
import { startHookline } from "./parts/hookline.ts";
import { measureLatencies } from "./parts/latency.ts";
import { memoryMb } from "./parts/contender.ts";
import { startBenchReceiver } from "./parts/receiver-client.ts";
import { bareLoop, bullmq, hooklineOnRedis } from "./parts/rivals.ts";
import { createWorkload } from "./parts/workload.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "50000" },
    warmup: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "64" },
    parts: { type: "string", default: "plain,mixed,latency" },
    "without-bullmq": { type: "boolean", default: false },
    executable: { type: "string", default: executablePath },
    million: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
  },
});
const jobs = Number(values.jobs);
const warmup = Number(values.warmup);
const rounds = Number(values.rounds);
const concurrency = Number(values.concurrency);
const parts = new Set(values.parts.split(","));
const { executable } = values;
if (executable === executablePath && !isFresh()) await build();

const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const redis = await startBenchRedis();
const receiver = await startBenchReceiver();
const queue = new Queue("webhooks", { connection: { host: "127.0.0.1", port: redis.port } });

/** One million preloaded jobs: the most memory, and the rate at both ends. */
async function million(): Promise<void> {
  const workload = createWorkload("plain", receiver.url);
  await receiver.take();
  const rival = hooklineOnRedis({ ...ours, redis: redis.client, redisUrl: redis.url });
  const { start } = await rival.prepare(workload, 1_000_000);
  const contender = await start();
  await receiver.until(1_000_000);
  const { marks, firstAt, lastAt } = await receiver.take();
  const peakMb = memoryMb(contender.pid, "VmHWM");
  await contender.stop();
  const rate = (from = 0, to = 0): number => 100_000 / ((to - from) / 1_000);
  const [first, last] = [rate(firstAt, marks[9]), rate(marks[89], lastAt)];
  console.log(
    `\none million jobs: first 100,000 at ${show(first)}/s, last at ${show(last)}/s, ${show(1e9 / (lastAt - firstAt))}/s in all, RSS at most ${show(peakMb)} MB`,
  );
  keepRow({
    what: "one million jobs waiting in Redis",
    hookline: `first 100,000 at ${show(first)}/s, last at ${show(last)}/s, ${show(peakMb)} MB`,
    beside: "",
    ratio: `${show(first / last, 2)} of the last's rate`,
  });
}

const ours = { name: "hookline", executable, folder, concurrency };
try {
  const hookline = hooklineOnRedis({ ...ours, redis: redis.client, redisUrl: redis.url });
  const bare = bareLoop(receiver.url, concurrency);
  const shared = {
    redis: redis.client,
    redisPort: redis.port,
    receiverUrl: receiver.url,
    queue,
    concurrency,
  };
  const others = values["without-bullmq"]
    ? []
    : [bullmq({ ...shared, runtime: "node" }), bullmq({ ...shared, runtime: "bun" })];
  const common = { title: "from Redis", receiver, warmup, jobs, rounds, backendPid: redis.pid };
  if (parts.has("plain")) {
    const workload = createWorkload("plain", receiver.url);
    await contest({ ...common, workload, rivals: [bare, hookline, ...others] });
  }
  if (parts.has("mixed")) {
    const workload = createWorkload("mixed", receiver.url);
    const fewer = { warmup: Math.ceil(warmup / 3), jobs: Math.ceil(jobs / 3) };
    await contest({ ...common, ...fewer, workload, rivals: [bare, hookline] });
  }
  if (parts.has("latency")) {
    await redis.client.flushall();
    const config = {
      queue: { driver: "redis", redis: { concurrency, url_override: redis.url } },
      apps: createWorkload("plain", receiver.url).apps,
    };
    await measureLatencies({
      receiver,
      redis,
      queue: values["without-bullmq"] ? null : queue,
      startHookline: () => startHookline(executable, folder, config),
      seconds: Number(values.seconds),
      concurrency,
    });
  }
  if (values.million) await million();
} finally {
  // BullMQ rejects what it has not answered yet when its Redis goes, which is what we want here.
  await queue.close().catch(() => undefined);
  receiver.stop();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
