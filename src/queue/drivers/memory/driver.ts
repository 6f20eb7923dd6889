import type { Clock } from "../../../clock.ts";
import { DriverUnavailableError } from "../../../errors.ts";
import { silentLogger } from "../../../log.ts";
import type { Logger } from "../../../log.ts";
import type { DriverCapabilities, DriverEvents, QueueDriver } from "../../driver.ts";
import { createLocalRecords, forgetfulKeeper } from "../../local-records.ts";
import { createPauseNote, type PauseNote } from "../../pause-note.ts";
import { createRoomWatch } from "../../room-watch.ts";
import { createDeadLetters } from "./dead-letters.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { createMemoryKeeper } from "./keeper.ts";
import { createMemoryQueue } from "./queue.ts";
import type { MemoryQueue } from "./memory-queue.ts";

/** What the memory driver is made of. */
export interface MemoryDriverOptions {
  readonly queues: readonly string[];
  /** Most jobs per queue that wait: ready, delayed and parked, retries and children counted. */
  readonly capacity: number;
  /**
   * What happens beyond the capacity: the oldest job of the endpoint that holds most goes (one that was never tried
   * only where none is held), or what is enqueued is refused. Children are never refused, but count.
   */
  readonly whenFull: "evict_oldest" | "reject";
  /** Dead letters kept per queue; null = 100,000. At most 64 MiB of them in any case. */
  readonly deadLetterRetention: number | null;
  /** How long a dead letter is kept; for ever when not given. */
  readonly deadLetterRetentionMs?: number;
  readonly deduplicationTtlMs: number;
  /** Largest job in bytes of UTF-8; 64 MiB when not given. */
  readonly maxPayloadBytes?: number;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly events: DriverEvents;
}

type Queue = MemoryQueue & { readonly dead: DeadLetters; readonly pause: PauseNote };

/** Longer than a process lives; a bound at all, so that a wrong unit is told from a long delay. */
const maxDelayMs = 366 * 24 * 3_600_000;

/** Dead letters kept per queue where no number is configured, and what they may take (contract §2). */
const mostDeadLetters = 100_000;
const mostDeadBytes = 64 * 1024 * 1024;

/**
 * Queues in this process: nothing survives its end, and nobody else sees them.
 *
 * Leasing, settling and enqueueing cost constant time per job (logarithmic where a time is involved).
 * A lease call that finds nothing is woken by what changes; there is no polling and, while nobody
 * waits, no timer. All that waits counts against the capacity, and what an endpoint that is down for hours holds
 * goes before anybody's new jobs. What a lease hides does not count: it may come back beyond the capacity, and with
 * `reject` stays there until it is delivered.
 */
export function createMemoryDriver(options: MemoryDriverOptions): QueueDriver {
  const { maxPayloadBytes = 64 * 1024 * 1024, clock, events, log = silentLogger } = options;
  const admission = { ...options, driver: "memory", maxPayloadBytes, maxDelayMs } as const;
  const keeper = createMemoryKeeper();
  const queues = new Map(options.queues.map((name) => [name, createQueue(name)]));
  let isClosed = false;

  function createQueue(name: string): Queue {
    const { deadLetterRetention: retention, deadLetterRetentionMs: maxAgeMs = Infinity } = options;
    const limits = { maxLetters: retention ?? mostDeadLetters, maxBytes: mostDeadBytes, maxAgeMs };
    // A number that an operator chose is not a limit of what fits.
    const mostLetters = retention === null ? mostDeadLetters : Infinity;
    const fill = (letters: number, bytes: number) => ({
      share: Math.max(letters / mostLetters, bytes / mostDeadBytes),
      usage: `${letters} of at most ${limits.maxLetters} dead letters, ${inMebibytes(bytes)} of ${inMebibytes(mostDeadBytes)} MiB`,
    });
    const dead = createDeadLetters(name, { limits, fill, clock, log, events }, keeper);
    const pause = createPauseNote(name, { clock, log });
    return Object.assign(createMemoryQueue(name, { ...admission, pause }, dead, keeper), {
      dead,
      pause,
    });
  }

  const find = (name: string): Queue => {
    const queue = queues.get(name);
    if (queue === undefined) throw new Error(`the memory driver has no queue "${name}"`);
    return queue;
  };

  /** Jobs taken in after close would be gone without anybody having tried them. */
  const findOpen = (name: string): Queue => {
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

  const room = createRoomWatch(clock);
  return {
    name: "memory",
    capabilities,
    records: createLocalRecords(clock, forgetfulKeeper),
    open: async () => {},
    enqueue: async (queue, jobs) => findOpen(queue).enqueue(jobs),
    lease: async (queue, request) => findOpen(queue).lease(request),
    extend: async (leases, leaseMs) => leases.map(({ queue, token }) => find(queue).extend(token, leaseMs)),
    async settle(settlements) {
      const touched = new Set<Queue>();
      const results = settlements.map((settlement) => {
        const queue = find(settlement.lease.queue);
        touched.add(queue);
        return queue.settle(settlement);
      });
      for (const queue of touched) queue.wake();
      return results;
    },
    stats: async (queue) => find(queue).stats(),
    parkedJobs: async (queue) => find(queue).parkedJobs(),
    jobs: {
      page: async (queue, request) => find(queue).lists.page(request),
      find: async (queue, ids) => find(queue).lists.find(ids),
      read: async (queue, refs) => find(queue).lists.read(refs),
      run: async (queue, refs) => find(queue).lists.run(refs),
      cancel: async (queue, refs) => find(queue).lists.cancel(refs),
    },
    pause: async (queue) => find(queue).setPaused(true),
    resume: async (queue) => find(queue).setPaused(false),
    deadLetters: async (queue, page) => find(queue).dead.page(page),
    findDead: async (queue, ids) => find(queue).dead.findAll(ids),
    redrive: async (queue, which) => find(queue).redrive(which),
    deadCounts: async (queue) => find(queue).dead.counts(),
    removeDead: async (queue, id) => find(queue).dead.remove(id),
    removeManyDead: async (queue, ids) => find(queue).dead.removeMany(ids),
    async probeWrite(queue) {
      const refused = findOpen(queue).refusal();
      if (refused !== null) throw refused;
    },
    problems: () =>
      [...queues].flatMap(([name, queue]) => {
        const { ready, delayed, parked } = queue.stats();
        const waiting = (ready ?? 0) + (delayed ?? 0) + (parked ?? 0);
        return [
          queue.dead.finding() ?? [],
          queue.pause.findings(),
          room.finding(
            name,
            waiting,
            options.capacity,
            () => `${waiting} of the ${options.capacity} jobs that queue.memory.capacity allows`,
          ),
        ].flat();
      }),
    async ping() {
      if (isClosed) throw new DriverUnavailableError("the memory driver is closed");
    },
    async close() {
      isClosed = true;
      for (const queue of queues.values()) queue.close();
    },
  };
}

function inMebibytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
