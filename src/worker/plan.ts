import { Buffer } from "node:buffer";
import { findAppOf, route, type RoutingFailure } from "../delivery/router.ts";
import { decodeJob } from "../jobs/decode.ts";
import { deliveryId } from "../jobs/id.ts";
import type { BoundEvents, DecodedJob, JobBody } from "../jobs/job.ts";
import { encodeNative, nativeHead, nativeTail, type Binding } from "../jobs/native.ts";
import type { ChildJob, Disposition, LeasedJob } from "../queue/driver.ts";
import type { Delivery } from "./delivery.ts";
import type { PlanContext } from "./plan-context.ts";

/** What is to be done with a leased job: settle it as it is, or attempt its one delivery. */
export type Plan = Step & {
  /**
   * The job's own id where it is only known now that the job has been read; null where the driver has the
   * right one, which for a delivery that is a job of its own is the delivery's.
   */
  readonly learntId: string | null;
};

type Step =
  | {
      readonly kind: "settle";
      readonly jobId: string;
      readonly disposition: Disposition;
      /** The job that no endpoint wants, where that is why it is acked. */
      readonly unwanted?: DecodedJob;
      /** The job whose app or endpoint is not known here, where that is why it is dead. */
      readonly unknown?: DecodedJob;
    }
  /** Whoever took the job in had newer apps than are in force here: look first, then plan it again. */
  | { readonly kind: "behind" }
  | { readonly kind: "attempt"; readonly delivery: Omit<Delivery, "held"> };

/** A malformed job's bytes are kept up to here (contract §3). */
const malformedLimitBytes = 65_536;

/**
 * Decodes and routes a leased job. Changes nothing.
 *
 * A job that several endpoints want is replaced by one child each, so that every delivery has attempts
 * and a dead letter of its own, and one that was accepted is not sent again because another failed.
 *
 * @param hasLooked What is in force is as new as it can be.
 */
export function planJob(job: LeasedJob, context: PlanContext, hasLooked = false): Plan {
  const decoded = decodeJob(job.body, { format: context.format });
  if (decoded.kind === "malformed") {
    const kept = keepMasked(job.body, context.mask, malformedLimitBytes);
    return { ...dead(job.id, "malformed", decoded.detail, null, kept), learntId: null };
  }
  if (!hasLooked && (decoded.apiRevision ?? 0) > context.apiRevision())
    return { kind: "behind", learntId: null };
  const isLearnt = decoded.deliveryId === null && decoded.id !== job.id;
  const learntId = isLearnt ? decoded.id : null;
  const step = planDecoded(decoded, job, context);
  if (step.kind === "attempt") return { kind: step.kind, delivery: step.delivery, learntId };
  return { ...step, learntId };
}

function planDecoded(decoded: DecodedJob, job: LeasedJob, context: PlanContext): Step {
  const jobId = decoded.id ?? job.id;
  const withMessage = addAttributes(decoded, job);
  const routing = route(withMessage, context.directory, context.rawRoutes);
  if (routing.kind === "nothing") {
    return { kind: "settle", jobId, disposition: { verb: "ack" }, unwanted: decoded };
  }
  if (routing.kind === "dead") {
    const { endpoint, deliveryId: delivery } = decoded;
    const body = keptBody(withMessage, job.body, { id: jobId, endpoint, deliveryId: delivery });
    const step = dead(jobId, routing.reason, routing.detail, routing.endpoint, body);
    return isUnknown(routing.reason) && step.kind === "settle" ? { ...step, unknown: withMessage } : step;
  }

  const bound = routing.deliveries.map(({ endpoint, content, boundEvents }) => {
    const id = decoded.deliveryId ?? deliveryId(jobId, endpoint.nameHash);
    return { endpoint, content, boundEvents, id };
  });
  const isExpanded =
    bound.length > 1 ||
    (context.expandsAlways && decoded.endpoint === null && (routing.app?.endpoints.length ?? 0) > 1);
  if (isExpanded) {
    const tail = nativeTail(withMessage);
    const apiRevision = Math.max(context.apiRevision(), decoded.apiRevision ?? 0);
    const jobs = bound.map(({ endpoint, boundEvents, id }): ChildJob => {
      const binding = { ...bindingOf(jobId, endpoint.name, id, boundEvents), apiRevision };
      const head = nativeHead(withMessage, binding);
      return { id, body: head + tail, head, endpoint: endpoint.label };
    });
    return { kind: "settle", jobId, disposition: { verb: "replace", jobs, tail } };
  }

  const { endpoint, content, boundEvents, id } = bound[0] as (typeof bound)[number];
  // One that was sent to another endpoint names it in its own way.
  const boundTo = (decoded.redirected === true ? decoded.endpoint : null) ?? endpoint.name;
  const keep = (): JobBody | undefined =>
    keptBody(withMessage, job.body, bindingOf(jobId, boundTo, id, boundEvents));
  if (job.attempts >= endpoint.retry.maxAttempts) {
    const detail = "its last lease ended before the attempt was settled";
    return dead(jobId, "attempts_exhausted", detail, endpoint.label, keep());
  }
  return {
    kind: "attempt",
    delivery: {
      endpoint,
      jobId,
      id,
      attempt: job.attempts + 1,
      content,
      enqueuedAt: job.enqueuedAt,
      message: job.message,
      job: withMessage,
      plannedBy: context,
      app: routing.app,
      boundEvents,
      trace: null,
      keep,
    },
  };
}

/** Whether planning a delivery's job again would come to the same: what it was planned by still holds. */
export function isPlannedBy(
  { plannedBy, app, endpoint, job }: Pick<Delivery, "plannedBy" | "app" | "endpoint" | "job">,
  context: PlanContext,
): boolean {
  if (plannedBy === context) return true;
  if (plannedBy.format !== context.format || plannedBy.rawRoutes !== context.rawRoutes) return false;
  return app === null
    ? context.directory.findEndpoint(null, endpoint.name) === endpoint
    : findAppOf(job, context.directory) === app;
}

/** Reasons that may be over when another process' apps have been looked for. */
function isUnknown(reason: RoutingFailure): boolean {
  return reason === "unknown_app" || reason === "unknown_endpoint" || reason === "endpoint_removed";
}

/** A raw message's attributes travel with it once it leaves the backend's own message. */
function addAttributes(decoded: DecodedJob, job: LeasedJob): DecodedJob {
  if (decoded.kind !== "raw" || job.message === null || decoded.source === "native") return decoded;
  return { ...decoded, attributes: job.message.attributes };
}

function bindingOf(id: string, endpoint: string, delivery: string, boundEvents: BoundEvents | null): Binding {
  const binding = { id, endpoint, deliveryId: delivery };
  return boundEvents === null ? binding : { ...binding, boundEvents };
}

/** The envelope to keep a job as; undefined when its stored bytes are that already. */
function keptBody(decoded: DecodedJob, stored: JobBody, binding: Binding): JobBody | undefined {
  const body = encodeNative(decoded, binding);
  return body === stored ? undefined : body;
}

/** What to keep of a body that cannot be read as a job: secrets masked, at most so many bytes. */
export function keepMasked(
  body: JobBody,
  mask: (text: string) => string,
  limitBytes = Number.POSITIVE_INFINITY,
): JobBody {
  if (typeof body === "string") {
    const masked = mask(body);
    if (Buffer.byteLength(masked) <= limitBytes) return masked;
    return Buffer.from(masked).subarray(0, limitBytes).toString("utf8").replace(/�$/, "");
  }
  // Latin-1 maps every byte to one character and back, so that masking works on any bytes.
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  return new Uint8Array(Buffer.from(mask(text), "latin1").subarray(0, limitBytes));
}

function dead(
  jobId: string,
  reason: string,
  detail: string | null,
  endpoint: string | null,
  body: JobBody | undefined,
): Step {
  const disposition = { verb: "dead", reason, detail, endpoint, attempted: false } as const;
  return { kind: "settle", jobId, disposition: body === undefined ? disposition : { ...disposition, body } };
}
