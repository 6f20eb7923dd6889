/**
 * Mutated inputs for everything that reads what comes from outside.
 *
 * usage: scripts/prove fuzz [--inputs N] [--seed S] [--only N]
 */
import { parseArgs } from "node:util";
import { fuzz, fuzzReport } from "./fuzz.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string" },
    only: { type: "string" },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const only = values.only === undefined ? {} : { only: Number(values.only) };
const result = await fuzz({ inputs: Number(values.inputs), seed, ...only });
console.log(fuzzReport(result, seed));
process.exit(result.failures.length === 0 ? 0 : 1);
