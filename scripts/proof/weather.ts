import type { FaultKind, PastFault, PlannedFault } from "./fault.ts";
import { createRandom } from "./random.ts";

export const now = (): number => performance.timeOrigin + performance.now();
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Lets every planned fault happen, each at its time or when the fault before it on the same target has ended, and
 * resolves with all of them when the last has ended.
 *
 * @param untilMs No fault begins later than this after the start.
 */
export async function letLoose(
  plan: readonly PlannedFault[],
  kinds: readonly FaultKind[],
  options: { readonly untilMs: number; readonly onFault: (line: string) => void },
): Promise<PastFault[]> {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  const lastOn = new Map<string, Promise<void>>();
  const past: PastFault[] = [];
  const running: Promise<void>[] = [];
  const startedAt = now();
  for (const planned of plan) {
    const kind = byName.get(planned.kind);
    if (kind === undefined) throw new Error(`no kind of fault is named ${planned.kind}`);
    const wait = startedAt + planned.atMs - now();
    if (wait > 0) await pause(wait);
    const target = kind.targets[planned.target] ?? "";
    const one = (lastOn.get(target) ?? Promise.resolve()).then(async () => {
      if (now() - startedAt > options.untilMs) return;
      const beganAt = now();
      options.onFault(`${Math.round(beganAt - startedAt)} ms  ${planned.n}  ${kind.name}  ${target}`);
      const end = await kind.begin(planned.target, createRandom(planned.seed));
      await pause(planned.forMs);
      await end();
      past.push({ planned, kind, beganAt, endedAt: now() });
    });
    lastOn.set(target, one);
    running.push(one);
    // It is awaited below; until then its failure is nobody's.
    one.catch(() => undefined);
  }
  await Promise.all(running);
  return past.sort((a, b) => a.planned.n - b.planned.n);
}
