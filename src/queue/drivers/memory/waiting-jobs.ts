import type { LeaseOptions, ParkedJobs } from "../../driver.ts";
import type { JobEntry } from "./job-entry.ts";
import { createHoldings } from "./holdings.ts";
import type { Holdings } from "./holdings.ts";
import type { JobHeap, JobLine } from "./job-line.ts";
import type { WaitingPlaces } from "./waiting-places.ts";

export interface WaitingJobsOptions extends WaitingPlaces {
  /** False: `evict` finds only jobs that were never tried. */
  readonly tracksHoldings: boolean;
}

const noHoldings: Holdings = {
  add: () => undefined,
  remove: () => undefined,
  oldestOfMost: () => undefined,
};

/** The jobs of one queue that nobody holds: ready, delayed, parked. */
export interface WaitingJobs {
  /** How many there are, whatever their state and origin. */
  readonly size: number;
  /** A job just enqueued, due `deadline` (monotonic ms) or at once where that is null. */
  addNew(entry: JobEntry, deadline: number | null): void;
  /** A job that comes back from a lease: ahead of all others, or when it is due. */
  addBack(entry: JobEntry, deadline: number | null): void;
  /** A child of a fan-out or a redriven dead letter: ahead of those that wait in line. */
  addAhead(entry: JobEntry): void;
  park(entry: JobEntry, key: string): void;
  /** Makes ready what is due at `now` (monotonic ms). */
  promote(now: number): void;
  /** Takes out what a lease call may have, in the order that QueueDriver.lease promises. */
  take(options: LeaseOptions): JobEntry[];
  /**
   * Takes out the job that goes first when there is no room: the oldest of the endpoint that holds most. An
   * untried one only where none is held, or one dead endpoint would push everybody's new jobs out. Undefined
   * when there is none. O(log n).
   */
  evict(): JobEntry | undefined;
  /** Monotonic ms at which the next delayed job is due; Infinity when there is none. */
  nextDue(): number;
  /** What is parked, by key. */
  parkedJobs(): ParkedJobs[];
  /** The lines of what is ready, in the order in which they are read. */
  lines(): readonly JobLine[];
  /** The keys under which jobs are parked, and their lines. */
  parkedLines(): ReadonlyMap<string, JobLine>;
  /** The heaps of what is delayed. */
  heaps(): readonly JobHeap[];
  /** Takes jobs out by their order, wherever they wait; what is not there is passed over. O(n) for all of them together. */
  takeOut(orders: ReadonlySet<number>): JobEntry[];
  counts(): { readonly ready: number; readonly delayed: number; readonly parked: number };
  /** Epoch ms; null when nothing is ready. */
  oldestReadyEnqueuedAt(): number | null;
}

/**
 * Four lines, read in this order; every job stands in exactly one place.
 *
 * - `back`: what was leased before (released, reclaimed, retries that are due), then `due`: new jobs whose delay
 *   is over.
 * - parked jobs whose key is not closed, `parkedMax` of each key, the keys in turns.
 * - `ahead`: children and redriven jobs.
 * - `untried`: what was enqueued, in order.
 *
 * A job whose endpoint is known stands among that endpoint's holdings as well, for as long as it waits.
 */
export function createWaitingJobs(options: WaitingJobsOptions): WaitingJobs {
  const { untried, createLine, createHeap, tracksHoldings } = options;
  const back = createLine();
  const due = createLine();
  const ahead = createLine();
  const retries = createHeap();
  const delayed = createHeap();
  const parked = new Map<string, JobLine>();
  const holdings = tracksHoldings ? createHoldings() : noHoldings;
  let parkedCount = 0;

  const fill = (taken: JobEntry[], from: { popFront(): JobEntry | undefined }, max: number): void => {
    while (taken.length < max) {
      const entry = from.popFront();
      if (entry === undefined) return;
      holdings.remove(entry);
      taken.push(entry);
    }
  };

  const fillFromParked = (taken: JobEntry[], { max, closedKeys, parkedMax }: LeaseOptions): void => {
    const served: [string, JobLine][] = [];
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

  /** The place a held job stands in: a heap where it waits for a time, else a line, a key's among them. */
  const removeHeld = (entry: JobEntry): void => {
    holdings.remove(entry);
    if (entry.list === null) return retries.remove(entry);
    const place: unknown = entry.list;
    const isParked = place !== back && place !== ahead;
    entry.list.remove(entry);
    if (!isParked) return;
    parkedCount -= 1;
    const key = entry.endpoint as string;
    if (parked.get(key)?.size === 0) parked.delete(key);
  };

  const popUntried = (): JobEntry | undefined => {
    const isDueOlder = (due.front()?.order ?? Infinity) < (untried.front()?.order ?? Infinity);
    return (
      (isDueOlder ? due : untried).popFront() ??
      delayed.popNearest() ??
      // What came back unsettled, so that nobody has said yet which endpoint it is for.
      back.popFront() ??
      ahead.popFront() ??
      retries.popNearest()
    );
  };

  return {
    get size() {
      return back.size + due.size + ahead.size + untried.size + retries.size + delayed.size + parkedCount;
    },
    addNew(entry, deadline) {
      if (deadline === null) return untried.pushBack(entry);
      entry.deadline = deadline;
      delayed.add(entry);
    },
    addBack(entry, deadline) {
      holdings.add(entry);
      if (deadline === null) return back.pushBack(entry);
      entry.deadline = deadline;
      retries.add(entry);
    },
    addAhead(entry) {
      holdings.add(entry);
      ahead.pushBack(entry);
    },
    park(entry, key) {
      // A key is the label of the endpoint that is closed (worker/queue-worker.ts).
      entry.endpoint = key;
      holdings.add(entry);
      let jobs = parked.get(key);
      if (jobs === undefined) parked.set(key, (jobs = createLine()));
      jobs.pushBack(entry);
      parkedCount += 1;
    },
    promote(now) {
      while (retries.nearestDeadline() <= now) back.pushBack(retries.popNearest() as JobEntry);
      while (delayed.nearestDeadline() <= now) due.pushBack(delayed.popNearest() as JobEntry);
    },
    take(options) {
      const taken: JobEntry[] = [];
      fill(taken, back, options.max);
      fill(taken, due, options.max);
      if (parkedCount > 0) fillFromParked(taken, options);
      fill(taken, ahead, options.max);
      fill(taken, untried, options.max);
      return taken;
    },
    evict() {
      const held = holdings.oldestOfMost();
      if (held === undefined) return popUntried();
      removeHeld(held);
      return held;
    },
    nextDue: () => Math.min(retries.nearestDeadline(), delayed.nearestDeadline()),
    counts: () => ({
      ready: back.size + due.size + ahead.size + untried.size,
      delayed: retries.size + delayed.size,
      parked: parkedCount,
    }),
    parkedJobs: () =>
      [...parked].map(([key, jobs]) => ({
        key,
        count: jobs.size,
        oldestEnqueuedAt: jobs.front()?.enqueuedAt ?? null,
      })),
    lines: () => [back, due, ahead, untried],
    parkedLines: () => parked,
    heaps: () => [retries, delayed],
    takeOut(orders) {
      const taken: JobEntry[] = [];
      for (const [key, jobs] of parked) {
        taken.push(...jobs.pick(orders, true));
        if (jobs.size === 0) parked.delete(key);
      }
      parkedCount -= taken.length;
      for (const place of [back, due, ahead, untried, retries, delayed]) {
        if (taken.length < orders.size) taken.push(...place.pick(orders, true));
      }
      for (const entry of taken) holdings.remove(entry);
      return taken;
    },
    oldestReadyEnqueuedAt() {
      const oldest = Math.min(
        ...[back, due, ahead, untried].map((jobs) => jobs.front()?.enqueuedAt ?? Infinity),
      );
      return oldest === Infinity ? null : oldest;
    },
  };
}
