import * as v from "valibot";
import { listedStates, type ListedJob } from "../queue/job-lists.ts";
import { maskId } from "../secrets/mask-id.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { count, text, time } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import type { KnownJob } from "./known-job.ts";
import { isoTime } from "./reply.ts";
import { bodyMembers, shownBody } from "./shown-body.ts";

/** Most event names that are shown, and most characters of the texts that producers wrote. */
const most = { events: 100, name: 200, id: 256, endpoint: 300 } as const;

/** What is shown of every job that the backend has. */
export const jobMembers = () => ({
  id: v.nullable(text("Its id; null for a producer's message that has none and that nobody has leased yet.")),
  job_id: v.nullable(
    text(
      "The id it was given at enqueue; another than `id` where it is one delivery of a job that had several endpoints.",
    ),
  ),
  attempts: count("Attempts made so far."),
  enqueued_at: time("When it was enqueued, where the backend knows."),
  due_at: time("When it is due; null where it does not wait for a time."),
  lease_ends_at: time("When its lease ends unless it is renewed; null where nobody holds it."),
  app: v.nullable(text("Id of its app; `-` for a named endpoint; null where nobody knows.")),
  endpoint: v.nullable(text("Label of the endpoint that it is bound to; null before it was routed.")),
  events: v.array(text("Names of its events, each once.")),
  delivery_id: v.nullable(text("The `webhook-id` of its delivery, once it is bound.")),
  malformed: v.optional(text("Why it cannot be read as a job: it will become a dead letter.")),
  ...bodyMembers(),
});

export const jobAnswer = () =>
  v.object({
    ref: text("Names the job, as it stands now, for `run` and `cancel`."),
    state: v.picklist(listedStates),
    ...jobMembers(),
  });

export const jobExample: v.InferInput<ReturnType<typeof jobAnswer>> = {
  ref: "d~1796126580000~512~2fd4e1c67a2d28fced849ee1bb76e7391b93eb12~azNq~",
  state: "delayed",
  id: "order-17_0f3a9c21",
  job_id: "order-17",
  attempts: 2,
  enqueued_at: "2026-12-01T12:00:00.000Z",
  due_at: "2026-12-01T12:03:00.000Z",
  lease_ends_at: null,
  app: "shop",
  endpoint: "shop/orders",
  events: ["order_paid"],
  delivery_id: "order-17_0f3a9c21",
  body: '{"hookline":1,"id":"order-17","kind":"pusher","app_id":"shop","endpoint":"orders","payload":{"time_ms":1796126399000,"events":[{"name":"order_paid","channel":"orders"}]}}',
};

/** The job's id as its delivery will name it: the wire's, once it is read; null where there is none yet. */
export function idOf({ id }: Pick<ListedJob, "id">, { decoded }: KnownJob): string | null {
  // A delivery that is a job of its own stands under the delivery's id.
  if (decoded.kind === "malformed" || decoded.deliveryId !== null) return id;
  return decoded.id ?? id;
}

/** Every id under which somebody may look for a job. */
export function idsOf(job: Pick<ListedJob, "id">, known: KnownJob): ReadonlySet<string> {
  const { decoded } = known;
  const own = decoded.kind === "malformed" ? [] : [decoded.id, decoded.deliveryId];
  return new Set([job.id, ...own].filter((id) => id !== null));
}

/** A waiting job as the API shows it, masked. */
export function describeJob(
  deps: Pick<AdminDeps, "mask">,
  job: ListedJob,
  known: KnownJob,
): Record<string, unknown> {
  return {
    ref: job.ref,
    state: job.state,
    ...describeKept(deps, { ...job, endpoint: job.key }, known),
    due_at: job.state === "delayed" ? isoTime(job.until) : null,
    lease_ends_at: job.state === "leased" ? isoTime(job.until) : null,
  };
}

/** What a job that waits and a dead letter have in common. */
export function describeKept(
  { mask }: Pick<AdminDeps, "mask">,
  job: Pick<ListedJob, "id" | "attempts" | "enqueuedAt" | "body"> & { readonly endpoint: string | null },
  known: KnownJob,
): Record<string, unknown> {
  const { decoded } = known;
  const id = idOf(job, known);
  const isRead = decoded.kind !== "malformed";
  const jobId = (isRead ? decoded.id : null) ?? id;
  const deliveryId = isRead ? decoded.deliveryId : null;
  const showId = (one: string | null): string | null =>
    one === null ? null : maskId(mask, one).slice(0, most.id);
  const endpoint = known.endpoint ?? job.endpoint;
  return {
    id: showId(id),
    job_id: showId(jobId),
    attempts: job.attempts,
    enqueued_at: isoTime(job.enqueuedAt),
    due_at: null,
    lease_ends_at: null,
    app: known.app === null ? null : maskedStart(mask, known.app, most.name),
    endpoint: endpoint === null ? null : maskedStart(mask, endpoint, most.endpoint),
    events: known.events.slice(0, most.events).map((name) => maskedStart(mask, name, most.name)),
    delivery_id: showId(deliveryId),
    ...(decoded.kind === "malformed" ? { malformed: maskedStart(mask, decoded.detail, 500) } : {}),
    ...shownBody(mask, job.body),
  };
}
