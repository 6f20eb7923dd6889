/**
 * Measures what the history costs a delivery: hookline's executable on the memory driver with history off, in memory, and in
 * a file, in one run, in turns.
 *
 * usage: scripts/bench/history [--jobs=50000] [--warmup=20000] [--rounds=3] [--concurrency=64] [--executable=PATH]
 *
 * The first line is the one without a history: the ratios and the differences of the others are to it. At most 3 µs more
 * in memory and 8 µs more with a file are wanted (issue "Find it, send it again, be told", part 3), of the whole process.
 * Its memory stands beside. It measures, it does not judge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { executablePath } from "../build.ts";
import { contest, type Rival } from "./parts/contest.ts";
import { startBenchReceiver } from "./parts/receiver-client.ts";
import { hooklineOnMemory } from "./parts/rivals.ts";
import { createWorkload } from "./parts/workload.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "50000" },
    warmup: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "64" },
    executable: { type: "string", default: executablePath },
  },
});
const concurrency = Number(values.concurrency);
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const receiver = await startBenchReceiver();

const rival = (name: string, history: object): Rival =>
  hooklineOnMemory({ name, executable: values.executable, folder, concurrency, history });
/** A file of its own for each run: what an earlier one left is no load of this one. */
let files = 0;
const inFile: Rival = {
  ...rival("in a file", {}),
  prepare: (workload, jobs) =>
    rival("in a file", { path: join(folder, `history-${(files += 1)}.db`) }).prepare(workload, jobs),
};

try {
  await contest({
    title: "history",
    receiver,
    workload: createWorkload("plain", receiver.url),
    warmup: Number(values.warmup),
    jobs: Number(values.jobs),
    rounds: Number(values.rounds),
    rivals: [{ ...rival("off", { enabled: false }), isHookline: false }, rival("in memory", {}), inFile],
  });
} finally {
  receiver.stop();
  rmSync(folder, { recursive: true, force: true });
}
