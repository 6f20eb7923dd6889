import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import type { RunResult } from "./run.ts";

/** What came of all worlds, as Markdown. It names no host, no path and no address. */
export function reportOf(
  results: readonly RunResult[],
  run: { readonly seed: number; readonly options: readonly string[] },
): string {
  const faults = results.reduce((sum, { past }) => sum + past.length, 0);
  const holds = results.every(({ claims }) => claims.every((claim) => claim.holds));
  const lines = [
    `- Verdict: **${holds ? "everything held" : "SOMETHING DID NOT HOLD"}** over ${faults} faults`,
    `- Date: ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `- Machine: ${machine()}`,
    `- Seed: ${run.seed}`,
    `- Repeat it: \`scripts/prove ${withSeed(run.options, run.seed).join(" ")}\``,
    "",
  ];
  for (const result of results) lines.push(...worldLines(result));
  return lines.join("\n");
}

function withSeed(options: readonly string[], seed: number): string[] {
  return options.some((option) => option.startsWith("--seed"))
    ? [...options]
    : [...options, `--seed ${seed}`];
}

function machine(): string {
  const all = cpus();
  const gb = Math.round(
    Number(/MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1024 / 1024,
  );
  return `${all.length} cores (${all[0]?.model ?? "unknown"}), ${gb} GB, ${process.platform} ${process.arch}`;
}

function worldLines({ world, past, claims, jobs, attempts, doors, reasons, seconds }: RunResult): string[] {
  const kinds = new Map<string, number>();
  for (const { kind } of past) kinds.set(kind.name, (kinds.get(kind.name) ?? 0) + 1);
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "none";
  return [
    `### ${world}: ${past.length} faults in ${seconds} s`,
    "",
    `${jobs} jobs (${list(doors)}), ${attempts} attempts. Dead letters: ${list(reasons)}.`,
    "",
    ...claims.map(
      ({ name, holds, detail }) => `- ${holds ? "holds" : "**does not hold**"}: ${name}: ${detail}`,
    ),
    "",
    `Faults: ${[...kinds]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name} ${count}`)
      .join(" · ")}`,
    "",
  ];
}
