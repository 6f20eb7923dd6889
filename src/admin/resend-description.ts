import * as v from "valibot";
import { text } from "./answer-kinds.ts";
import { operationAnswers } from "./operations/view.ts";
import { answer, type RouteDescription } from "./description.ts";
import { intakeCodes } from "./enqueue.ts";

/** What an answer says beside an old webhook-id. */
export const sameIdNote =
  "sent under the webhook-id that the receiver may have seen: one that keeps ids takes it for a repeat and drops it; new_id: true sends it under a new one";

const resentAnswer = () =>
  v.object({
    job_id: text("Id of the new job."),
    status: v.picklist(["enqueued", "duplicate", "discarded"]),
    queue: v.string(),
    endpoint: text("Label of the endpoint."),
    webhook_id: text("What the receiver will see."),
    resend_of: text("Id of the delivery."),
    note: v.optional(text("What a receiver that keeps ids makes of it.")),
  });

export const aboutResend = () =>
  ({
    id: "resendDelivery",
    summary: "Send a delivery again",
    details:
      "A new job, bound to the same endpoint, with the same payload; under the old `webhook-id` unless `new_id` is true.",
    parameters: { id: "Id of the delivery, as GET /v1/deliveries lists it." },
    answers: {
      202: answer("The backend has the new job.", resentAnswer(), {
        job_id: "0b9c1f4e8d7a",
        status: "enqueued",
        queue: "webhooks",
        endpoint: "shop/orders",
        webhook_id: "order-17_0f3a9c21",
        resend_of: "d8k2-17",
        note: sameIdNote,
      }),
    },
    errors: [
      "unknown_delivery",
      "history_off",
      "history_unavailable",
      "body_not_kept",
      ["unknown_endpoint", 422],
      "endpoint_disabled",
      "not_wanted",
      "no_route",
      ...intakeCodes,
    ],
    example: { path: { id: "d8k2-17" }, body: { new_id: false } },
  }) satisfies RouteDescription;

export const aboutResendMany = () =>
  ({
    id: "resendDeliveries",
    summary: "Send all deliveries again that fit a filter",
    details:
      "Each `webhook-id` once, in the order in which they were sent first; those still to be tried only where `state` asks for them. The answer is an operation, as that of a redrive. A dry run needs scope `read` only.",
    answers: operationAnswers({
      kind: "resend",
      queue: null,
      request: { filter: { endpoint: "shop/orders", since: "-1d" } },
      total: null,
      looked: 4000,
      skipped: { body_not_kept: 2 },
      matched: 3,
      done: 1,
      redriven: undefined,
      resent: 1,
      jobs: [{ resend_of: "d8k2-17", job_id: "0b9c1f4e8d7a" }],
      note: sameIdNote,
    }),
    errors: ["empty_filter", "history_off", "history_unavailable", "too_many_operations", ...intakeCodes],
    example: { body: { filter: { endpoint: "shop/orders", since: "-1d" }, dry_run: true } },
  }) satisfies RouteDescription;
