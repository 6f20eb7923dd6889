/**
 * Measures hookline's executable on the memory driver beside a bare fetch loop, in one run, in turns.
 *
 * usage: scripts/bench/memory [--jobs=100000] [--rounds=5] [--concurrency=64] [--idle=5] [--executable=PATH]
 *
 * The receiver is a process of its own. Each round runs both, the order alternating: the bare loop signs and
 * POSTs the same payload, so many in flight, and nothing else; hookline is paused, given its jobs over HTTP,
 * and resumed. Rates are the receiver's: hookline's from the resume to the last receipt, the bare loop's from
 * the first, so that the start of its process does not count; and beside it the rate after the first fifth,
 * when both run compiled code. Each ratio is that of one round. It measures, it does not judge.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { executablePath } from "../build.ts";
import { cpuMs, memoryMb, startContender, type Contender } from "./redis-parts/contender.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    concurrency: { type: "string", default: "64" },
    idle: { type: "string", default: "5" },
    /** Another build to measure, or several, comma-separated, in the same turns. */
    executable: { type: "string", default: executablePath },
  },
});
const jobs = Number(values.jobs);
const rounds = Number(values.rounds);
const executables = values.executable.split(",");
const secret = "bench-secret-of-32-characters-xx";
const parts = join(import.meta.dir, "redis-parts");
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const payload = `{"time_ms":1763740800000,"events":[{"name":"client_event","channel":"presence-room-4711","event":"client-message","socket_id":"1234.5678","data":"{\\"text\\":\\"The quick brown fox jumps over the lazy dog, again and again.\\"}"}]}`;

const receiver = Bun.spawn([process.execPath, join(parts, "receiver.ts")], {
  stdout: "pipe",
  stderr: "inherit",
});
const receiverPort = Number(new TextDecoder().decode((await receiver.stdout.getReader().read()).value));
const receiverUrl = `http://127.0.0.1:${receiverPort}`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const show = (value: number, digits = 0): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Report {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** When each ten thousandth arrived. */
  readonly marks: readonly number[];
}
const takeReport = async (): Promise<Report> =>
  (await (await fetch(`${receiverUrl}/report`)).json()) as Report;

async function untilAllReceived(): Promise<void> {
  const end = performance.now() + 120_000;
  for (;;) {
    const count = Number(await (await fetch(`${receiverUrl}/count`)).text());
    if (count >= jobs) return;
    if (performance.now() > end) throw new Error(`only ${count} of ${jobs} deliveries arrived`);
    await pause(20);
  }
}

interface Server extends Contender {
  readonly url: string;
  /** From the spawn to the first 200 of /health/ready. */
  readonly startMs: number;
}

async function startHookline(executable: string): Promise<Server> {
  const port = await freePort();
  const file = join(folder, `${port}.json`);
  writeFileSync(
    file,
    JSON.stringify({
      server: { port },
      queue: { driver: "memory", memory: { concurrency: Number(values.concurrency), capacity: jobs } },
      log: { level: "warn" },
      apps: [
        {
          id: "app-1",
          key: "app-key",
          secret,
          webhooks: [{ url: `${receiverUrl}/hook`, event_types: ["client_event"] }],
        },
      ],
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const contender = startContender([executable, "serve", "--config", file], {});
  for (;;) {
    const isReady = await fetch(`${url}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return { ...contender, url, startMs: performance.now() - startedAt };
    if (performance.now() - startedAt > 10_000) throw new Error(`${executable} is not ready after 10 s`);
    await pause(1);
  }
}

async function post(server: Server, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.url}/v1/queues/webhooks/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

interface Measure {
  /** Deliveries a second over all. */
  readonly rate: number;
  /** The same after the first fifth. */
  readonly warm: number;
  readonly cpuPerThousand: number;
  readonly rssMb: number;
}

async function measure(contender: Contender, startedAt: number | null, cpuBefore: number): Promise<Measure> {
  await untilAllReceived();
  const cpu = cpuMs(contender.pid) - cpuBefore;
  const rssMb = memoryMb(contender.pid, "VmHWM");
  const { count, firstAt, lastAt, marks } = await takeReport();
  await contender.stop();
  const skipped = Math.ceil(count / 50_000);
  const warmAt = marks[skipped - 1] ?? firstAt;
  return {
    rate: count / ((lastAt - (startedAt ?? firstAt)) / 1_000),
    warm: (count - skipped * 10_000) / ((lastAt - warmAt) / 1_000),
    cpuPerThousand: cpu / (count / 1_000),
    rssMb,
  };
}

async function measureBare(): Promise<Measure> {
  const env = {
    TARGET: `${receiverUrl}/hook`,
    SECRET: secret,
    CONCURRENCY: values.concurrency,
    JOBS: String(jobs),
    PAYLOAD: payload,
  };
  return measure(startContender([process.execPath, join(parts, "bare-fetch.ts")], env), null, 0);
}

async function measureHookline(executable: string): Promise<Measure> {
  const server = await startHookline(executable);
  await post(server, "pause", {});
  const job = { app_id: "app-1", app_key: "app-key", payload: JSON.parse(payload) as unknown };
  for (let done = 0; done < jobs; done += 1_000) {
    const size = Math.min(1_000, jobs - done);
    await post(
      server,
      "jobs",
      Array.from({ length: size }, () => job),
    );
  }
  const cpuBefore = cpuMs(server.pid);
  const startedAt = performance.timeOrigin + performance.now();
  await post(server, "resume", {});
  return measure(server, startedAt, cpuBefore);
}

/** What a server costs that has nothing to do, and how soon it is there. */
async function measureIdle(executable: string): Promise<void> {
  const starts: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    const server = await startHookline(executable);
    starts.push(server.startMs);
    await server.stop();
  }
  const server = await startHookline(executable);
  await pause(1_000);
  const seconds = Number(values.idle);
  const cpuBefore = cpuMs(server.pid);
  await pause(seconds * 1_000);
  const cpuPercent = (cpuMs(server.pid) - cpuBefore) / (seconds * 10);
  const rssMb = memoryMb(server.pid, "VmRSS");
  await server.stop();
  console.log(
    `${"idle".padEnd(18)} start to ready ${show(median(starts))} ms (best ${show(Math.min(...starts))}), ` +
      `RSS ${show(rssMb)} MB, CPU ${show(cpuPercent, 1)} %`,
  );
}

try {
  console.log(
    `${show(jobs)} deliveries of ${Buffer.byteLength(payload)} bytes, ${values.concurrency} in flight, ${rounds} rounds`,
  );
  const contenders = [
    { name: "bare fetch loop", run: measureBare, all: [] as Measure[] },
    ...executables.map((executable, index) => ({
      name: executables.length === 1 ? "hookline" : `hookline ${index + 1}`,
      run: () => measureHookline(executable),
      all: [] as Measure[],
    })),
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (const { run, all } of round % 2 === 0 ? contenders : contenders.toReversed()) all.push(await run());
  }
  const bare = contenders[0]?.all ?? [];
  for (const { name, all } of contenders) {
    const of = (key: keyof Measure): number => median(all.map((one) => one[key]));
    const ratios = (key: "rate" | "warm"): number[] =>
      all.map((one, round) => one[key] / (bare[round]?.[key] ?? Number.NaN));
    console.log(
      `${name.padEnd(18)} ${show(of("rate")).padStart(7)} deliveries/s, ratio ${show(median(ratios("rate")), 2)}` +
        ` (${ratios("rate")
          .map((ratio) => show(ratio, 2))
          .join(" ")});` +
        ` warm ${show(of("warm"))}, ratio ${show(median(ratios("warm")), 2)};` +
        ` CPU ${show(of("cpuPerThousand"), 1)} ms per 1,000; peak RSS ${show(of("rssMb"))} MB`,
    );
  }
  for (const executable of executables) await measureIdle(executable);
} finally {
  receiver.kill();
  rmSync(folder, { recursive: true, force: true });
}
