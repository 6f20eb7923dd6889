import { createDeadlineHeap } from "./deadline-heap.ts";
import type { JobEntry } from "./job-entry.ts";
import type { JobHeap, JobLine } from "./job-line.ts";
import { createLinkedList } from "./linked-list.ts";
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
    createLine: () => createLinkedList<JobEntry>(),
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
      };
    },
  };
}
