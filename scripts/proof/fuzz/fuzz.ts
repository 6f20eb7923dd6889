import { createRandom, seedFor } from "../random.ts";
import { fuzzTargets } from "./targets.ts";

/** One input that a reader did not stand. */
export interface FuzzFailure {
  readonly target: string;
  /** Repeats it: `--seed SEED --only N`. */
  readonly n: number;
  readonly what: string;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly FuzzFailure[];
  readonly slowestMs: number;
  readonly seconds: number;
}

/** No input may keep a reader busy for longer, on a machine that is busy too. */
const mostMs = 2_000;

/**
 * Tries so many inputs on everything that reads what comes from outside. The n-th input of a seed is always the same.
 *
 * @param only Tries the n-th alone.
 */
export async function fuzz(options: {
  readonly inputs: number;
  readonly seed: number;
  readonly only?: number;
}): Promise<FuzzResult> {
  const targets = await fuzzTargets();
  const line = targets.flatMap((target) => Array.from({ length: target.share }, () => target));
  const counts: Record<string, number> = {};
  const failures: FuzzFailure[] = [];
  const startedAt = performance.now();
  let slowestMs = 0;
  const [from, to] = options.only === undefined ? [0, options.inputs] : [options.only, options.only + 1];
  for (let n = from; n < to; n += 1) {
    const target = line[n % line.length];
    if (target === undefined) break;
    counts[target.name] = (counts[target.name] ?? 0) + 1;
    const beganAt = performance.now();
    let what: string | null;
    try {
      const tried = target.tryOne(createRandom(seedFor(options.seed, n)));
      what = typeof tried === "object" && tried !== null ? await tried : tried;
    } catch (error) {
      what = String(error instanceof Error ? (error.stack ?? error.message) : error);
    }
    const tookMs = performance.now() - beganAt;
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > mostMs) what ??= `it took ${Math.round(tookMs)} ms`;
    if (what !== null) failures.push({ target: target.name, n, what });
  }
  for (const target of targets) await target.close?.();
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { inputs: to - from, counts, failures, slowestMs: Math.round(slowestMs), seconds };
}

/** What came of it, in Markdown. */
export function fuzzReport(
  { inputs, counts, failures, slowestMs, seconds }: FuzzResult,
  seed: number,
): string {
  return [
    `- Verdict: **${failures.length === 0 ? "every input was read or refused" : `${failures.length} inputs were neither read nor refused`}**`,
    `- ${inputs} inputs in ${seconds} s, seed ${seed}; the slowest took ${slowestMs} ms`,
    `- ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")}`,
    ...failures.slice(0, 20).map(({ target, n, what }) => `- ${target}, --only ${n}: ${what}`),
  ].join("\n");
}
