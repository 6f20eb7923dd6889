import { Buffer } from "node:buffer";
import type { Clock } from "../../../clock.ts";
import { PayloadTooLargeError, QueueFullError, UnsupportedByDriverError } from "../../../errors.ts";
import type { EnqueueResult, NewJob } from "../../driver.ts";
import { createDedupWindow } from "./dedup-window.ts";
import type { DedupWindow } from "./dedup-window.ts";

/** What a job may ask for, whatever the queue holds. */
export interface AdmissionLimits {
  /** Whose limits they are, for the refusals. */
  readonly driver: "memory" | "file";
  /** Bytes of UTF-8. */
  readonly maxPayloadBytes: number;
  /** Longest delay at enqueue. */
  readonly maxDelayMs: number;
}

/** Decides whether one queue takes a new job. */
export interface Admission {
  /** Gives the result of a job that is not taken; null when it is to be taken. `coming` jobs are taken already. */
  refuse(job: NewJob, coming: number): EnqueueResult | null;
  /** Says why an enqueue would be refused now, whatever the job; null when it would not. */
  findFull(coming: number): QueueFullError | null;
  readonly dedup: DedupWindow;
}

export interface AdmissionOptions extends AdmissionLimits {
  readonly queue: string;
  /** Most jobs that wait: ready, delayed and parked, retries and children counted. */
  readonly capacity: number;
  /** False: jobs beyond the capacity push others out. */
  readonly rejects: boolean;
  readonly deduplicationTtlMs: number;
  readonly clock: Clock;
  /** Counts the jobs that wait now. */
  readonly waiting: () => number;
}

/** Takes every job that fits; the deduplication window is empty. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { queue, capacity, rejects, waiting } = options;
  const dedup = createDedupWindow(options.deduplicationTtlMs, options.clock);

  const findFull = (coming: number): QueueFullError | null =>
    rejects && waiting() + coming >= capacity
      ? new QueueFullError(`queue ${queue} holds ${capacity} jobs, its capacity: try again later`)
      : null;

  return {
    refuse(job, coming) {
      const { id } = job;
      const refusal = findRefusal(job, options);
      if (refusal !== null) return { status: "failed", id, error: refusal };
      const first = job.dedup === null ? undefined : dedup.find(job.dedup.key);
      if (first !== undefined) {
        const isSame = first.fingerprint === job.dedup?.fingerprint;
        return { status: isSame ? "duplicate" : "conflict", id: first.id };
      }
      const error = findFull(coming);
      return error === null ? null : { status: "failed", id, error };
    },
    findFull,
    dedup,
  };
}

/** Why a job can never be taken, as UnsupportedByDriverError or PayloadTooLargeError; null when it can. */
function findRefusal(job: NewJob, { driver, maxPayloadBytes, maxDelayMs }: AdmissionLimits): Error | null {
  if (job.group !== null || job.deduplicationId !== null) {
    const field = job.group === null ? "deduplication_id" : "group";
    return new UnsupportedByDriverError(`the ${driver} driver has no ${field}: only SQS FIFO queues have`);
  }
  if (job.delayMs > maxDelayMs) {
    return new UnsupportedByDriverError(
      `delay_ms is ${job.delayMs}, the ${driver} driver's longest is ${maxDelayMs}`,
    );
  }
  // A UTF-16 unit is at most three bytes of UTF-8, so that short texts need not be measured.
  if (job.body.length * 3 <= maxPayloadBytes) return null;
  const size = typeof job.body === "string" ? Buffer.byteLength(job.body) : job.body.length;
  return size <= maxPayloadBytes
    ? null
    : new PayloadTooLargeError(
        `the job is ${size} bytes, the ${driver} driver takes at most ${maxPayloadBytes}`,
      );
}
