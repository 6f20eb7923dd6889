import type { JobEntry } from "./job-entry.ts";

/** A line of jobs; it need not keep an entry for each while they wait. */
export interface JobLine {
  readonly size: number;
  pushBack(entry: JobEntry): void;
  popFront(): JobEntry | undefined;
  front(): Pick<JobEntry, "order" | "enqueuedAt"> | undefined;
}

/** Jobs by their deadline; it need not keep an entry for each while they wait. */
export interface JobHeap {
  readonly size: number;
  add(entry: JobEntry): void;
  remove(entry: JobEntry): void;
  popNearest(): JobEntry | undefined;
  /** Infinity when there is none. */
  nearestDeadline(): number;
}
