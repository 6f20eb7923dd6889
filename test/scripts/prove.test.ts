import { expect, test } from "bun:test";
import type { PlannedKind } from "../../scripts/proof/plan.ts";
import { planFaults } from "../../scripts/proof/plan.ts";
import { fuzz } from "../../scripts/proof/fuzz/fuzz.ts";

const kinds: PlannedKind[] = ["a", "b", "c"].map((name, index) => ({
  name,
  targets: ["one", "two"],
  forMs: [index, 500],
}));

test("the same seed and number give the same faults at the same offsets; another seed does not", () => {
  const plan = planFaults(kinds, { faults: 500, seed: 7, everyMs: 100 });
  expect(planFaults(kinds, { faults: 500, seed: 7, everyMs: 100 })).toEqual(plan);
  expect(planFaults(kinds, { faults: 100, seed: 7, everyMs: 100 })).toEqual(plan.slice(0, 100));
  expect(planFaults(kinds, { faults: 500, seed: 8, everyMs: 100 })).not.toEqual(plan);
  // Every kind comes as often as any other.
  const counts = kinds.map(({ name }) => plan.filter(({ kind }) => kind === name).length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});

test("20,000 mutated inputs are read or refused", async () => {
  const result = await fuzz({ inputs: 20_000, seed: 16 });
  expect(result.failures).toEqual([]);
  // Each reader had its share.
  expect(Object.keys(result.counts)).toHaveLength(9);
}, 240_000);
