/**
 * Runs every benchmark, one after the other, and makes one Markdown table of what they measured.
 *
 * usage: scripts/bench/all [--write=FILE] [--only=memory,redis,enqueue,sqs,lanes,file,apps,idle] [--quick]
 *
 * The table goes to stdout; with --write into the file, between the lines `<!-- bench:begin -->` and `<!-- bench:end -->`.
 * --quick takes fewer jobs and one round: to see that all run, not to quote. About half an hour without it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../../src/version.ts";
import { markdownTable, type Row } from "./parts/figures.ts";

const { values } = parseArgs({
  options: {
    write: { type: "string" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});

/** Each benchmark with what it takes in the long and in the quick run. */
const benches: Readonly<
  Record<string, { readonly long: readonly string[]; readonly quick: readonly string[] }>
> = {
  redis: { long: ["--million"], quick: ["--jobs=5000", "--warmup=5000", "--rounds=1", "--seconds=2"] },
  memory: { long: [], quick: ["--jobs=5000", "--warmup=5000", "--rounds=1"] },
  enqueue: { long: [], quick: ["--requests=5000", "--warmup=2000", "--rounds=1"] },
  sqs: { long: [], quick: ["--messages=4000", "--runs=1"] },
  file: { long: [], quick: ["--jobs=5000", "--rounds=1", "--waiting=20000"] },
  lanes: { long: [], quick: ["--seconds=5", "--backlog=20000"] },
  apps: { long: [], quick: ["--apps=500"] },
  idle: { long: [], quick: ["--first=3", "--seconds=3", "--starts=3"] },
};

const names = values.only?.split(",") ?? Object.keys(benches);
for (const name of names) {
  if (benches[name] === undefined) {
    console.error(`--only: ${name} is none of ${Object.keys(benches).join(", ")}`);
    process.exit(2);
  }
}

const folder = mkdtempSync(join(tmpdir(), "hookline-bench-all-"));
const rowsFile = join(folder, "rows");
writeFileSync(rowsFile, "");
const failed: string[] = [];
try {
  for (const name of names) {
    console.error(`==> ${name}`);
    const options = benches[name]?.[values.quick ? "quick" : "long"] ?? [];
    const bench = Bun.spawn([join(import.meta.dir, name), ...options], {
      env: { ...process.env, HOOKLINE_BENCH_ROWS: rowsFile },
      stdout: Bun.file("/dev/stderr"),
      stderr: "inherit",
    });
    if ((await bench.exited) !== 0) failed.push(name);
  }
  const rows = readFileSync(rowsFile, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
  const processor = cpus()[0]?.model.trim() ?? "unknown processor";
  const load = loadavg()[0] ?? 0;
  const about = `hookline ${version}, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${processor}), load at the end ${load.toFixed(1)}${values.quick ? ", a quick run: not to be quoted" : ""}`;
  const table = `${about}\n\n${markdownTable(rows)}`;
  if (values.write === undefined) console.log(table);
  else writeBetween(values.write, table);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}

/** Puts the text between the two marks of a page. */
function writeBetween(path: string, text: string): void {
  const [begin, end] = ["<!-- bench:begin -->", "<!-- bench:end -->"];
  const page = readFileSync(path, "utf8");
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to < from) throw new Error(`${path}: the lines ${begin} and ${end} are missing`);
  writeFileSync(path, `${page.slice(0, from + begin.length)}\n\n${text}\n${page.slice(to)}`);
}
