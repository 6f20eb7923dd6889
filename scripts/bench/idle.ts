/**
 * Measures hookline's executable while it has nothing to do: on memory with one queue, and on Redis with four.
 *
 * usage: scripts/bench/idle [--first=30] [--seconds=60] [--starts=7] [--executable=PATH]
 *
 * CPU is the first field of /proc/PID/task/<thread>/schedstat, summed over all threads: ticks overstate what sleeps most of
 * the time. A thread that ended in between would be missed; none does. The time from the spawn to the first 200 of
 * /health/ready is the median of several starts. redis-server is needed (Debian: redis-server).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort, startRedis } from "../../test/support/redis-server.ts";
import { executablePath } from "../build.ts";
import { keepRow, median, show } from "./parts/figures.ts";
import { memoryMb, startContender, type Contender } from "./parts/contender.ts";

const { values } = parseArgs({
  options: {
    /** Seconds from the start on that are measured apart. */
    first: { type: "string", default: "30" },
    seconds: { type: "string", default: "60" },
    starts: { type: "string", default: "7" },
    executable: { type: "string", default: executablePath },
  },
});
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU of all threads so far, in ms. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

interface Started extends Contender {
  readonly startMs: number;
}

async function start(queue: object): Promise<Started> {
  const port = await freePort();
  const file = join(folder, `${port}.json`);
  writeFileSync(file, JSON.stringify({ server: { port }, queue, log: { level: "warn" } }));
  const startedAt = performance.now();
  const contender = startContender([values.executable, "serve", "--config", file], {});
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return { ...contender, startMs: performance.now() - startedAt };
    if (performance.now() - startedAt > 30_000) throw new Error("not ready after 30 s");
    await pause(1);
  }
}

async function measure(name: string, queue: object): Promise<string> {
  const starts: number[] = [];
  for (let round = 0; round < Number(values.starts); round += 1) {
    const server = await start(queue);
    starts.push(server.startMs);
    await server.stop();
  }
  const server = await start(queue);
  const [first, seconds] = [Number(values.first), Number(values.seconds)];
  const atStart = cpuMs(server.pid);
  await pause(first * 1_000);
  const before = cpuMs(server.pid);
  await pause(seconds * 1_000);
  const after = cpuMs(server.pid);
  const rssMb = memoryMb(server.pid, "VmRSS");
  await server.stop();
  const percent = (ms: number, over: number): string => `${show(ms / (over * 10), 2)} %`;
  const cpu = `CPU ${percent(before - atStart, first)} of a core in the first ${first} s, ${percent(after - before, seconds)} in the next ${seconds} s`;
  keepRow({
    what: `with nothing to do, ${name}`,
    hookline: `ready after ${show(median(starts))} ms, ${show(rssMb)} MB; ${cpu}`,
    beside: "",
    ratio: "",
  });
  return (
    `${name.padEnd(16)} ready after ${median(starts).toFixed(0)} ms (best ${Math.min(...starts).toFixed(0)}); ` +
    `${cpu}; RSS ${rssMb.toFixed(0)} MB`
  );
}

try {
  await using redis = await startRedis();
  const lines = await Promise.all([
    measure("memory", { driver: "memory" }),
    measure("redis, 4 queues", {
      driver: "redis",
      queues: ["one", "two", "three", "four"],
      redis: { url_override: redis.url },
    }),
  ]);
  for (const line of lines) console.log(line);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
