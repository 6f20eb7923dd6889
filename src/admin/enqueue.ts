import type { EnqueueResult, NewJob } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonResponse } from "./json.ts";
import { problemResponse, publicError } from "./problem.ts";
import { requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";

/** A job ready to be written, or the reason why it is none; as jobs/intake.ts gives them. */
export type EnqueueItem =
  | { readonly ok: true; readonly job: NewJob }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** One job's fate, as the answer shows it. */
interface JobAnswer {
  readonly id: string | null;
  readonly status: "enqueued" | "duplicate" | "discarded" | "failed";
  readonly error?: { readonly code: string; readonly detail: string };
}

/**
 * Refuses early while nothing can be taken in.
 *
 * Draining refuses on every driver: on memory an accepted job would end with the process.
 *
 * @throws RequestError `draining` or `driver_unavailable` (503).
 */
export function requireIntake(deps: AdminDeps): void {
  if (deps.state().draining)
    throw new RequestError("draining", "the process is shutting down: send it to another");
  requireOpenDriver(deps);
}

/**
 * Writes the good ones in one call and answers for all, in order.
 *
 * 202 once at least one job is in the backend (`enqueued`, or `duplicate`: it was there); 200 when the
 * driver is none; when every job failed, the first one's problem with all of them attached. Nothing is
 * answered before the driver has confirmed.
 */
export async function enqueueAndAnswer(
  deps: AdminDeps,
  queue: string,
  items: readonly EnqueueItem[],
): Promise<Response> {
  const jobs = items.flatMap((item) => (item.ok ? [item.job] : []));
  const results = jobs.length === 0 ? [] : await deps.driver.enqueue(queue, jobs);
  return answerFor(deps, queue, items, results);
}

/**
 * The answer to jobs that the driver has ruled on.
 *
 * @param results One per good item, in order.
 */
export function answerFor(
  deps: AdminDeps,
  queue: string,
  items: readonly EnqueueItem[],
  results: readonly EnqueueResult[],
): Response {
  const failures: unknown[] = [];
  const counts = { enqueued: 0, duplicate: 0, discarded: 0 };
  let next = 0;
  const fail = (id: string | null, error: unknown): JobAnswer => {
    failures.push(error);
    const { code, message } = publicError(deps, error);
    deps.metrics.rejected.labels({ queue, code }).inc();
    return { id, status: "failed", error: { code, detail: message } };
  };
  const jobs = items.map((item): JobAnswer => {
    if (!item.ok) return fail(null, new RequestError(item.code, item.message));
    const result = results[next++];
    // Short of a result nothing is known of the job, and nothing may be promised.
    if (result === undefined) return fail(item.job.id, new Error("the driver gave too few results"));
    if (result.status === "failed") return fail(result.id, result.error);
    if (result.status === "conflict") return fail(result.id, conflict(result.id));
    counts[result.status] += 1;
    return { id: result.id, status: result.status };
  });
  count(deps, queue, counts);
  if (failures.length > 0 && failures.length === items.length) {
    return problemResponse(deps, failures[0], { accepted: 0, jobs });
  }
  if (counts.discarded > 0) {
    return jsonResponse({ accepted: 0, discarded: counts.discarded, reason: "queue driver is none", jobs });
  }
  return jsonResponse({ accepted: counts.enqueued + counts.duplicate, jobs }, 202);
}

function conflict(id: string): RequestError {
  return new RequestError(
    "idempotency_conflict",
    `the id or Idempotency-Key was used with another body, for job ${id}: use a new one for a new job`,
  );
}

function count(
  deps: AdminDeps,
  queue: string,
  counts: { enqueued: number; duplicate: number; discarded: number },
): void {
  const { enqueued, duplicates, discarded } = deps.metrics;
  if (counts.enqueued > 0) enqueued.labels({ queue }).inc(counts.enqueued);
  if (counts.duplicate > 0) duplicates.labels({ queue }).inc(counts.duplicate);
  if (counts.discarded > 0) discarded.labels({ queue }).inc(counts.discarded);
}
