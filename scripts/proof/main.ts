/**
 * Tries the promises of hookline by accident, power and malice, and counts.
 *
 * usage: scripts/prove [--faults N] [--seed S] [--driver NAME] [--minutes M] [--verbose] [--list] [--logs FOLDER]
 *        scripts/prove --soak MINUTES [--driver NAME] [--jobs-per-second N]
 */
import { parseArgs } from "node:util";
import { keepLogsIn } from "./logs.ts";
import { planFaults } from "./plan.ts";
import { createRandom, seedFor } from "./random.ts";
import { reportOf } from "./report.ts";
import { tryWorld } from "./run.ts";
import { soak } from "./soak.ts";
import type { RunResult } from "./run.ts";
import { worlds } from "./worlds/all.ts";

// Whatever ends it, no process that it started is left behind: they end with `exit`.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "200" },
    seed: { type: "string" },
    driver: { type: "string" },
    minutes: { type: "string", default: "60" },
    soak: { type: "string" },
    "jobs-per-second": { type: "string", default: "2000" },
    "every-ms": { type: "string", default: "250" },
    list: { type: "boolean", default: false },
    logs: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});

if (values.logs !== undefined) keepLogsIn(values.logs);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const chosen = worlds.filter(
  ({ name }) => name === (values.driver ?? (values.soak === undefined ? name : "redis")),
);
if (chosen.length === 0) {
  console.error(`--driver must be one of ${worlds.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const soakMs = values.soak === undefined ? null : Number(values.soak) * 60_000;
const untilMs = soakMs ?? Number(values.minutes) * 60_000;
// A soak lives through a fault in half a minute.
const everyMs = soakMs === null ? Number(values["every-ms"]) : 30_000;
const wanted =
  soakMs === null ? Number(values.faults) : chosen.length * Math.max(1, Math.round(soakMs / everyMs));
const onLine = (line: string): void => {
  if (values.verbose) console.error(line);
};

const faultsOf = (index: number): number => Math.floor((wanted + index) / chosen.length);
const runs = chosen.map(async ({ name, create }, index): Promise<RunResult | null> => {
  const [faults, ownSeed] = [
    faultsOf(index),
    seedFor(
      seed,
      worlds.findIndex((world) => world.name === name),
    ),
  ];
  const world = await create(createRandom(ownSeed));
  try {
    if (values.list) {
      const plan = planFaults(world.kinds, { faults, seed: ownSeed, everyMs });
      for (const planned of plan) console.log(JSON.stringify({ world: name, ...planned }));
      return null;
    }
    console.error(`==> ${name}: ${faults} faults`);
    const run = {
      faults,
      seed: ownSeed,
      everyMs,
      untilMs,
      onLine: (line: string) => onLine(`${name}  ${line}`),
    };
    return soakMs === null
      ? await tryWorld(world, run)
      : await soak(world, { ...run, jobsPerSecond: Number(values["jobs-per-second"]) });
  } finally {
    await world.close();
  }
});
const results = (await Promise.all(runs)).filter((result) => result !== null);
if (!values.list) console.log(reportOf(results, { seed, options: process.argv.slice(2) }));
process.exit(results.every(({ claims }) => claims.every(({ holds }) => holds)) ? 0 : 1);
