/**
 * Measures hookline's executable on the memory driver beside a bare fetch loop, in one run, in turns.
 *
 * usage: scripts/bench/memory [--jobs=50000] [--warmup=50000] [--rounds=3] [--concurrency=64] [--parts=plain,mixed]
 *                             [--executable=PATH]
 *
 * hookline is paused, given all jobs over HTTP, and resumed. What counts is the CPU of a delivery, all threads, after the
 * warm-up; rates stand beside. What an idle process costs is measured by scripts/bench/idle. It measures, it does not judge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { executablePath } from "../build.ts";
import { contest } from "./parts/contest.ts";
import { startBenchReceiver } from "./parts/receiver-client.ts";
import { bareLoop, hooklineOnMemory } from "./parts/rivals.ts";
import { createWorkload } from "./parts/workload.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "50000" },
    warmup: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "64" },
    parts: { type: "string", default: "plain,mixed" },
    executable: { type: "string", default: executablePath },
  },
});
const concurrency = Number(values.concurrency);
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const receiver = await startBenchReceiver();
try {
  const rivals = [
    bareLoop(receiver.url, concurrency),
    hooklineOnMemory({ name: "hookline", executable: values.executable, folder, concurrency }),
  ];
  for (const name of values.parts.split(",")) {
    if (name !== "plain" && name !== "mixed") throw new Error(`--parts: plain or mixed, not ${name}`);
    const share = name === "plain" ? 1 : 3;
    await contest({
      title: "from memory",
      receiver,
      workload: createWorkload(name, receiver.url),
      warmup: Math.ceil(Number(values.warmup) / share),
      jobs: Math.ceil(Number(values.jobs) / share),
      rounds: Number(values.rounds),
      rivals,
    });
  }
} finally {
  receiver.stop();
  rmSync(folder, { recursive: true, force: true });
}
