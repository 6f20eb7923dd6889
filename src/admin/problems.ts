import type { Problem } from "../problems/list.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonResponse } from "./json.ts";
import { RequestError } from "./request-error.ts";
import type { AdminContext, Route } from "./route.ts";

/** At about a kilobyte each, an answer stays far below 4 MB. */
const most = 1_000;

/**
 * GET /v1/problems?limit=: what stands wrong, the gravest first and of equal ones the newest, with names.
 *
 * An array of at most `limit` (1 to 1000, which is also the default); the header `x-total-count` says how many
 * there are. Costs no round trip to the backend.
 */
export function problemRoutes(deps: AdminDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/problems",
      access: "operator",
      handle(c) {
        const limit = readLimit(c);
        const problems = deps.problems.list();
        const response = jsonResponse(problems.slice(0, limit).map((problem) => describe(deps, problem)));
        response.headers.set("x-total-count", String(problems.length));
        return response;
      },
    },
  ];
}

function readLimit(c: AdminContext): number {
  const text = c.req.query("limit");
  if (text === undefined) return most;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= most) return limit;
  throw new RequestError("bad_query", `limit: expected an integer from 1 to ${most}`);
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
