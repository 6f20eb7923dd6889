import * as v from "valibot";
import type { Problem } from "../problems/list.ts";
import { text, time } from "./answer-kinds.ts";
import { answer } from "./description.ts";
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
      about: () => ({
        id: "listProblems",
        summary: "List what stands wrong, the gravest first",
        answers: {
          200: answer(
            "The problems; an empty array where all is well.",
            v.array(
              v.object({
                id: text("The same while it stands."),
                kind: text("As in `checks` of /health, as `backend_unreachable`."),
                severity: v.picklist(["error", "warning", "note"]),
                object: text("The queue, endpoint or loop that it is about; empty for the process."),
                since: time("When it began."),
                detail: text("What is wrong."),
                remedy: text("What to do."),
              }),
            ),
            [
              {
                id: "snapshots_only",
                kind: "snapshots_only",
                severity: "note",
                object: "",
                since: "2026-12-01T12:00:00.000Z",
                detail: "appendonly is no",
                remedy: "switch the append-only file on (Redis: appendonly yes)",
              },
            ],
            { "x-total-count": "How many there are." },
          ),
        },
      }),
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
