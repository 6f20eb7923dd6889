import type { Problem } from "../problems/list.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { limitParameter } from "./query.ts";
import { route, type Route } from "./route.ts";

/**
 * GET /v1/problems?limit=: what stands wrong, the gravest first and of equal ones the newest, with names.
 *
 * An array of at most `limit` (1 to 1000, which is also the default); the header `x-total-count` says how many
 * there are. Costs no round trip to the backend.
 */
export function problemRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/problems",
      access: "read",
      query: { limit: limitParameter(1000) },
      handle(_request, { query: { limit } }) {
        const problems = deps.problems.list();
        const shown = problems.slice(0, limit).map((problem) => describe(deps, problem));
        return jsonReply(shown, 200, { "x-total-count": String(problems.length) });
      },
    }),
  ];
}

function describe({ mask }: AdminDeps, problem: Problem): Record<string, unknown> {
  return {
    id: mask(problem.id),
    kind: problem.kind,
    severity: problem.severity,
    object: mask(problem.object),
    since: isoTime(problem.since),
    detail: mask(problem.detail),
    remedy: problem.remedy,
  };
}
