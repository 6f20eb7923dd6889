import type { JobEntry } from "./job-entry.ts";
import type { TimePlace } from "./nearest.ts";

/** A line of jobs; it need not keep an entry for each while they wait. */
export interface JobLine {
  readonly size: number;
  pushBack(entry: JobEntry): void;
  popFront(): JobEntry | undefined;
  front(): Pick<JobEntry, "order" | "enqueuedAt"> | undefined;
  /** The jobs from a place on, left where they are; their ids may be missing. */
  slice(from: number, count: number): JobEntry[];
  /** Those of these orders, found in one pass over the line; taken out where `takes`, else left where they are. */
  pick(orders: ReadonlySet<number>, takes: boolean): JobEntry[];
}

/** Jobs by their deadline; it need not keep an entry for each while they wait. */
export interface JobHeap {
  readonly size: number;
  add(entry: JobEntry): void;
  remove(entry: JobEntry): void;
  popNearest(): JobEntry | undefined;
  /** Infinity when there is none. */
  nearestDeadline(): number;
  /** Jobs in no order, left where they are; their ids may be missing. */
  slice(from: number, count: number): JobEntry[];
  /** The next ones behind a place by deadline and order, left where they are; the first ones where it is null. */
  behind(after: TimePlace | null, count: number): JobEntry[];
  /** Those of these orders, found in one pass; taken out where `takes`, else left where they are. */
  pick(orders: ReadonlySet<number>, takes: boolean): JobEntry[];
}
