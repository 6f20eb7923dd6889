import type { Clock } from "../../../clock.ts";
import type { QueueFullError } from "../../../errors.ts";
import type {
  DriverEvents,
  EnqueueResult,
  ExtendResult,
  Lease,
  LeaseOptions,
  NewJob,
  ParkedJobs,
  QueueStats,
  RedriveSelection,
  Settlement,
  SettleResult,
} from "../../driver.ts";
import type { PauseNote } from "../../pause-note.ts";
import type { AdmissionLimits } from "./admission.ts";
import type { JobEntry } from "./job-entry.ts";
import type { ListedJobs } from "./listed-jobs.ts";
import type { WaitingPlaces } from "./waiting-places.ts";

/** How one queue in memory behaves. */
export interface MemoryQueueOptions extends AdmissionLimits {
  /** Most jobs that wait: ready, delayed and parked, retries and children counted. */
  readonly capacity: number;
  readonly whenFull: "evict_oldest" | "reject";
  readonly deduplicationTtlMs: number;
  readonly clock: Clock;
  readonly events: DriverEvents;
  /** Told when the queue is paused or resumed. */
  readonly pause: PauseNote;
  /** How its jobs are named in lists; those of a process' own memory when not given. */
  readonly listing?: { readonly mark: string; readonly mostLookedAt: number };
  /** What waiting jobs stand in; places in this process' memory when not given. */
  readonly places?: WaitingPlaces;
}

/** A job that an earlier process kept. */
export interface KeptJob {
  readonly entry: JobEntry;
  /** Milliseconds until it is due; 0 = it is. */
  readonly delayMs: number;
  readonly place: "line" | "delayed" | "back" | "parked" | "ahead";
}

/** One queue. Every method decides in one synchronous step, so that each is atomic. */
export interface MemoryQueue {
  enqueue(jobs: readonly NewJob[]): EnqueueResult[];
  lease(options: LeaseOptions): Promise<Lease[]>;
  extend(token: string, leaseMs: number): ExtendResult;
  settle(settlement: Settlement): SettleResult;
  /** To be called after a batch of `settle`: serves those who wait. */
  wake(): void;
  /** Throws QueueFullError when there is no room for the first of them. */
  redrive(which: RedriveSelection): number;
  stats(): QueueStats;
  parkedJobs(): ParkedJobs[];
  /** Its waiting jobs, one by one. */
  readonly lists: ListedJobs;
  setPaused(isPaused: boolean): void;
  /** Why an enqueue would be refused now, whatever the job; null when it would not. */
  refusal(): QueueFullError | null;
  /** Puts a job back that an earlier process kept; to be called before the first lease. */
  restore(job: KeptJob): void;
  /** Remembers a deduplication key for what is left of its time. */
  restoreDedup(dedup: NonNullable<NewJob["dedup"]>, id: string, ageMs: number): void;
  /** What stands under a deduplication key now. */
  findDedup(key: string): { readonly id: string; readonly fingerprint: string } | undefined;
  close(): void;
}
