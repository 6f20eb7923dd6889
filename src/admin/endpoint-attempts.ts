import * as v from "valibot";
import { attemptsPerEndpoint, type LoggedAttempt } from "../worker/attempt-log.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointParameter } from "./endpoint-path.ts";
import { outcomeMembers } from "./endpoint-probe.ts";
import { isoTime, jsonResponse } from "./json.ts";
import { maskId } from "./mask-id.ts";
import type { Route } from "./route.ts";
import { validate } from "./validate.ts";

const expected = `expected an integer from 1 to ${attemptsPerEndpoint}`;

const attemptsQuery = v.object({
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,6}$/, expected),
      v.transform(Number),
      v.minValue(1, expected),
      v.maxValue(attemptsPerEndpoint, expected),
    ),
    "20",
  ),
});

/**
 * GET /v1/endpoints/{app}/{name}/attempts?limit=: the delivery log, newest first.
 *
 * In memory, of this process, without bodies: what an endpoint answered lately, not an archive.
 */
export function endpointAttemptRoutes(deps: AdminDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/endpoints/:app/:name/attempts",
      access: "operator",
      handle(c) {
        const endpoint = endpointParameter(deps, c);
        const { limit } = validate(attemptsQuery, c.req.query(), "bad_query");
        const made = deps.attempts.list(endpoint, limit);
        return jsonResponse({
          endpoint: endpoint.label,
          scope: "process",
          attempts: made.map((attempt) => describeAttempt(deps, attempt)),
        });
      },
    },
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
