import { expect } from "bun:test";
import type { QueueDriver } from "../../src/queue/driver.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { job } from "./conformance-bench.ts";

/** Several loops lease, settle and give back at once; every job must be in one hand at a time and end once. */
async function drainTogether(bench: Bench, drivers: readonly QueueDriver[]): Promise<void> {
  const total = bench.loadJobs;
  const held = new Set<string>();
  const acked = new Map<string, number>();
  const released = new Map<string, number>();
  const stop = new AbortController();

  const loop = async (driver: QueueDriver): Promise<void> => {
    while (acked.size < total) {
      const leases = await bench.lease({ max: 16, waitMs: 200, signal: stop.signal }, driver);
      for (const { job } of leases) {
        if (held.has(job.id)) throw new Error(`${job.id} was given to two leasers at once`);
        if (acked.has(job.id)) throw new Error(`${job.id} was given out after its ack`);
        held.add(job.id);
      }
      // Held over a turn of the event loop, so that the other loops lease meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      // Every ninth job is given back once, so that jobs change hands.
      const settlements = leases.map((lease) => {
        const giveBack = Number(lease.job.body) % 9 === 0 && !released.has(lease.job.id);
        if (giveBack) released.set(lease.job.id, 1);
        return { verb: giveBack ? "release" : "ack", lease } as const;
      });
      // A released job may be in another hand before the settle call returns.
      for (const { lease } of settlements) held.delete(lease.job.id);
      for (const { verb, lease } of settlements) if (verb === "ack") acked.set(lease.job.id, 1);
      const results = await driver.settle(settlements);
      expect(results.map(({ status }) => status)).toEqual(settlements.map(() => "settled"));
    }
    stop.abort();
  };

  const produce = async (): Promise<void> => {
    for (let written = 0; written < total; written += 100) {
      const jobs = Array.from({ length: Math.min(100, total - written) }, (_, index) =>
        job(`${written + index}`),
      );
      await bench.put(...jobs);
    }
  };

  await Promise.all([produce(), ...drivers.map((driver) => loop(driver))]);
  expect(acked.size).toBe(total);
  expect(released.size).toBe(Math.ceil(total / 9));
  const { ready, delayed, leased } = await bench.driver.stats(bench.queue);
  expect([ready ?? 0, delayed ?? 0, leased ?? 0]).toEqual([0, 0, 0]);
}

export const loadClaims: readonly Claim[] = [
  {
    name: "two leasers never share a job",
    async run(bench) {
      await drainTogether(
        bench,
        Array.from({ length: 6 }, () => bench.driver),
      );
    },
  },
  {
    name: "two processes never share a job",
    needs: ["peer"],
    async run(bench) {
      const peers = [await bench.peer(), await bench.peer()];
      await drainTogether(bench, [bench.driver, ...peers, bench.driver, ...peers]);
    },
  },
];
