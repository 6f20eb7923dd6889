import type { ChildStatus } from "../supervisor/child.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { maskedStart, quote } from "../secrets/masked-start.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";

/**
 * GET /v1/workers, restart, and with `supervisor.allow_crash` the rehearsed faults crash and stall.
 *
 * A worker's id has a slash in it (`webhooks/loop-3`); it may stand in the path as it is or as %2F.
 */
export function workerRoutes(deps: AdminDeps): Route[] {
  type Verb = "restart" | "crash" | "stall";
  // Two patterns of plain segments: one that takes any number of them costs seconds for a path of many slashes.
  const act = (verb: Verb, access: Route["access"]): Route[] =>
    ["/v1/workers/:id", "/v1/workers/:queue/:name"].map((path) => actAt(`${path}/${verb}`, verb, access));
  const actAt = (path: string, verb: Verb, access: Route["access"]): Route =>
    route({
      method: "POST",
      path,
      access,
      handle(request) {
        if (verb !== "restart" && !deps.live.config.supervisor.allow_crash) {
          throw new RequestError(
            "crash_not_allowed",
            "set supervisor.allow_crash to true to rehearse crashes and stalls",
          );
        }
        const id =
          pathParameter(request, "id") ||
          `${pathParameter(request, "queue")}/${pathParameter(request, "name")}`;
        const came = deps.supervisor[verb](id);
        if (came === "unknown") {
          throw new RequestError(
            "unknown_worker",
            `no worker ${quote(deps.mask, id, 200)}: GET /v1/workers lists them`,
          );
        }
        if (came === "not_running") {
          throw new RequestError(
            "worker_not_running",
            `${id} is not running just now, so there is nothing to ${verb}: GET /v1/workers says what it is at`,
          );
        }
        deps.log.warn(`an operator asked for a worker's ${verb}`, { worker: id });
        return jsonReply({ id, requested: verb }, 202);
      },
    });
  return [
    route({
      method: "GET",
      path: "/v1/workers",
      access: "read",
      reach: { apps: "none" },
      query: { limit: shortListLimit, cursor: cursorParameter },
      handle: (_request, { query }) =>
        shortListReply(
          {
            name: "workers",
            entries: deps.supervisor.children(),
            keyOf: ({ id }) => id,
            describe: (child) => describe(deps, child),
          },
          query,
        ),
    }),
    ...act("restart", "operate"),
    ...act("crash", "token"),
    ...act("stall", "token"),
  ];
}

function describe(deps: AdminDeps, child: ChildStatus): Record<string, unknown> {
  return {
    id: child.id,
    state: child.state,
    restarts: child.restarts,
    last_error: child.lastError === null ? null : maskedStart(deps.mask, child.lastError, 500),
    last_progress_at: isoTime(child.lastProgressAt),
    progress_age_ms: Math.round(child.progressAgeMs),
  };
}
