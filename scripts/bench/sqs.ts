/**
 * Messages per second from an instant SQS stub to a local receiver, each in a process of its own: sqs-consumer
 * on Bun and on Node, and hookline, at the same number of attempts in flight.
 *
 * usage: scripts/bench/sqs [--messages=40000] [--in-flight=60] [--only=hookline]
 *
 * Three runs each, the median shown. CPU is the consumer's own; the stub and the receiver share the machine, so
 * that the numbers compare consumers and are no capacity.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { executablePath } from "../build.ts";
import { cpuMs } from "./parts/contender.ts";
import { keepRow, show } from "./parts/figures.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "40000" },
    "in-flight": { type: "string", default: "60" },
    runs: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
const messages = Number(values.messages);
const inFlight = Number(values["in-flight"]);
const runs = Number(values.runs);

interface Result {
  readonly rate: number;
  /** Milliseconds of CPU per 1,000 messages. */
  readonly cpu: number;
  readonly requests: number;
}

interface StubStats {
  readonly left: number;
  readonly deleted: number;
  readonly requests: number;
}

const here = import.meta.dirname;
const directory = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const children: Bun.Subprocess[] = [];

function spawn(
  command: string[],
  env: Record<string, string> = {},
): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const child = Bun.spawn(command, {
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  children.push(child);
  return child;
}

/** The first line a child prints, as JSON. */
async function announced(child: Bun.Subprocess<"ignore", "pipe", "inherit">): Promise<{ endpoint: string }> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return JSON.parse(new TextDecoder().decode(value)) as { endpoint: string };
}

const stub = await announced(spawn([process.execPath, join(here, "sqs-stub.ts"), "0"]));
const receiver = await announced(spawn([process.execPath, join(here, "sqs-receiver.ts")]));

const stats = async (): Promise<StubStats> =>
  (await fetch(`${stub.endpoint}/stats`)).json() as Promise<StubStats>;
const put = (count: number): Promise<Response> =>
  fetch(`${stub.endpoint}/start`, { method: "POST", body: JSON.stringify({ messages: count }) });

/** Resolves when so many messages have been deleted. */
async function deleted(count: number): Promise<StubStats> {
  for (;;) {
    const now = await stats();
    if (now.deleted >= count) return now;
    await Bun.sleep(20);
  }
}

async function measure(
  command: string[],
  env: Record<string, string>,
  count: number = messages,
): Promise<Result> {
  await put(2_000);
  const child = spawn(command, env);
  // Warm: connections open, code compiled.
  await deleted(2_000);
  const cpu = cpuMs(child.pid);
  const started = performance.now();
  await put(count);
  const { requests } = await deleted(count);
  const seconds = (performance.now() - started) / 1_000;
  const used = cpuMs(child.pid) - cpu;
  child.kill("SIGKILL");
  await child.exited;
  return {
    rate: count / seconds,
    cpu: (used / count) * 1_000,
    requests: (requests / count) * 1_000,
  };
}

const configFile = join(directory, "hookline.json");
writeFileSync(
  configFile,
  JSON.stringify({
    server: { port: 0 },
    log: { level: "error" },
    queue: {
      driver: "sqs",
      queues: ["bench"],
      sqs: {
        endpoint_url: stub.endpoint,
        client_options: { accessKeyId: "bench", secretAccessKey: "bench" },
        concurrency: inFlight,
      },
    },
    apps: [
      {
        id: "app-1",
        key: "app-key",
        secret: "app-secret",
        webhooks: [{ url: receiver.endpoint, event_types: ["channel_occupied"] }],
      },
    ],
  }),
);

const consumerEnv = {
  ENDPOINT: stub.endpoint,
  RECEIVER: receiver.endpoint,
  CONSUMERS: String(Math.ceil(inFlight / 10)),
};
const subjects: Record<string, () => Promise<Result>> = {
  // The slow one gets a quarter: its rate is the same, and the bench ends in time.
  "sqs-consumer on Node": () => measure(["node", join(here, "sqs-consumer.mjs")], consumerEnv, messages / 4),
  "sqs-consumer on Bun": () => measure([process.execPath, join(here, "sqs-consumer.mjs")], consumerEnv),
  hookline: () => measure([executablePath, "serve", "--config", configFile], {}),
};

const medians = new Map<string, Result>();
try {
  console.log(`${messages} messages, ${inFlight} in flight, median of ${runs} runs`);
  for (const [name, run] of Object.entries(subjects)) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    const results: Result[] = [];
    for (let n = 0; n < runs; n += 1) results.push(await run());
    const median = results.sort((a, b) => a.rate - b.rate)[Math.floor(runs / 2)] as Result;
    medians.set(name, median);
    console.log(
      `${name.padEnd(22)} ${median.rate.toFixed(0).padStart(7)} messages/s  ${median.cpu.toFixed(0).padStart(5)} ms CPU and ${median.requests.toFixed(0).padStart(4)} SQS requests per 1,000`,
    );
  }
  const ours = medians.get("hookline");
  for (const [name, result] of medians) {
    if (ours !== undefined && result !== ours) {
      const share = ours.cpu / result.cpu;
      console.log(
        `hookline / ${name}: ${show(share, 2)} of the CPU, ${show(ours.rate / result.rate, 2)} times as fast`,
      );
      keepRow({
        what: `a message from SQS (an instant stub), beside ${name}`,
        hookline: `${show(ours.cpu)} µs CPU, ${show(ours.rate)}/s, ${show(ours.requests / 1_000, 2)} requests`,
        beside: `${name} ${show(result.cpu)} µs, ${show(result.rate)}/s, ${show(result.requests / 1_000, 2)} requests`,
        ratio: `${show(share, 2)} × the CPU`,
      });
    }
  }
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
}
