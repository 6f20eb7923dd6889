import { readFileSync } from "node:fs";
import { startExecutable, type Executable } from "./executable.ts";
import { startReceiverProcess, type ReceiverProcess } from "./receiver-process.ts";
import { startRedis, type RedisProcess } from "./redis-server.ts";
import { until } from "./until.ts";

/** A receiver, a hookline whose named endpoints are paths of it, and its Redis where it has one. */
export interface LaneBench extends AsyncDisposable {
  readonly server: Executable;
  readonly receiver: ReceiverProcess;
  readonly redis: RedisProcess | null;
}

export interface LaneBenchOptions {
  readonly driver: "memory" | "redis";
  readonly concurrency: number;
  /** Settings of each endpoint, by name; the name is the path. PORT in a url is the receiver's. */
  readonly endpoints: Readonly<Record<string, object>>;
  readonly webhooks?: object;
  /** More of `queue`. */
  readonly queue?: object;
  readonly supervisor?: object;
  readonly command?: readonly string[];
}

/** Starts all three; `await using` ends them. */
export async function startLaneBench(options: LaneBenchOptions): Promise<LaneBench> {
  const { driver, concurrency } = options;
  const receiver = await startReceiverProcess();
  const redis = driver === "redis" ? await startRedis() : null;
  const endpoints = Object.fromEntries(
    Object.entries(options.endpoints).map(([name, settings]) => {
      const { url = `${receiver.url}/${name}`, ...rest } = settings as { url?: string };
      return [name, { url: url.replace("PORT", new URL(receiver.url).port), ...rest }];
    }),
  );
  const config = {
    server: { max_body_bytes: 16_777_216 },
    queue: {
      driver,
      memory: { concurrency, capacity: 2_000_000 },
      redis: { concurrency, url_override: redis?.url ?? null },
      // What hangs at the end of a test is not waited for.
      reliability: { shutdown_timeout_ms: 300 },
      ...options.queue,
    },
    webhooks: options.webhooks ?? {},
    supervisor: options.supervisor ?? {},
    endpoints,
  };
  try {
    const command = options.command === undefined ? {} : { command: options.command };
    const server = await startExecutable(config, command);
    return {
      server,
      receiver,
      redis,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await receiver[Symbol.asyncDispose]();
        await redis?.stop();
      },
    };
  } catch (error) {
    await receiver[Symbol.asyncDispose]();
    await redis?.stop();
    throw error;
  }
}

/** `count` endpoint names: e0, e1, … */
export function endpointNames(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, index) => `e${first + index}`);
}

/** The same settings for each of these endpoints. */
export function allWith(names: readonly string[], settings: object = {}): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, settings]));
}

/** A generic job for a named endpoint; the receiver's process reads `n` and `sent_at` from it. */
export function laneJob(endpoint: string, n: number): object {
  return { type: "lane.test", endpoint, data: { n, sent_at: performance.timeOrigin + performance.now() } };
}

/** Enqueues `count` jobs for one endpoint, in large calls. */
export async function enqueueBacklog(
  server: Executable,
  endpoint: string,
  count: number,
  options: { queue?: string; first?: number } = {},
): Promise<void> {
  const { queue = "webhooks", first = 0 } = options;
  const size = 2_000;
  for (let done = 0; done < count; done += size) {
    const jobs = Array.from({ length: Math.min(size, count - done) }, (_, index) =>
      laneJob(endpoint, first + done + index),
    );
    await server.enqueue(queue, jobs);
  }
}

/** Posts single jobs at a steady rate, the endpoints in turns, to each server; resolves when the last is accepted. */
export async function postSteadily(
  servers: readonly Executable[],
  names: readonly string[],
  options: { perSecond: number; seconds: number },
): Promise<void> {
  const total = Math.round(options.perSecond * options.seconds);
  const startedAt = performance.now();
  const posts: Promise<unknown>[] = [];
  for (let n = 0; n < total; n += 1) {
    const waitMs = startedAt + (n * 1_000) / options.perSecond - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    for (const server of servers) {
      posts.push(server.enqueue("webhooks", laneJob(names[n % names.length] as string, n)));
    }
  }
  await Promise.all(posts);
}

/** The value below which the share lies; NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Most events in any window of this length. */
export function mostWithin(times: readonly number[], windowMs: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last += 1) {
    while ((sorted[last] as number) - (sorted[first] as number) >= windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Resident memory of a process in MB, now and at its highest. */
export function memoryMb(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

/** CPU time a process has used, in ms (proc(5): utime and stime, in ticks of 10 ms). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resolves when so many jobs of an endpoint have arrived. */
export async function untilArrived(
  receiver: ReceiverProcess,
  name: string,
  count: number,
  timeoutMs = 90_000,
): Promise<void> {
  const enough = async (): Promise<boolean> => (await receiver.count(name)) >= count;
  await until(enough, { timeoutMs, everyMs: 10, what: `${count} jobs at ${name}` });
}

/** Resolves when nothing of the queue waits in any way, parked included. */
export async function untilEmpty(server: Executable, queue?: string, timeoutMs = 90_000): Promise<void> {
  const isEmpty = async (): Promise<boolean> => (await waitingJobs(server, queue)) === 0;
  await until(isEmpty, { timeoutMs, everyMs: 20, what: "an empty queue" });
}

/** Ready, delayed, leased and parked jobs together. */
export async function waitingJobs(server: Executable, queue?: string): Promise<number> {
  const { ready, delayed, leased, parked } = await server.stats(queue);
  return (ready ?? 0) + (delayed ?? 0) + (leased ?? 0) + (parked ?? 0);
}

/** One counter of /metrics, summed over the series whose labels hold `label`. */
export async function metric(server: Executable, name: string, label = ""): Promise<number> {
  const { text } = await server.api("GET", "/metrics");
  let sum = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith(name) && line.includes(label)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

/** Commands a Redis server has run, those inside scripts included, without the asking itself. */
export async function redisCommands(redis: RedisProcess): Promise<number> {
  const stats = await redis.client.info("commandstats");
  let sum = 0;
  for (const [, name, calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (name !== "info" && name !== "ping") sum += Number(calls);
  }
  return sum;
}

/** What the healthy endpoints' deliveries took while the others did what they do, in ms. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Posts jobs to all endpoints of each bench in turns for some seconds and says what those to `watched` took from
 * enqueue to receipt. Several at once compare what shares the machine's noise.
 */
export async function measureLatency(
  benches: readonly LaneBench[],
  names: readonly string[],
  options: { watched: readonly string[]; perSecond: number; seconds: number },
): Promise<Latency[]> {
  for (const { receiver } of benches) await receiver.clear();
  const servers = benches.map(({ server }) => server);
  await postSteadily(servers, names, options);
  const each = Math.floor((options.perSecond * options.seconds) / names.length);
  return Promise.all(
    benches.map(async ({ receiver }) => {
      await Promise.all(options.watched.map((name) => untilArrived(receiver, name, each)));
      const received = await receiver.clear();
      const delays = options.watched.flatMap((name) => received[name]?.delaysMs ?? []);
      return {
        count: delays.length,
        p50: percentile(delays, 0.5),
        p99: percentile(delays, 0.99),
        max: Math.max(...delays),
      };
    }),
  );
}

/**
 * How many times longer the second bench's p99 is than the first's, under the same load at the same time: the
 * median of `slices` measurements, so that a machine that stands still in one of them does not decide.
 */
export async function compareLatency(
  benches: readonly [LaneBench, LaneBench],
  names: readonly string[],
  options: { watched: readonly string[]; perSecond: number; seconds: number; slices: number },
): Promise<{ ratio: number; slices: (readonly [Latency, Latency])[] }> {
  const slices: [Latency, Latency][] = [];
  for (let slice = 0; slice < options.slices; slice += 1) {
    slices.push((await measureLatency(benches, names, options)) as [Latency, Latency]);
  }
  return {
    ratio: percentile(
      slices.map(([without, beside]) => beside.p99 / without.p99),
      0.5,
    ),
    slices,
  };
}
