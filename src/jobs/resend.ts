import type { NewJob } from "../queue/driver.ts";
import { deliveryId, endpointNameHash, newJobId } from "./id.ts";
import { routingOf } from "./intake.ts";
import type { BoundEvents, DecodedJob } from "./job.ts";
import { encodeNative } from "./native.ts";

/** A delivery to be sent again. */
export interface ResentDelivery {
  /** Its id in the history. */
  readonly id: string;
  readonly job: DecodedJob;
  readonly boundEvents: BoundEvents | null;
  /** The endpoint's name in its app, or among the named ones. */
  readonly endpoint: string;
  readonly webhookId: string;
}

/** The job that sends a delivery again, and the `webhook-id` that its receiver gets. */
export interface Resend {
  readonly job: NewJob;
  readonly webhookId: string;
}

export interface ResendOptions {
  /** The receiver gets another `webhook-id`, so that one which keeps ids takes it for something new. */
  readonly isNew: boolean;
  readonly delayMs: number;
  /** The revision of the stored apps that the job is to be routed by at least; 0 = any. */
  readonly apiRevision: number;
}

/** The decoded job of a delivery, bound to its endpoint with the events it had. */
export function boundJob({ job, endpoint, boundEvents, webhookId, id }: ResentDelivery): DecodedJob {
  // One that was sent to another endpoint names it in its own way.
  const to = job.redirected === true && job.endpoint !== null ? job.endpoint : endpoint;
  const bound = { ...job, endpoint: to, deliveryId: webhookId, resendOf: id };
  return bound.kind === "pusher" ? { ...bound, boundEvents: boundEvents ?? bound.boundEvents } : bound;
}

/** A new job with an id of its own, bound to the delivery's endpoint, with the same payload. */
export function createResend(
  delivery: ResentDelivery,
  { isNew, delayMs, apiRevision }: ResendOptions,
): Resend {
  const id = newJobId();
  const webhookId = isNew ? deliveryId(id, endpointNameHash(delivery.endpoint)) : delivery.webhookId;
  const job = boundJob(delivery);
  const { endpoint } = job;
  const body = encodeNative(job, { id, endpoint, deliveryId: webhookId, apiRevision });
  return {
    job: { id, body, delayMs, group: null, deduplicationId: null, routing: routingOf(job), dedup: null },
    webhookId,
  };
}
