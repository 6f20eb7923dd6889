/**
 * Measures a driver alone: enqueue, lease and settle, without delivery.
 *
 * usage: bun scripts/bench/driver.ts [--driver=memory] [--jobs=500000] [--batch=64] [--bytes=300]
 * The driver's connection is configured as for `hookline serve`, by the defaults of the configuration.
 */
import { parseArgs } from "node:util";
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { silentLogger } from "../../src/log.ts";
import type { Disposition, Lease, NewJob } from "../../src/queue/driver.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createDriver } from "../../src/queue/create-driver.ts";
import { retryBounds } from "../../src/queue/retry-bounds.ts";

const { values } = parseArgs({
  options: {
    driver: { type: "string", default: "memory" },
    jobs: { type: "string", default: "500000" },
    batch: { type: "string", default: "64" },
    bytes: { type: "string", default: "300" },
  },
});
const total = Number(values.jobs);
const batch = Number(values.batch);
const queue = "bench";

const config = v.parse(configSchema, {
  queue: { driver: values.driver, queues: [queue], memory: { capacity: total * 2, when_full: "reject" } },
});
const driver = await createDriver(config, {
  clock: systemClock,
  log: silentLogger,
  events: { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined },
  retries: retryBounds(createDirectory(config).retries),
});
const { signal } = new AbortController();
await driver.open(signal);

const filler = "x".repeat(Math.max(0, Number(values.bytes) - 20));
function newJob(index: number, isDeduplicated: boolean): NewJob {
  const id = `job-${index}`;
  return {
    id,
    body: `{"n":${index},"x":"${filler}"}`,
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: { appId: "app-1", channel: "channel-1", event: "channel_occupied" },
    dedup: isDeduplicated ? { key: id, fingerprint: `print-${index}` } : null,
  };
}

async function measure(label: string, count: number, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round(count / seconds).toLocaleString("en");
  const perJob = ((user + system) / count).toFixed(2);
  console.log(`${label.padEnd(44)} ${rate.padStart(12)} jobs/s  ${perJob.padStart(7)} µs CPU a job`);
}

async function enqueueAll(size: number, isDeduplicated: boolean): Promise<void> {
  for (let index = 0; index < total; index += size) {
    const count = Math.min(size, total - index);
    const results = await driver.enqueue(
      queue,
      Array.from({ length: count }, (_, offset) => newJob(index + offset, isDeduplicated)),
    );
    const wrong = results.find(({ status }) => status !== "enqueued");
    if (wrong !== undefined) throw new Error(`enqueue answered ${JSON.stringify(wrong)}`);
  }
}

function lease(): Promise<Lease[]> {
  return driver.lease(queue, {
    max: batch,
    leaseMs: 30_000,
    waitMs: 1_000,
    closedKeys: new Set(),
    parkedMax: batch,
    signal,
  });
}

async function settleAll(disposition: Disposition): Promise<void> {
  for (let done = 0; done < total;) {
    const leases = await lease();
    const results = await driver.settle(leases.map((held) => ({ ...disposition, lease: held })));
    if (leases.length === 0 || results.some(({ status }) => status !== "settled")) {
      throw new Error(`${done} of ${total} jobs were settled, then one was not`);
    }
    done += leases.length;
  }
}

/** One job at a time goes in while a lease call waits: what a wake-up costs. */
async function wakeEach(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const waiting = lease();
    await driver.enqueue(queue, [newJob(index, false)]);
    await driver.settle((await waiting).map((held) => ({ verb: "ack", lease: held })));
  }
}

console.log(
  `driver ${driver.name}: ${total.toLocaleString("en")} jobs of ${values.bytes} bytes, batches of ${batch}`,
);
Bun.gc(true);
const before = process.memoryUsage.rss();
await measure(`enqueue, batches of ${batch}`, total, () => enqueueAll(batch, false));
Bun.gc(true);
const held = process.memoryUsage.rss() - before;
console.log(`memory for ${total.toLocaleString("en")} waiting jobs: ${Math.round(held / total)} bytes a job`);
await measure("lease + retry at once", total, () => settleAll({ verb: "retry", delayMs: 0 }));
await measure("lease + ack", total, () => settleAll({ verb: "ack" }));
await measure("enqueue one at a time", total, () => enqueueAll(1, false));
await measure("lease + ack", total, () => settleAll({ verb: "ack" }));
if (driver.capabilities.dedup) {
  await measure(`enqueue with deduplication, batches of ${batch}`, total, () => enqueueAll(batch, true));
  await measure("lease + ack", total, () => settleAll({ verb: "ack" }));
}
await measure("enqueue, wake a waiting lease, ack", total / 10, () => wakeEach(total / 10));
await driver.close();
