import type { Deadlined, DeadlineHeap } from "./deadline-heap.ts";
import type { InList } from "./linked-list.ts";

/** A job of one queue. While it is delayed its deadline is the due time, while it is leased the lease's end. */
export interface JobEntry extends Deadlined, InList<JobEntry> {
  id: string;
  /** Under what the keeper finds its bytes. */
  ref: number;
  attempts: number;
  /** Epoch ms. */
  readonly enqueuedAt: number;
  /** Rises with each job that is enqueued, made or redriven here: the smaller, the older. */
  readonly order: number;
  /** Label of the endpoint it is for; null until the queue is told. */
  endpoint: string | null;
  /** The current lease's token; null while not leased. */
  token: string | null;
  /** Its place among what its endpoint holds; null while it holds none. Written by holdings.ts alone. */
  held: HeldJob | null;
}

/** A job among what its endpoint holds; its deadline is the job's order, so that the oldest is in front. */
export interface HeldJob extends Deadlined {
  readonly entry: JobEntry;
  readonly holding: Holding;
}

/** What one endpoint holds; its deadline is minus the number of its jobs, so that the largest is in front. */
export interface Holding extends Deadlined {
  readonly endpoint: string;
  readonly jobs: DeadlineHeap<HeldJob>;
}

/** Stands for no bytes: the keeper gives an entry its number. */
export const noRef = -1;

/** A job that stands nowhere yet. */
export function createJobEntry(
  id: string,
  ref: number,
  order: number,
  enqueuedAt: number,
  endpoint: string | null = null,
): JobEntry {
  return {
    id,
    ref,
    attempts: 0,
    enqueuedAt,
    order,
    endpoint,
    token: null,
    deadline: 0,
    place: -1,
    list: null,
    before: null,
    after: null,
    held: null,
  };
}
