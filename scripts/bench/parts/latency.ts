import type { Queue } from "bullmq";
import { join } from "node:path";
import type { BenchRedis } from "./bench-redis.ts";
import { type Contender, pause, startContender } from "./contender.ts";
import { keepRow, percentile, show } from "./figures.ts";
import type { BenchReceiver } from "./receiver-client.ts";
import { appSecret, plainPayload, sockudoText } from "./workload.ts";

export interface LatencyOptions {
  readonly receiver: BenchReceiver;
  readonly redis: BenchRedis;
  /** BullMQ's; null: without it. */
  readonly queue: Queue | null;
  readonly startHookline: () => Promise<Contender>;
  readonly seconds: number;
  readonly concurrency: number;
}

const rate = 1_000;

/** Prints the time from each enqueue to its receipt at 1,000 jobs a second, beside a bare loop's POSTs at the same rate. */
export async function measureLatencies(options: LatencyOptions): Promise<void> {
  const { receiver, redis, queue, seconds, concurrency } = options;
  const total = rate * seconds;
  const parts = import.meta.dir;
  const figures = (latencies: readonly number[]): { p50: number; p99: number } => ({
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  });
  console.log(`\nfrom the enqueue to the receipt, ${show(rate)} jobs a second for ${seconds} s:`);
  const print = (name: string, { p50, p99 }: { p50: number; p99: number }): void =>
    console.log(`  ${name.padEnd(22)} p50 ${show(p50, 1)} ms, p99 ${show(p99, 1)} ms`);

  const fed = async (
    name: string,
    start: () => Promise<Contender>,
    put: (payload: string) => Promise<unknown>,
  ): Promise<{ p50: number; p99: number }> => {
    await redis.client.flushall();
    const contender = await start();
    // Warm first, as the bare loop is not: its code is compiled before its first request.
    await receiver.take();
    for (let n = 0; n < 2_000; n += 1) await put(plainPayload());
    await receiver.until(2_000);
    await receiver.take(true);
    await steadily(total, () => put(plainPayload((performance.timeOrigin + performance.now()).toFixed(3))));
    await receiver.until(total);
    const found = figures((await receiver.take()).latencies);
    await contender.stop();
    print(name, found);
    return found;
  };

  await receiver.take(true);
  const env = { RECEIVER: receiver.url, WORKLOAD: "plain", JOBS: String(total), RATE: String(rate) };
  const loop = startContender([process.execPath, join(parts, "bare-fetch.ts")], env);
  await receiver.until(total);
  const bare = figures((await receiver.take()).latencies);
  await loop.stop();
  print("bare fetch loop, Bun", bare);

  const push = (payload: string): Promise<unknown> =>
    redis.client.rpush("sockudo_queue:queue:webhooks", sockudoText(0, payload, "x"));
  const ours = await fed("hookline", options.startHookline, push);
  keepRow({
    what: `enqueue to receipt through Redis at ${show(rate)} jobs/s`,
    hookline: `p50 ${show(ours.p50, 1)} ms, p99 ${show(ours.p99, 1)} ms`,
    beside: `bare \`fetch\` p50 ${show(bare.p50, 1)} ms, p99 ${show(bare.p99, 1)} ms`,
    ratio: `${show(ours.p99 / bare.p99, 2)} × the p99`,
  });
  if (queue === null) return;
  const workerEnv = {
    TARGET: `${receiver.url}/hook`,
    SECRET: appSecret,
    CONCURRENCY: String(concurrency),
    REDIS_PORT: String(redis.port),
  };
  const add = (payload: string): Promise<unknown> => queue.add("webhook", { payload });
  const worker = (program: string) => async () =>
    startContender([program, join(parts, "bullmq-worker.mjs")], workerEnv);
  await fed("BullMQ, Node, undici", worker("node"), add);
  await fed("BullMQ, Bun, fetch", worker(process.execPath), add);
}

async function steadily(total: number, put: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  const puts: Promise<unknown>[] = [];
  while (puts.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) * rate) / 1_000));
    while (puts.length < due) puts.push(put());
    await pause(1);
  }
  await Promise.all(puts);
}
