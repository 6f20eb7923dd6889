import type { FaultKind, PlannedFault } from "./fault.ts";
import { createRandom, seedFor } from "./random.ts";

/** What of a kind the plan depends on. */
export type PlannedKind = Pick<FaultKind, "name" | "targets" | "forMs">;

/**
 * The list of faults: the same for the same kinds, seed and number.
 *
 * Every kind comes once before any comes again, in an order drawn anew for each round, so that a short run meets many.
 *
 * @param everyMs The mean time from one fault's beginning to the next one's.
 */
export function planFaults(
  kinds: readonly PlannedKind[],
  options: { readonly faults: number; readonly seed: number; readonly everyMs: number },
): PlannedFault[] {
  const random = createRandom(options.seed);
  const planned: PlannedFault[] = [];
  let round: PlannedKind[] = [];
  let atMs = 0;
  for (let n = 0; n < options.faults; n += 1) {
    if (round.length === 0) round = [...kinds];
    const [kind] = round.splice(random.whole(0, round.length - 1), 1);
    if (kind === undefined) throw new Error("there is no kind of fault to plan with");
    atMs += random.next() * 2 * options.everyMs;
    planned.push({
      n,
      atMs: Math.round(atMs),
      kind: kind.name,
      target: random.whole(0, kind.targets.length - 1),
      forMs: random.whole(...kind.forMs),
      seed: seedFor(options.seed, n),
    });
  }
  return planned;
}
