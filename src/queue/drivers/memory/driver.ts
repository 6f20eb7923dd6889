import type { Clock } from "../../../clock.ts";
import { DriverUnavailableError } from "../../../errors.ts";
import type { DriverCapabilities, DriverEvents, QueueDriver } from "../../driver.ts";
import { createMemoryQueue } from "./queue.ts";
import type { MemoryQueue } from "./queue.ts";

/** What the memory driver is made of. */
export interface MemoryDriverOptions {
  readonly queues: readonly string[];
  /** Most jobs per queue that wait for their first lease, ready and delayed together. */
  readonly capacity: number;
  /** What an enqueue beyond the capacity does: the oldest waiting job goes, or the new one is refused. */
  readonly whenFull: "evict_oldest" | "reject";
  /** Dead letters kept per queue. */
  readonly deadLetterRetention: number;
  readonly deduplicationTtlMs: number;
  /** Largest job in bytes of UTF-8; 64 MiB when not given. */
  readonly maxPayloadBytes?: number;
  readonly clock: Clock;
  readonly events: DriverEvents;
}

/** Longer than a process lives; a bound at all, so that a wrong unit is told from a long delay. */
const maxDelayMs = 366 * 24 * 3_600_000;

/**
 * Queues in this process: nothing survives its end, and nobody else sees them.
 *
 * Leasing, settling and enqueueing cost constant time per job (logarithmic where a time is involved).
 * A lease call that finds nothing is woken by what changes; there is no polling and, while nobody
 * waits, no timer. Children, retries, released and redriven jobs are exempt from the capacity; parked ones
 * count, and go first, because an endpoint that is down for hours would otherwise fill the memory.
 */
export function createMemoryDriver(options: MemoryDriverOptions): QueueDriver {
  const { maxPayloadBytes = 64 * 1024 * 1024 } = options;
  const queues = new Map<string, MemoryQueue>(
    options.queues.map((name) => [
      name,
      createMemoryQueue(name, { ...options, maxPayloadBytes, maxDelayMs }),
    ]),
  );
  let isClosed = false;

  const find = (name: string): MemoryQueue => {
    const queue = queues.get(name);
    if (queue === undefined) throw new Error(`the memory driver has no queue "${name}"`);
    return queue;
  };

  /** Jobs taken in after close would be gone without anybody having tried them. */
  const findOpen = (name: string): MemoryQueue => {
    if (isClosed) throw new DriverUnavailableError("the memory driver is closed");
    return find(name);
  };

  const capabilities: DriverCapabilities = {
    durable: false,
    dedup: true,
    fenced: true,
    refundsAttempt: true,
    exactStats: true,
    listsDeadLetters: true,
    ordersGroups: false,
    maxBatch: 10_000,
    maxPayloadBytes,
    maxDelayMs,
    pauseScope: "process",
  };

  return {
    name: "memory",
    capabilities,
    open: async () => {},
    enqueue: async (queue, jobs) => findOpen(queue).enqueue(jobs),
    lease: async (queue, wish) => findOpen(queue).lease(wish),
    extend: async (leases, leaseMs) => leases.map(({ queue, token }) => find(queue).extend(token, leaseMs)),
    async settle(settlements) {
      const touched = new Set<MemoryQueue>();
      const results = settlements.map((settlement) => {
        const queue = find(settlement.lease.queue);
        touched.add(queue);
        return queue.settle(settlement);
      });
      for (const queue of touched) queue.wake();
      return results;
    },
    stats: async (queue) => find(queue).stats(),
    pause: async (queue) => find(queue).setPaused(true),
    resume: async (queue) => find(queue).setPaused(false),
    deadLetters: async (queue, page) => find(queue).dead.page(page),
    redrive: async (queue, which) => find(queue).redrive(which),
    removeDead: async (queue, id) => find(queue).dead.take(id) !== undefined,
    async ping() {
      if (isClosed) throw new DriverUnavailableError("the memory driver is closed");
    },
    async close() {
      isClosed = true;
      for (const queue of queues.values()) queue.close();
    },
  };
}
