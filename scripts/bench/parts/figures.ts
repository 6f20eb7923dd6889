import { appendFileSync } from "node:fs";

/** The middle one; of an even count the upper of the two in the middle. */
export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** @param share 0.99 for the 99th percentile. */
export const percentile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ??
  Number.NaN;

export const show = (value: number, digits = 0): string =>
  Number.isFinite(value)
    ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : "–";

/** One line of the table that scripts/bench/all makes. */
export interface Row {
  /** What was measured, for a reader who has not seen the benchmark. */
  readonly what: string;
  readonly hookline: string;
  /** The same of what it stands beside in the same run; "" where it stands alone. */
  readonly beside: string;
  /** hookline's share of that, or what it is bounded by; "" where there is none. */
  readonly ratio: string;
}

/** Keeps a line for scripts/bench/all, which names the file; does nothing in a run of its own. */
export function keepRow(row: Row): void {
  const file = process.env["HOOKLINE_BENCH_ROWS"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/** A table in Markdown. */
export function markdownTable(rows: readonly Row[]): string {
  const cells = [
    ["", "hookline", "beside it", "ratio"],
    ["---", "---", "---", "---"],
    ...rows.map(({ what, hookline, beside, ratio }) => [what, hookline, beside, ratio]),
  ];
  return cells.map((line) => `| ${line.join(" | ")} |\n`).join("");
}
