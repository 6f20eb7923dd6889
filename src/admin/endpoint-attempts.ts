import { attemptsPerEndpoint, type LoggedAttempt } from "../endpoints/log.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointParameter } from "./endpoint-path.ts";
import { outcomeMembers } from "./endpoint-probe.ts";
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
