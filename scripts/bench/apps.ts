/**
 * Measures hookline's executable with thousands of apps in its file beside one with a single app, in one run, in turns.
 *
 * usage: scripts/bench/apps [--apps=10000] [--rounds=5] [--shape=full|plain] [--events=4000] [--executable=PATH]
 *
 * Each round starts both, the order alternating. `ready` is from the spawn to the first 200 of /health/ready, beside the
 * CPU time until then. RSS is the process' own, when it is ready and again after five seconds. A page of GET /v1/endpoints
 * is measured with the default limit and the largest, from the first entry on and from the middle. The cost of an event
 * is CPU time of POST /v1/apps/{id}/events with an event that no webhook wants, at log.level debug: it is read, routed,
 * and written to the log, masked. The mask by itself is measured in this process, on the same file and a line of that
 * log. Figures are medians; it measures, it does not judge.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.ts";
import { createMask } from "../../src/secrets/mask.ts";
import { executablePath } from "../build.ts";
import { fileOfApps, type Shape } from "./apps-parts/file.ts";
import { cpuMs, memoryMb, pause, startContender, type Contender } from "./parts/contender.ts";
import { keepRow, median, show } from "./parts/figures.ts";

const { values } = parseArgs({
  options: {
    apps: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    shape: { type: "string", default: "full" },
    events: { type: "string", default: "4000" },
    executable: { type: "string", default: executablePath },
  },
});
const rounds = Number(values.rounds);
const events = Number(values.events);
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const sizes = [1, Number(values.apps)] as const;
const token = "bench-token-of-32-characters-xxx";

let port = 19_640 + (process.pid % 2_000);
function writeFileOf(apps: number): { file: string; url: string } {
  port += 1;
  const file = join(folder, `${port}.json`);
  const more = { server: { port, token }, log: { level: "debug" } };
  writeFileSync(file, fileOfApps(apps, values.shape as Shape, more));
  return { file, url: `http://127.0.0.1:${port}` };
}

interface Figures {
  readonly readyMs: number;
  readonly readyCpuMs: number;
  readonly rssMb: number;
  readonly rssLaterMb: number;
  readonly peakMb: number;
  readonly pageMs: number;
  readonly largePageMs: number;
  readonly latePageMs: number;
  readonly eventCpuUs: number;
}

const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

async function pageMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    const before = performance.now();
    const answer = await fetch(url, { headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
    times.push(performance.now() - before);
  }
  return median(times);
}

/** A cursor that leads to about the middle. */
async function middleCursor(url: string, apps: number): Promise<string | null> {
  let cursor: string | null = null;
  for (let at = 0; at < (apps * 3) / 2; at += 1_000) {
    const answer = await fetch(
      `${url}/v1/endpoints?limit=1000${cursor === null ? "" : `&cursor=${cursor}`}`,
      {
        headers,
      },
    );
    const next: string | null = ((await answer.json()) as { cursor: string | null }).cursor;
    if (next === null) break;
    cursor = encodeURIComponent(next);
  }
  return cursor;
}

async function eventCpuUs(url: string, contender: Contender, apps: number): Promise<number> {
  const body = JSON.stringify({ events: [{ name: "nobody_wants_this", channel: "presence-lobby" }] });
  const post = async (count: number): Promise<void> => {
    let sent = 0;
    const sender = async (): Promise<void> => {
      while (sent < count) {
        sent += 1;
        const path = `${url}/v1/apps/app-${(sent * 7) % apps}/events`;
        const answer = await fetch(path, { method: "POST", headers, body });
        await answer.text();
        if (answer.status !== 202) throw new Error(`${path}: ${answer.status}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, sender));
  };
  await post(events);
  const before = cpuMs(contender.pid);
  await post(events);
  return ((cpuMs(contender.pid) - before) * 1_000) / events;
}

async function measure(apps: number): Promise<Figures> {
  const { file, url } = writeFileOf(apps);
  const startedAt = performance.now();
  const contender = startContender([values.executable, "serve", "--config", file], {});
  try {
    while (
      !(await fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      await pause(5);
    const readyMs = performance.now() - startedAt;
    const readyCpuMs = cpuMs(contender.pid);
    const rssMb = memoryMb(contender.pid, "VmRSS");
    await pause(5_000);
    const rssLaterMb = memoryMb(contender.pid, "VmRSS");
    const peakMb = memoryMb(contender.pid, "VmHWM");
    const cursor = await middleCursor(url, apps);
    return {
      readyMs,
      readyCpuMs,
      rssMb,
      rssLaterMb,
      peakMb,
      pageMs: await pageMs(`${url}/v1/endpoints`),
      largePageMs: await pageMs(`${url}/v1/endpoints?limit=1000`),
      latePageMs: await pageMs(`${url}/v1/endpoints${cursor === null ? "" : `?cursor=${cursor}`}`),
      eventCpuUs: await eventCpuUs(url, contender, apps),
    };
  } finally {
    await contender.stop();
  }
}

async function maskUs(apps: number): Promise<number> {
  const { file } = writeFileOf(apps);
  const { config } = await loadConfig({ args: { config: file, sets: [], queues: [] }, env: {}, cwd: folder });
  const { mask } = createMask(config, { isName: () => false, isShown: () => false });
  const line = `{"time":"2026-11-30T10:00:00.000Z","level":"info","msg":"delivered","queue":"webhooks","job_id":"6f1c2f0e-5f0b-4a53-9d1a-5a1b6a0f3c77","endpoint":"app-77/orders","attempt":1,"outcome":"delivered","status":200,"duration_ms":12,"note":"Bearer whsec_ https://hooks-77.example.com/services/"}`;
  const times: number[] = [];
  for (let turn = 0; turn < 30; turn += 1) {
    const before = performance.now();
    for (let index = 0; index < 500; index += 1) mask(line);
    times.push(((performance.now() - before) * 1_000) / 500);
  }
  return median(times.slice(10));
}

console.log(
  `${values.executable}, ${sizes[1]} apps with three webhooks each (${values.shape}), load ${show(loadavg()[0] ?? 0, 1)}`,
);
const found = new Map<number, Figures[]>(sizes.map((size) => [size, []]));
try {
  for (let round = 0; round < rounds; round += 1) {
    for (const size of round % 2 === 0 ? sizes : sizes.toReversed())
      found.get(size)?.push(await measure(size));
  }
  const rows: [name: string, pick: (figures: Figures) => number, digits: number][] = [
    ["ready, ms", (f) => f.readyMs, 0],
    ["CPU until ready, ms", (f) => f.readyCpuMs, 0],
    ["RSS when ready, MB", (f) => f.rssMb, 1],
    ["RSS 5 s later, MB", (f) => f.rssLaterMb, 1],
    ["largest RSS until then, MB", (f) => f.peakMb, 1],
    ["page of 50 endpoints, ms", (f) => f.pageMs, 1],
    ["page of 1,000 endpoints, ms", (f) => f.largePageMs, 1],
    ["page of 50 from the middle, ms", (f) => f.latePageMs, 1],
    ["CPU per event, µs", (f) => f.eventCpuUs, 1],
  ];
  const cell = (text: string, width = 12): string => text.padStart(width);
  console.log(`${"".padEnd(32)}${cell("1 app")}${cell(`${sizes[1]} apps`)}${cell("more")}`);
  for (const [name, pick, digits] of rows) {
    const [one = 0, many = 0] = sizes.map((size) => median((found.get(size) ?? []).map(pick)));
    console.log(
      `${name.padEnd(32)}${cell(show(one, digits))}${cell(show(many, digits))}${cell(show(many - one, digits))}`,
    );
  }
  const [one, many] = [await maskUs(1), await maskUs(sizes[1])];
  const of = (size: number, pick: (figures: Figures) => number): number =>
    median((found.get(size) ?? []).map(pick));
  const large = sizes[1];
  keepRow({
    what: `${show(large)} apps with three webhooks each in the file`,
    hookline: `ready after ${show(of(large, (f) => f.readyMs))} ms, ${show(of(large, (f) => f.rssMb))} MB, mask of a log line ${show(many, 1)} µs`,
    beside: `one app: ${show(of(1, (f) => f.readyMs))} ms, ${show(of(1, (f) => f.rssMb))} MB, ${show(one, 1)} µs`,
    ratio: "",
  });
  console.log(
    `${"mask of a log line, µs".padEnd(32)}${cell(show(one, 1))}${cell(show(many, 1))}${cell(show(many - one, 1))}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
