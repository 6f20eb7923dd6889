import * as v from "valibot";
import { attemptsPerEndpoint, type LoggedAttempt } from "../endpoints/log.ts";
import { count, text, time } from "./answer-kinds.ts";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointParameter } from "./endpoint-path.ts";
import { outcomeAnswer, outcomeExample, outcomeMembers } from "./endpoint-probe.ts";
import { mayNameQueue } from "./reach.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { maskId } from "../secrets/mask-id.ts";
import { limitParameter } from "./query.ts";
import { route, type Route } from "./route.ts";

/**
 * GET /v1/endpoints/{app}/{name}/attempts?limit=: the delivery log, newest first.
 *
 * In memory, of this process, without bodies: what an endpoint answered lately, not an archive.
 */
export function endpointAttemptRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/endpoints/:app/:name/attempts",
      access: "read",
      reach: { queues: "own" },
      query: { limit: limitParameter(20, attemptsPerEndpoint) },
      about: () => ({
        id: "listAttempts",
        summary: "List the last attempts of this process at an endpoint, the newest first",
        answers: {
          200: answer(
            "Those of the queues that the caller may name.",
            v.object({
              endpoint: text("Label of the endpoint."),
              scope: v.literal("process"),
              attempts: v.array(attemptAnswer()),
            }),
            {
              endpoint: "shop/orders",
              scope: "process",
              attempts: [
                {
                  at: "2026-12-01T12:00:00.012Z",
                  delivery_id: "order-17_0f3a9c21",
                  job_id: "order-17",
                  queue: "webhooks",
                  attempt: 1,
                  ...outcomeExample,
                  next: "dead",
                  retry_in_ms: null,
                  dead_reason: "http_404",
                },
              ],
            },
          ),
        },
        errors: ["no_such_app", "unknown_endpoint"],
        example: { path: { app: "shop", name: "orders" }, query: { limit: "5" } },
      }),
      handle(request, { query }) {
        const endpoint = endpointParameter(deps, request);
        const made = deps.attempts
          .list(endpoint, query.limit)
          .filter(({ queue }) => mayNameQueue(request.caller, queue));
        return jsonReply({
          endpoint: endpoint.label,
          scope: "process",
          attempts: made.map((attempt) => describeAttempt(deps, attempt)),
        });
      },
    }),
  ];
}

const attemptAnswer = () =>
  v.object({
    at: time("When it ended."),
    delivery_id: text("The `webhook-id` that the receiver saw."),
    job_id: v.string(),
    queue: v.string(),
    attempt: count("Counted from 1."),
    ...outcomeAnswer(),
    next: v.pipe(
      v.picklist(["done", "retry", "dead", "released"]),
      v.description("What became of the delivery; `released`: cut off, and ready again."),
    ),
    retry_in_ms: v.nullable(count("How long after its end the next attempt may begin.")),
    dead_reason: v.nullable(v.string()),
  });

function describeAttempt(deps: AdminDeps, attempt: LoggedAttempt): Record<string, unknown> {
  const { next, outcome } = attempt;
  return {
    at: isoTime(attempt.at),
    delivery_id: maskId(deps.mask, attempt.deliveryId),
    job_id: maskId(deps.mask, attempt.jobId),
    queue: attempt.queue,
    attempt: attempt.attempt,
    ...outcomeMembers(deps, outcome),
    next: next.verb,
    retry_in_ms: next.verb === "retry" ? Math.round(next.delayMs) : null,
    dead_reason: next.verb === "dead" ? next.reason : null,
  };
}
