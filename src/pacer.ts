import { endOfTick } from "./wait.ts";

/** The longest that one request keeps the others waiting, in ms. */
const turnMs = 10;

/**
 * A function to be awaited between the parts of a long piece of work: once 10 ms have passed it lets the event
 * loop serve others, health probes among them. Costs next to nothing before.
 */
export function createPacer(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < turnMs) return;
    await endOfTick();
    since = performance.now();
  };
}
