/**
 * Compares two executables: the same deliveries in turns, beside a bare fetch loop.
 *
 * usage: scripts/bench/compare OLD NEW [--driver=memory|redis|both] [--parts=plain,mixed] [--jobs=50000] [--warmup=50000]
 *                              [--rounds=3] [--concurrency=64]
 *
 * CPU per delivery is what to compare: it moves less with what else the machine does than a rate. It measures, it does not
 * judge.
 */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBenchRedis } from "./parts/bench-redis.ts";
import { contest } from "./parts/contest.ts";
import { startBenchReceiver } from "./parts/receiver-client.ts";
import { bareLoop, hooklineOnMemory, hooklineOnRedis } from "./parts/rivals.ts";
import { createWorkload } from "./parts/workload.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    driver: { type: "string", default: "both" },
    parts: { type: "string", default: "plain" },
    jobs: { type: "string", default: "50000" },
    warmup: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "64" },
  },
});
const [older, newer] = positionals;
if (older === undefined || newer === undefined || positionals.length > 2) {
  console.error("usage: scripts/bench/compare OLD NEW (two executables; see compare.ts for the options)");
  process.exit(2);
}
for (const path of [older, newer]) accessSync(path, constants.X_OK);
if (!["memory", "redis", "both"].includes(values.driver)) throw new Error("--driver: memory, redis or both");

const concurrency = Number(values.concurrency);
const folder = mkdtempSync(join(tmpdir(), "hookline-bench-"));
const receiver = await startBenchReceiver();
const named = (name: string, executable: string) => ({ name, executable, folder, concurrency });
const both = [named("OLD", older), named("NEW", newer)];
const bare = bareLoop(receiver.url, concurrency);

for (const driver of values.driver === "both" ? ["memory", "redis"] : [values.driver]) {
  const redis = driver === "redis" ? await startBenchRedis() : null;
  try {
    const rivals = both.map((one) =>
      redis === null
        ? hooklineOnMemory(one)
        : hooklineOnRedis({ ...one, redis: redis.client, redisUrl: redis.url }),
    );
    for (const name of values.parts.split(",")) {
      if (name !== "plain" && name !== "mixed") throw new Error(`--parts: plain or mixed, not ${name}`);
      const share = name === "plain" ? 1 : 3;
      await contest({
        title: redis === null ? "from memory" : "from Redis",
        receiver,
        workload: createWorkload(name, receiver.url),
        warmup: Math.ceil(Number(values.warmup) / share),
        jobs: Math.ceil(Number(values.jobs) / share),
        rounds: Number(values.rounds),
        rivals: [bare, ...rivals],
        ...(redis === null ? {} : { backendPid: redis.pid }),
      });
    }
  } finally {
    await redis?.stop();
  }
}
receiver.stop();
rmSync(folder, { recursive: true, force: true });
