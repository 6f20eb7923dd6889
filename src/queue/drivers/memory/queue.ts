import type { Clock } from "../../../clock.ts";
import { QueueFullError } from "../../../errors.ts";
import type { JobBody } from "../../../jobs/job.ts";
import type {
  DriverEvents,
  EnqueueResult,
  ExtendResult,
  Lease,
  LeaseOptions,
  NewJob,
  QueueStats,
  RedriveSelection,
  Settlement,
  SettleResult,
} from "../../driver.ts";
import { findRefusal, ownBody } from "./admission.ts";
import type { AdmissionLimits } from "./admission.ts";
import { createDeadLetterShelf } from "./dead-letter-shelf.ts";
import type { DeadLetterShelf } from "./dead-letter-shelf.ts";
import { createDeadlineHeap } from "./deadline-heap.ts";
import { createDedupWindow } from "./dedup-window.ts";
import { createWaitingJobs } from "./waiting-jobs.ts";
import type { Entry } from "./waiting-jobs.ts";
import { createWaitingLine } from "./waiting-line.ts";

/** How one queue in memory behaves. */
export interface MemoryQueueOptions extends AdmissionLimits {
  /** Most jobs that wait for their first lease, ready and delayed together. */
  readonly capacity: number;
  readonly whenFull: "evict_oldest" | "reject";
  /** Dead letters kept; the oldest go first. */
  readonly deadLetterRetention: number;
  readonly deduplicationTtlMs: number;
  readonly clock: Clock;
  readonly events: DriverEvents;
}

/** One queue. Every method runs to its end at once, so that each is one atomic step. */
export interface MemoryQueue {
  readonly dead: DeadLetterShelf;
  enqueue(jobs: readonly NewJob[]): EnqueueResult[];
  lease(options: LeaseOptions): Promise<Lease[]>;
  extend(token: string, leaseMs: number): ExtendResult;
  settle(settlement: Settlement): SettleResult;
  /** To be called after a batch of `settle`: serves those who wait. */
  wake(): void;
  redrive(which: RedriveSelection): number;
  stats(): QueueStats;
  setPaused(isPaused: boolean): void;
  close(): void;
}

/** An empty queue. */
export function createMemoryQueue(name: string, options: MemoryQueueOptions): MemoryQueue {
  const { clock, events, capacity } = options;
  const waiting = createWaitingJobs();
  const leased = new Map<string, Entry>();
  const leaseEnds = createDeadlineHeap<Entry>();
  const dead = createDeadLetterShelf(options.deadLetterRetention);
  const dedup = createDedupWindow(options.deduplicationTtlMs, clock);
  let isPaused = false;
  let lastToken = 0;

  const end = (entry: Entry): void => {
    leased.delete(entry.token as string);
    leaseEnds.remove(entry);
    entry.token = null;
  };

  /** Makes ready what is due, and reclaims leases that ended unsettled: one attempt charged. */
  const promote = (): void => {
    const now = clock.monotonic();
    let reclaimed = 0;
    for (let entry = leaseEnds.nearest(); entry !== undefined && entry.deadline <= now; reclaimed += 1) {
      end(entry);
      entry.attempts += 1;
      waiting.addBack(entry, null);
      entry = leaseEnds.nearest();
    }
    if (reclaimed > 0) events.reclaimed(name, reclaimed);
    waiting.promote(now);
  };

  const take = (wish: LeaseOptions): Lease[] => {
    if (isPaused) return [];
    promote();
    const leaseEnd = clock.monotonic() + wish.leaseMs;
    return waiting.take(wish).map((entry) => {
      lastToken += 1;
      const token = String(lastToken);
      entry.token = token;
      entry.deadline = leaseEnd;
      leased.set(token, entry);
      leaseEnds.add(entry);
      const { id, body, attempts, enqueuedAt } = entry;
      return { queue: name, token, job: { id, body, attempts, enqueuedAt, message: null } };
    });
  };

  const nextDeadline = (): number | null => {
    if (isPaused) return null;
    const next = Math.min(waiting.nextDue(), leaseEnds.nearest()?.deadline ?? Infinity);
    return next === Infinity ? null : next;
  };
  const line = createWaitingLine(take, nextDeadline, clock);

  const enqueueOne = (job: NewJob): EnqueueResult => {
    const { id } = job;
    const refused = findRefusal(job, options);
    if (refused !== null) return { status: "failed", id, error: refused };
    const first = job.dedup === null ? undefined : dedup.find(job.dedup.key);
    if (first !== undefined) {
      const isSame = first.fingerprint === job.dedup?.fingerprint;
      return { status: isSame ? "duplicate" : "conflict", id: first.id };
    }
    if (waiting.counted >= capacity && options.whenFull === "reject") {
      const error = new QueueFullError(`queue ${name} holds ${capacity} jobs, its capacity: try again later`);
      return { status: "failed", id, error };
    }
    const entry = createEntry(id, ownBody(job.body), clock.now());
    waiting.addNew(entry, job.delayMs > 0 ? clock.monotonic() + job.delayMs : null);
    // Remembered last: a job that was refused may be sent again.
    if (job.dedup !== null) dedup.remember(job.dedup, id);
    return { status: "enqueued", id };
  };

  const dispose = (entry: Entry, settlement: Settlement): void => {
    end(entry);
    if ("body" in settlement && settlement.body !== undefined) entry.body = ownBody(settlement.body);
    if ("id" in settlement && settlement.id !== undefined) entry.id = settlement.id;
    switch (settlement.verb) {
      case "ack":
        return;
      case "release":
        return waiting.addBack(entry, null);
      case "retry":
        entry.attempts += 1;
        return waiting.addBack(entry, settlement.delayMs > 0 ? clock.monotonic() + settlement.delayMs : null);
      case "park":
        return waiting.park(entry, settlement.key);
      case "replace":
        for (const child of settlement.jobs) {
          waiting.addAhead(createEntry(child.id, ownBody(child.body), clock.now()));
        }
        return;
      case "dead": {
        const trimmed = dead.add({
          jobId: entry.id,
          reason: settlement.reason,
          detail: settlement.detail,
          endpoint: settlement.endpoint,
          attempts: entry.attempts + (settlement.attempted ? 1 : 0),
          failedAt: clock.now(),
          enqueuedAt: entry.enqueuedAt,
          body: entry.body,
        });
        if (trimmed > 0) events.trimmed(name, trimmed);
      }
    }
  };

  return {
    dead,
    enqueue(jobs) {
      const results = jobs.map(enqueueOne);
      let evicted = 0;
      for (; waiting.counted > capacity; evicted += 1) waiting.evict();
      if (evicted > 0) events.evicted(name, evicted);
      line.wake();
      return results;
    },
    async lease(wish) {
      if (wish.signal.aborted) return [];
      const leases = take(wish);
      return leases.length > 0 || wish.waitMs <= 0 ? leases : line.wait(wish);
    },
    extend(token, leaseMs) {
      const entry = leased.get(token);
      if (entry === undefined) return "lost";
      leaseEnds.remove(entry);
      entry.deadline = clock.monotonic() + leaseMs;
      leaseEnds.add(entry);
      return "extended";
    },
    settle(settlement) {
      // A lease past its end that nobody has reclaimed yet is still current: settling it spares a double.
      const entry = leased.get(settlement.lease.token);
      if (entry === undefined) return { status: "lost" };
      dispose(entry, settlement);
      return { status: "settled" };
    },
    wake: () => line.wake(),
    redrive(which) {
      const limit = "ids" in which ? which.ids.length : which.max;
      let redriven = 0;
      for (let index = 0; index < limit; index += 1) {
        const letter = "ids" in which ? dead.take(which.ids[index] as string) : dead.takeOldest();
        if (letter === undefined && !("ids" in which)) break;
        if (letter === undefined) continue;
        waiting.addAhead(createEntry(letter.jobId, letter.body, clock.now()));
        redriven += 1;
      }
      line.wake();
      return redriven;
    },
    stats() {
      promote();
      const oldest = waiting.oldestReadyEnqueuedAt();
      return {
        ...waiting.counts(),
        leased: leased.size,
        dead: dead.size,
        oldestReadyAgeMs: oldest === null ? null : Math.max(0, clock.now() - oldest),
        paused: isPaused,
      };
    },
    setPaused(next) {
      isPaused = next;
      line.wake();
    },
    close: () => line.close(),
  };
}

function createEntry(id: string, body: JobBody, enqueuedAt: number): Entry {
  return { id, body, attempts: 0, enqueuedAt, isCounted: false, token: null, deadline: 0, place: -1 };
}
