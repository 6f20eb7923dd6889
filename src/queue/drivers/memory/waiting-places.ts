import { createDeadlineHeap } from "./deadline-heap.ts";
import type { JobEntry } from "./job-entry.ts";
import type { JobHeap, JobLine } from "./job-line.ts";
import { createLinkedList, type LinkedList } from "./linked-list.ts";
import { nearestBehind } from "./nearest.ts";
import { createUntriedLine } from "./untried-line.ts";

/** What the jobs of a queue stand in while they wait. */
export interface WaitingPlaces {
  /** The line of jobs that were never leased. */
  readonly untried: JobLine;
  readonly createLine: () => JobLine;
  readonly createHeap: () => JobHeap;
}

/** Places that keep the entries themselves. */
export function createEntryPlaces(): WaitingPlaces {
  return {
    untried: createUntriedLine(),
    createLine: createEntryLine,
    createHeap() {
      const heap = createDeadlineHeap<JobEntry>();
      return {
        get size() {
          return heap.size;
        },
        add: (entry) => heap.add(entry),
        remove: (entry) => heap.remove(entry),
        popNearest() {
          const entry = heap.nearest();
          if (entry !== undefined) heap.remove(entry);
          return entry;
        },
        nearestDeadline: () => heap.nearest()?.deadline ?? Infinity,
        slice: (from, count) => heap.values().slice(from, from + count),
        behind(after, count) {
          const jobs = heap.values();
          const columns = {
            size: jobs.length,
            deadlineAt: (index: number) => (jobs[index] as JobEntry).deadline,
            orderAt: (index: number) => (jobs[index] as JobEntry).order,
          };
          return nearestBehind(columns, after, count).map((index) => jobs[index] as JobEntry);
        },
        pick(orders, takes) {
          const picked = heap.values().filter(({ order }) => orders.has(order));
          if (takes) for (const entry of picked) heap.remove(entry);
          return picked;
        },
      };
    },
  };
}

function createEntryLine(): JobLine & LinkedList<JobEntry> {
  const list = createLinkedList<JobEntry>();
  return Object.assign(list, {
    slice(from: number, count: number) {
      const entries: JobEntry[] = [];
      let index = 0;
      for (const entry of list.values()) {
        if (index >= from + count) break;
        if (index >= from) entries.push(entry);
        index += 1;
      }
      return entries;
    },
    pick(orders: ReadonlySet<number>, takes: boolean) {
      const picked = [...list.values()].filter(({ order }) => orders.has(order));
      if (takes) for (const entry of picked) list.remove(entry);
      return picked;
    },
  });
}
