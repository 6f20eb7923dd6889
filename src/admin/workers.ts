import type { ChildStatus } from "../supervisor/child.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonResponse } from "./json.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, type Route } from "./route.ts";

/**
 * GET /v1/workers, restart, and with `supervisor.allow_crash` the rehearsed faults crash and stall.
 *
 * A worker's id has a slash in it (`webhooks/loop-3`); it may stand in the path as it is or as %2F.
 */
export function workerRoutes(deps: AdminDeps): Route[] {
  const act = (verb: "restart" | "crash" | "stall", access: Route["access"]): Route => ({
    method: "POST",
    path: `/v1/workers/:id{.+}/${verb}`,
    access,
    handle(c) {
      if (verb !== "restart" && !deps.config.supervisor.allow_crash) {
        throw new RequestError(
          "crash_not_allowed",
          "set supervisor.allow_crash to true to rehearse crashes and stalls",
        );
      }
      const id = pathParameter(c, "id");
      const came = deps.supervisor[verb](id);
      if (came === "unknown") {
        throw new RequestError(
          "unknown_worker",
          `no worker ${JSON.stringify(deps.mask(id.slice(0, 200)))}: GET /v1/workers lists them`,
        );
      }
      if (came === "not_running") {
        throw new RequestError(
          "worker_not_running",
          `${id} is not running just now, so there is nothing to ${verb}: GET /v1/workers says what it is at`,
        );
      }
      deps.log.warn(`an operator asked for a worker's ${verb}`, { worker: id });
      return jsonResponse({ id, requested: verb }, 202);
    },
  });
  return [
    {
      method: "GET",
      path: "/v1/workers",
      access: "operator",
      handle: () =>
        jsonResponse({ workers: deps.supervisor.children().map((child) => describe(deps, child)) }),
    },
    act("restart", "operator"),
    act("crash", "token"),
    act("stall", "token"),
  ];
}

function describe(deps: AdminDeps, child: ChildStatus): Record<string, unknown> {
  return {
    id: child.id,
    state: child.state,
    restarts: child.restarts,
    last_error: child.lastError === null ? null : deps.mask(child.lastError),
    last_progress_at: isoTime(child.lastProgressAt),
    progress_age_ms: Math.round(child.progressAgeMs),
  };
}
