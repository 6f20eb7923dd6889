import type { JobBody } from "../../../jobs/job.ts";
import type { LeaseOptions } from "../../driver.ts";
import { createDeadlineHeap } from "./deadline-heap.ts";
import type { Deadlined } from "./deadline-heap.ts";
import { createDeque } from "./deque.ts";
import type { Deque } from "./deque.ts";

/** A job in memory. While it is delayed its deadline is the due time, while it is leased the lease's end. */
export interface Entry extends Deadlined {
  id: string;
  body: JobBody;
  attempts: number;
  /** Epoch ms. */
  readonly enqueuedAt: number;
  /** Counted against the queue's capacity: from enqueue until the first lease. */
  isCounted: boolean;
  /** The current lease's token; null while not leased. */
  token: string | null;
}

/** The jobs of one queue that nobody holds: ready, delayed, parked. */
export interface WaitingJobs {
  /** Jobs that count against the capacity: those never leased, and the parked ones. */
  readonly counted: number;
  /** A job just enqueued, due `deadline` (monotonic ms) or at once where that is null. */
  addNew(entry: Entry, deadline: number | null): void;
  /** A job that comes back from a lease: ahead of all others, or when it is due. */
  addBack(entry: Entry, deadline: number | null): void;
  /** A child of a fan-out or a redriven dead letter: ahead of those that wait in line. */
  addAhead(entry: Entry): void;
  park(entry: Entry, key: string): void;
  /** Makes ready what is due at `now` (monotonic ms). */
  promote(now: number): void;
  /** Takes out what a lease call may have, in the order that QueueDriver.lease promises. */
  take(options: LeaseOptions): Entry[];
  /**
   * Takes out the oldest job that counts; undefined when there is none. Parked ones go first, from the key
   * that has most: an endpoint that is down for long must not push the jobs of others out.
   */
  evict(): Entry | undefined;
  /** Monotonic ms at which the next delayed job is due; Infinity when there is none. */
  nextDue(): number;
  counts(): { readonly ready: number; readonly delayed: number; readonly parked: number };
  /** Epoch ms; null when nothing is ready. */
  oldestReadyEnqueuedAt(): number | null;
}

/**
 * Four lines, read in this order; every job stands in exactly one place.
 *
 * - `back`: what was leased before (released, reclaimed, retries that are due), and delayed jobs that
 *   are due; those two in lines of their own, because only the latter count and may be evicted.
 * - parked jobs whose key is not closed, `parkedMax` of each key, the keys in turns.
 * - `ahead`: children and redriven jobs.
 * - `line`: what was enqueued, in order.
 */
export function createWaitingJobs(): WaitingJobs {
  const back = createDeque<Entry>();
  const due = createDeque<Entry>();
  const ahead = createDeque<Entry>();
  const line = createDeque<Entry>();
  const retries = createDeadlineHeap<Entry>();
  const delayed = createDeadlineHeap<Entry>();
  const parked = new Map<string, Deque<Entry>>();
  let parkedCount = 0;
  let counted = 0;

  const fill = (taken: Entry[], from: Deque<Entry>, max: number): void => {
    while (taken.length < max && from.size > 0) taken.push(from.popFront() as Entry);
  };

  const fillFromParked = (taken: Entry[], { max, closedKeys, parkedMax }: LeaseOptions): void => {
    const served: [string, Deque<Entry>][] = [];
    for (const [key, jobs] of parked) {
      if (taken.length >= max) break;
      if (closedKeys.has(key)) continue;
      const before = taken.length;
      fill(taken, jobs, Math.min(max, before + parkedMax));
      parkedCount -= taken.length - before;
      served.push([key, jobs]);
    }
    // To the back of the map, so that the next call begins with the keys that got nothing.
    for (const [key, jobs] of served) {
      parked.delete(key);
      if (jobs.size > 0) parked.set(key, jobs);
    }
  };

  const uncount = (entry: Entry): void => {
    if (entry.isCounted) counted -= 1;
    entry.isCounted = false;
  };

  const evictParked = (): Entry | undefined => {
    let most: Deque<Entry> | undefined;
    for (const jobs of parked.values()) if (most === undefined || jobs.size > most.size) most = jobs;
    const entry = most?.popFront();
    if (entry !== undefined) parkedCount -= 1;
    return entry;
  };

  const takeDelayed = (from: typeof delayed): Entry | undefined => {
    const entry = from.nearest();
    if (entry !== undefined) from.remove(entry);
    return entry;
  };

  return {
    get counted() {
      return counted + parkedCount;
    },
    addNew(entry, deadline) {
      entry.isCounted = true;
      counted += 1;
      if (deadline === null) return line.pushBack(entry);
      entry.deadline = deadline;
      delayed.add(entry);
    },
    addBack(entry, deadline) {
      if (deadline === null) return back.pushBack(entry);
      entry.deadline = deadline;
      retries.add(entry);
    },
    addAhead: (entry) => ahead.pushBack(entry),
    park(entry, key) {
      let jobs = parked.get(key);
      if (jobs === undefined) parked.set(key, (jobs = createDeque()));
      jobs.pushBack(entry);
      parkedCount += 1;
    },
    promote(now) {
      while ((retries.nearest()?.deadline ?? Infinity) <= now) back.pushBack(takeDelayed(retries) as Entry);
      while ((delayed.nearest()?.deadline ?? Infinity) <= now) due.pushBack(takeDelayed(delayed) as Entry);
    },
    take(options) {
      const taken: Entry[] = [];
      fill(taken, back, options.max);
      fill(taken, due, options.max);
      if (parkedCount > 0) fillFromParked(taken, options);
      fill(taken, ahead, options.max);
      fill(taken, line, options.max);
      for (const entry of taken) uncount(entry);
      return taken;
    },
    evict() {
      if (parkedCount > 0) return evictParked();
      const isDueOlder = (due.front()?.enqueuedAt ?? Infinity) < (line.front()?.enqueuedAt ?? Infinity);
      const entry = (isDueOlder ? due : line).popFront() ?? takeDelayed(delayed);
      if (entry !== undefined) uncount(entry);
      return entry;
    },
    nextDue: () => Math.min(retries.nearest()?.deadline ?? Infinity, delayed.nearest()?.deadline ?? Infinity),
    counts: () => ({
      ready: back.size + due.size + ahead.size + line.size,
      delayed: retries.size + delayed.size,
      parked: parkedCount,
    }),
    oldestReadyEnqueuedAt() {
      const oldest = Math.min(
        ...[back, due, ahead, line].map((jobs) => jobs.front()?.enqueuedAt ?? Infinity),
      );
      return oldest === Infinity ? null : oldest;
    },
  };
}
