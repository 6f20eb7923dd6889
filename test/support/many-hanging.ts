/**
 * A program of its own, for test/runtime.test.ts: sends 400 requests to a receiver that hangs, then one to a
 * healthy one, and prints what it saw as one JSON line.
 *
 * usage: many-hanging HANGING_URL HEALTHY_URL "an argument with spaces"
 */
import { fetchLimit, raiseFetchLimit } from "../../src/runtime.ts";

raiseFetchLimit(1024);

const isCompiled = process.argv[1]?.startsWith("/$bunfs/") === true;
const [hanging = "", healthy = "", last = ""] = process.argv.slice(2);
const controller = new AbortController();
const stuck = Array.from({ length: 400 }, () =>
  fetch(hanging, { method: "POST", body: "x", signal: controller.signal }).catch(() => undefined),
);
const answered = await Promise.race([
  fetch(healthy).then((response) => response.status),
  new Promise<null>((resolve) => setTimeout(resolve, 10_000, null)),
]);
process.stdout.write(
  `${JSON.stringify({ pid: process.pid, isCompiled, limit: fetchLimit(), answered, last })}\n`,
);
controller.abort();
await Promise.all(stuck);
process.exit(0);
