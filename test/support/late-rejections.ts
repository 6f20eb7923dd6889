/**
 * Preloaded by scripts/test: bun test ends with 0 when a promise rejects after the last test of a run.
 * The short wait at the end of each file lets such a rejection surface while it still counts.
 */
import { afterAll } from "bun:test";

afterAll(async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
});
