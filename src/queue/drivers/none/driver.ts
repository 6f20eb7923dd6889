import { sleep } from "../../../wait.ts";
import type { DriverCapabilities, QueueDriver } from "../../driver.ts";

const capabilities: DriverCapabilities = {
  durable: false,
  discards: true,
  dedup: false,
  fenced: true,
  refundsAttempt: true,
  exactStats: true,
  listsDeadLetters: true,
  ordersGroups: false,
  maxBatch: 10_000,
  maxPayloadBytes: Number.MAX_SAFE_INTEGER,
  maxDelayMs: Number.MAX_SAFE_INTEGER,
  pauseScope: "process",
};

/**
 * A driver that holds nothing: every job is answered `discarded`, whatever it asks for.
 *
 * It is always empty, and all its answers say so: a lease call waits its time out, every lease is lost,
 * counts are 0, redrive moves 0. Nothing throws UnsupportedByDriverError, because nothing that is asked
 * of an empty queue fails.
 */
export function createNoneDriver(): QueueDriver {
  const paused = new Set<string>();
  const closed = new AbortController();
  return {
    name: "none",
    capabilities,
    open: async () => {},
    enqueue: async (_queue, jobs) => jobs.map(({ id }) => ({ status: "discarded", id })),
    async lease(_queue, { waitMs, signal }) {
      if (waitMs > 0) await sleep(waitMs, AbortSignal.any([signal, closed.signal]));
      return [];
    },
    extend: async (leases) => leases.map(() => "lost"),
    settle: async (settlements) => settlements.map(() => ({ status: "lost" })),
    stats: async (queue) => ({
      ready: 0,
      delayed: 0,
      leased: 0,
      parked: 0,
      dead: 0,
      oldestReadyAgeMs: null,
      paused: paused.has(queue),
    }),
    parkedJobs: async () => [],
    pause: async (queue) => void paused.add(queue),
    resume: async (queue) => void paused.delete(queue),
    deadLetters: async () => ({ items: [], cursors: [], looked: 0, cursor: null, complete: true }),
    deadCounts: async () => ({ groups: [], bytes: 0, complete: true }),
    redrive: async () => 0,
    removeDead: async () => false,
    ping: async () => {},
    close: async () => closed.abort(),
  };
}
