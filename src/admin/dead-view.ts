import { Buffer } from "node:buffer";
import { decodeJob } from "../jobs/decode.ts";
import { nativePrefix } from "../jobs/native.ts";
import type { DeadLetter } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime } from "./json.ts";
import { maskId } from "./mask-id.ts";

/**
 * A dead letter as the API shows it, masked.
 *
 * `id` names the dead letter. `job.id` is the id the job was given at enqueue, also where its deliveries
 * became jobs of their own; which of them this is says `delivery_id`, the `webhook-id` that the receiver saw.
 */
export function describeDeadLetter(
  deps: Pick<AdminDeps, "mask">,
  format: "auto" | "raw",
  item: DeadLetter,
): Record<string, unknown> {
  const { mask } = deps;
  const { jobId, deliveryId } = idsOf(item, format);
  return {
    id: maskId(mask, item.id),
    reason: item.reason,
    detail: item.detail === null ? null : mask(item.detail),
    attempts: item.attempts,
    failed_at: isoTime(item.failedAt),
    // A producer may name an endpoint that is not configured, and then anything can stand here.
    endpoint: item.endpoint === null ? null : mask(item.endpoint),
    delivery_id: deliveryId === null ? null : maskId(mask, deliveryId),
    job: {
      id: maskId(mask, jobId),
      enqueued_at: isoTime(item.enqueuedAt),
      ...bodyMembers(mask, item.body),
    },
  };
}

/** To the driver a delivery is a job under the delivery's id; the envelope keeps whose it is. */
function idsOf(item: DeadLetter, format: "auto" | "raw"): { jobId: string; deliveryId: string | null } {
  const { body, jobId } = item;
  if (typeof body !== "string" || !body.startsWith(nativePrefix)) return { jobId, deliveryId: null };
  const job = decodeJob(body, { format });
  if (job.kind === "malformed") return { jobId, deliveryId: null };
  return { jobId: job.id ?? jobId, deliveryId: job.deliveryId };
}

/** The body as its exact text; in base64 where it is no text. Masked either way. */
function bodyMembers(mask: (text: string) => string, body: DeadLetter["body"]): Record<string, string> {
  if (typeof body === "string") return { body: mask(body) };
  // latin1 has one character per byte, so that an ASCII secret in the bytes is found and the rest survives.
  const latin1 = Buffer.from(body).toString("latin1");
  return { body_base64: Buffer.from(mask(latin1), "latin1").toString("base64") };
}
