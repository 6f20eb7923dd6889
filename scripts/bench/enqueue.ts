/**
 * Measures enqueues over HTTP on Redis beside a bare Hono app that makes one RPUSH a request, in one run, in turns.
 *
 * usage: scripts/bench/enqueue [--requests=50000] [--warmup=20000] [--rounds=3] [--connections=64] [--executable=PATH]
 *
 * Jobs one by one (POST /v1/queues/webhooks/jobs), events of an app (POST /v1/apps/app-0/events) and batches of 100. Rates
 * and CPU are of the requests after the warm-up. It measures, it does not judge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { executablePath } from "../build.ts";
import { startBenchRedis } from "./parts/bench-redis.ts";
import { type Contender, cpuMs, freePort, pause, startContender } from "./parts/contender.ts";
import { keepRow, median, show } from "./parts/figures.ts";
import { startHookline } from "./parts/hookline.ts";
import { appId, appKey, createWorkload, plainPayload } from "./parts/workload.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "50000" },
    warmup: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "64" },
    executable: { type: "string", default: executablePath },
  },
});
const parts = join(import.meta.dir, "parts");
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const redis = await startBenchRedis();

const job = `{"app_id":"${appId(0)}","app_key":"${appKey(0)}","payload":${plainPayload()}}`;
const batch = `[${Array.from({ length: 100 }, () => job).join(",")}]`;
const event = `{"events":[{"name":"client_event","channel":"presence-room-4711","event":"client-message","socket_id":"1234.5678","data":"The quick brown fox jumps over the lazy dog, again and again."}]}`;
const kinds = [
  { name: "jobs one by one", path: "/v1/queues/webhooks/jobs", body: job, share: 1, jobs: 1 },
  { name: "events of an app", path: `/v1/apps/${appId(0)}/events`, body: event, share: 1, jobs: 1 },
  { name: "batches of 100", path: "/v1/queues/webhooks/jobs", body: batch, share: 50, jobs: 100 },
];

interface Edge extends Contender {
  readonly port: string;
}
async function startHooklineEdge(): Promise<Edge> {
  const server = await startHookline(values.executable, folder, {
    queue: { driver: "redis", consume: false, redis: { url_override: redis.url } },
    // Nothing is delivered: the address is only there to be configured.
    apps: createWorkload("plain", "http://127.0.0.1:9").apps,
  });
  return { ...server, port: new URL(server.url).port };
}
async function startBareEdge(): Promise<Edge> {
  const port = String(await freePort());
  const command = [process.execPath, join(parts, "bare-edge.ts")];
  const edge = startContender(command, { PORT: port, REDIS_PORT: String(redis.port) });
  const end = performance.now() + 10_000;
  while (
    !(await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > end) throw new Error("the bare edge does not start");
    await pause(10);
  }
  return { ...edge, port };
}

/** Sends so many requests; resolves to the seconds it took. */
async function send(port: string, path: string, body: string, requests: number): Promise<number> {
  const request = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const poster = Bun.spawn([process.execPath, join(parts, "poster.ts")], {
    env: { PORT: port, REQUEST: request, REQUESTS: String(requests), CONNECTIONS: values.connections },
    stdout: "pipe",
    stderr: "inherit",
  });
  const seconds = Number(await new Response(poster.stdout).text());
  if ((await poster.exited) !== 0) throw new Error("the poster failed");
  return seconds;
}

interface Figures {
  readonly rate: number;
  readonly cpuUs: number;
}
async function measure(
  start: () => Promise<Edge>,
  { path, body, share }: (typeof kinds)[number],
): Promise<Figures> {
  await redis.client.flushall();
  const edge = await start();
  try {
    return await measureAt(edge, { path, body, share });
  } finally {
    await edge.stop();
  }
}

async function measureAt(
  edge: Edge,
  { path, body, share }: Pick<(typeof kinds)[number], "path" | "body" | "share">,
): Promise<Figures> {
  const requests = Math.ceil(Number(values.requests) / share);
  await send(edge.port, path, body, Math.ceil(Number(values.warmup) / share));
  const before = cpuMs(edge.pid);
  const seconds = await send(edge.port, path, body, requests);
  const cpuUs = ((cpuMs(edge.pid) - before) * 1_000) / requests;
  return { rate: requests / seconds, cpuUs };
}

try {
  for (const kind of kinds) {
    const bare: Figures[] = [];
    const ours: Figures[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      bare.push(await measure(startBareEdge, kind));
      ours.push(await measure(startHooklineEdge, kind));
    }
    const of = (runs: readonly Figures[], key: keyof Figures): number => median(runs.map((run) => run[key]));
    const ratio = median(ours.map(({ rate }, round) => rate / (bare[round]?.rate ?? Number.NaN)));
    const jobRate = of(ours, "rate") * kind.jobs;
    console.log(
      `${kind.name.padEnd(18)} hookline ${show(of(ours, "rate"))} requests/s (${show(jobRate)} jobs/s), ${show(of(ours, "cpuUs"), 1)} µs CPU a request; ` +
        `bare edge ${show(of(bare, "rate"))}/s, ${show(of(bare, "cpuUs"), 1)} µs; ratio of the rates ${show(ratio, 2)}`,
    );
    keepRow({
      what: `enqueue over HTTP into Redis, ${kind.name}`,
      hookline: `${show(jobRate)} jobs/s, ${show(of(ours, "cpuUs") / kind.jobs, 1)} µs CPU a job`,
      beside: `bare Hono + RPUSH ${show(of(bare, "rate"))} requests/s, ${show(of(bare, "cpuUs"), 1)} µs`,
      ratio: kind.jobs === 1 ? `${show(ratio, 2)} of the rate` : "",
    });
  }
} finally {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
