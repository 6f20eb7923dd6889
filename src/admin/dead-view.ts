import * as v from "valibot";
import { readEnvelopeIds } from "../jobs/envelope-ids.ts";
import type { DeadLetter } from "../queue/driver.ts";
import { count, text, time } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime } from "./reply.ts";
import { maskId } from "../secrets/mask-id.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { bodyMembers, shownBody } from "./shown-body.ts";

/**
 * Most bytes of one dead letter as it is written: a body of 4 KiB and the texts beside it, where each byte may have to
 * be written as an escape of six.
 */
export const deadLetterBytes = 40_000;

/** Most characters of the texts beside the body. What a producer or another program wrote may be any length. */
const most = { id: 256, reason: 200, detail: 500, endpoint: 300 } as const;

export const deadLetterAnswer = () =>
  v.object({
    id: text("Names the dead letter."),
    reason: text("Why it was given up, as `http_404` or `attempts_exhausted`."),
    detail: v.nullable(text("The same in words.")),
    attempts: count("Attempts that were made."),
    failed_at: time("When it was given up."),
    endpoint: v.nullable(text("Label of the endpoint; null for a job that has none.")),
    delivery_id: v.nullable(text("The `webhook-id` that the receiver saw; null where none was sent.")),
    job: v.object({
      id: text("The id that the job was given at enqueue."),
      enqueued_at: time("When it was taken in; null where the backend does not know."),
      ...bodyMembers(),
    }),
  });

export const deadLetterExample: v.InferInput<ReturnType<typeof deadLetterAnswer>> = {
  id: "order-17_0f3a9c21",
  reason: "http_404",
  detail: "HTTP 404",
  attempts: 1,
  failed_at: "2026-12-01T12:00:00.000Z",
  endpoint: "shop/orders",
  delivery_id: "order-17_0f3a9c21",
  job: {
    id: "order-17",
    enqueued_at: "2026-12-01T11:59:59.000Z",
    body: '{"time_ms":1796126399000,"events":[{"name":"order_paid","channel":"orders"}]}',
  },
};

/**
 * A dead letter as the API shows it, masked.
 *
 * `id` names the dead letter. `job.id` is the id the job was given at enqueue, also where its deliveries
 * became jobs of their own; which of them this is says `delivery_id`, the `webhook-id` that the receiver saw.
 */
export function describeDeadLetter(
  { mask }: Pick<AdminDeps, "mask">,
  format: "auto" | "raw",
  item: DeadLetter,
): Record<string, unknown> {
  const { jobId, deliveryId } = idsOf(item, format);
  const showId = (id: string): string => maskId(mask, id).slice(0, most.id);
  return {
    id: showId(item.id),
    reason: maskedStart(mask, item.reason, most.reason),
    detail: item.detail === null ? null : maskedStart(mask, item.detail, most.detail),
    attempts: item.attempts,
    failed_at: isoTime(item.failedAt),
    // A producer may name an endpoint that is not configured, and then anything can stand here.
    endpoint: item.endpoint === null ? null : maskedStart(mask, item.endpoint, most.endpoint),
    delivery_id: deliveryId === null ? null : showId(deliveryId),
    job: {
      id: showId(jobId),
      enqueued_at: isoTime(item.enqueuedAt),
      ...shownBody(mask, item.body),
    },
  };
}

/** The ids of a dead letter's job and delivery: to the driver a delivery is a job under the delivery's id; the envelope keeps whose it is. */
export function idsOf(
  item: Pick<DeadLetter, "body" | "jobId">,
  format: "auto" | "raw",
): { jobId: string; deliveryId: string | null } {
  const ids = typeof item.body === "string" ? readEnvelopeIds(item.body) : null;
  // On a raw queue only an envelope of kind raw is one; what merely looks alike is the receiver's own content.
  if (ids === null || (format === "raw" && ids.kind !== "raw"))
    return { jobId: item.jobId, deliveryId: null };
  return { jobId: ids.id ?? item.jobId, deliveryId: ids.deliveryId };
}
