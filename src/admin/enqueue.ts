import { hasExplicitId } from "../jobs/intake.ts";
import type { EnqueueResult, NewJob } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { maskId } from "../secrets/mask-id.ts";
import { problemReply, publicError } from "./problem.ts";
import { requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";

/** A job that never reached the driver. */
export interface Refusal {
  readonly status: "refused";
  /** The id the job carried; null when it carried none. */
  readonly id: string | null;
  readonly error: RequestError;
}

/** What the driver, or the validation before it, says of one job. */
export type Verdict = Ruled & {
  /** The id is one that hookline made up for this job: it holds nothing of the producer's. */
  readonly isOwnId?: boolean;
};

type Ruled = Exclude<EnqueueResult, { status: "conflict" }> | Refusal;

/** The errors of requireIntake and of what writes jobs. */
export const intakeCodes = [
  "draining",
  "driver_unavailable",
  "queue_full",
  "storage_full",
  "payload_too_large",
  "id_conflict",
] as const;

/**
 * Refuses early while nothing can be taken in.
 *
 * Draining refuses on every driver: on memory an accepted job would end with the process.
 *
 * @throws RequestError `draining` or `driver_unavailable` (503).
 */
export function requireIntake(deps: AdminDeps): void {
  const { draining, driverOpen } = deps.state();
  if (draining) throw new RequestError("draining", "the process is shutting down: send it to another one");
  if (!driverOpen) requireOpenDriver(deps);
}

/** What a job that is taken in now is to be routed by at least; 0 where nobody else routes it, or nothing is stored. */
export function requiredRevision({ stored }: AdminDeps): number {
  return stored.isShared ? stored.known : 0;
}

/**
 * Brings this process up to date before it refuses something as unknown that may have been stored a moment ago.
 *
 * @throws DriverUnavailableError.
 */
export async function lookForStored(deps: AdminDeps): Promise<void> {
  if (deps.stored.isShared && deps.state().driverOpen) await deps.stored.look();
}

/**
 * Writes jobs in one call of the driver and counts what became of them; one result per job, in order.
 *
 * Throws what driver.enqueue throws: then nothing is known to be written, and nothing is counted.
 */
export async function writeJobs(deps: AdminDeps, queue: string, jobs: readonly NewJob[]): Promise<Verdict[]> {
  if (jobs.length === 0) return [];
  const results = (await deps.writes.enqueue(queue, jobs)).map((result, index): Verdict => {
    const job = jobs[index];
    // Where the backend cannot deduplicate, nothing tells a producer's id from ours.
    const isOwnId =
      deps.driver.capabilities.dedup && job !== undefined && result.id === job.id && !hasExplicitId(job);
    return { ...ruleOn(result, job), isOwnId };
  });
  const counts = { enqueued: 0, duplicate: 0, discarded: 0 };
  for (const result of results) {
    if (result.status === "failed" || result.status === "refused") {
      countRejected(deps, queue, publicError(deps, result.error).code);
    } else {
      counts[result.status] += 1;
    }
  }
  const { enqueued, duplicates, discarded } = deps.metrics;
  if (counts.enqueued > 0) enqueued.labels({ queue }).inc(counts.enqueued);
  if (counts.duplicate > 0) duplicates.labels({ queue }).inc(counts.duplicate);
  if (counts.discarded > 0) discarded.labels({ queue }).inc(counts.discarded);
  return results;
}

/** Counts a job that was refused, by the code its producer was told. */
export function countRejected(deps: AdminDeps, queue: string, code: string): void {
  deps.metrics.rejected.labels({ queue, code }).inc();
}

/**
 * The answer to jobs that were ruled on, in their order.
 *
 * 202 when at least one is in the backend (`enqueued`, or `duplicate`: it was there before); 200 when the
 * driver is none; when every job failed, the first one's problem with all of them attached.
 *
 * @param more Further members of an answer that is no problem; already masked.
 */
export function answerFor(
  deps: AdminDeps,
  verdicts: readonly Verdict[],
  more: Readonly<Record<string, unknown>> = {},
): Reply {
  // Thousands of bad jobs share a few errors, and each is masked once.
  const published = new Map<unknown, { code: string; message: string }>();
  const publish = (error: unknown): { code: string; message: string } => {
    const known = published.get(error) ?? publicError(deps, error);
    published.set(error, known);
    return known;
  };
  let firstError: unknown;
  let accepted = 0;
  let discarded = 0;
  const jobs = verdicts.map((verdict) => {
    const error = verdict.status === "refused" || verdict.status === "failed" ? verdict.error : null;
    // Masking costs more than the rest of the answer, and chance makes no secret of random digits.
    const id = verdict.id === null || verdict.isOwnId === true ? verdict.id : maskId(deps.mask, verdict.id);
    if (error === null) {
      if (verdict.status === "discarded") discarded += 1;
      else accepted += 1;
      return { id, status: verdict.status };
    }
    firstError ??= error;
    const { code, message } = publish(error);
    return { id, status: "failed", error: { code, detail: message } };
  });
  if (discarded > 0) {
    return jsonReply({ accepted: 0, discarded, reason: "queue driver is none", jobs, ...more });
  }
  if (accepted > 0) return jsonReply({ accepted, jobs, ...more }, 202);
  return problemReply(deps, firstError, { accepted: 0, jobs });
}

/** The driver's result, a conflict said in terms of what the producer sent: an id, or an Idempotency-Key. */
function ruleOn(result: EnqueueResult, job: NewJob | undefined): Ruled {
  if (result.status !== "conflict") return result;
  const error =
    job !== undefined && hasExplicitId(job)
      ? new RequestError(
          "id_conflict",
          `another job was enqueued under the id ${job.id}: the same job again is a duplicate, another one needs an id of its own`,
        )
      : new RequestError(
          "idempotency_conflict",
          `the Idempotency-Key was used with another body, for job ${result.id}: use a new one for a new job`,
        );
  return { status: "refused", id: result.id, error };
}
