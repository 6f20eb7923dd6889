import * as v from "valibot";
import { childStates, type ChildStatus } from "../supervisor/child.ts";
import { count, shortListOf, text, time } from "./answer-kinds.ts";
import { answer, type RouteDescription } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { maskedStart, quote } from "../secrets/masked-start.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";

type Verb = "restart" | "crash" | "stall";

/**
 * GET /v1/workers, restart, and with `supervisor.allow_crash` the rehearsed faults crash and stall.
 *
 * A worker's id has a slash in it (`webhooks/loop-3`); it may stand in the path as it is or as %2F.
 */
export function workerRoutes(deps: AdminDeps): Route[] {
  // Two patterns of plain segments: one that takes any number of them costs seconds for a path of many slashes.
  const act = (verb: Verb, access: Route["access"]): Route[] =>
    ["/v1/workers/:id", "/v1/workers/:queue/:name"].map((path) => actAt(`${path}/${verb}`, verb, access));
  const actAt = (path: string, verb: Verb, access: Route["access"]): Route =>
    route({
      method: "POST",
      path,
      access,
      about: () => aboutVerb(verb, path.includes(":queue")),
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
      about: () => ({
        id: "listWorkers",
        summary: "List the supervised parts of the process",
        answers: {
          200: answer("What the supervisor runs.", shortListOf("workers", workerAnswer()), {
            workers: [workerExample],
          }),
        },
      }),
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

const workerAnswer = () =>
  v.object({
    id: text("The queue and what it is there, as `webhooks/loop-3`."),
    state: v.picklist(childStates),
    restarts: count("Since the start of the process."),
    last_error: v.nullable(text("Of its last crash.")),
    last_progress_at: time("When it last did something."),
    progress_age_ms: count("How long ago that was."),
  });

const workerExample: v.InferInput<ReturnType<typeof workerAnswer>> = {
  id: "webhooks/loop-1",
  state: "running",
  restarts: 0,
  last_error: null,
  last_progress_at: "2026-12-01T12:00:00.000Z",
  progress_age_ms: 12,
};

/** @param isTwoSegments The path takes the worker's id in two segments. */
function aboutVerb(verb: Verb, isTwoSegments: boolean): RouteDescription<never> {
  const texts: Readonly<Record<Verb, string>> = {
    restart: "Restart a supervised part",
    crash: "Make a supervised part crash, as a rehearsal",
    stall: "Make a supervised part stand still, as a rehearsal",
  };
  const id = "webhooks/loop-1";
  const [queue = "", name = ""] = id.split("/");
  return {
    id: isTwoSegments ? `${verb}Worker` : `${verb}WorkerById`,
    summary: texts[verb],
    ...(verb === "restart" ? {} : { details: "Only with `supervisor.allow_crash`." }),
    parameters: isTwoSegments
      ? { queue: "First half of the worker's id.", name: "Second half of the worker's id." }
      : { id: "Id of the worker; a slash in it as %2F." },
    answers: {
      202: answer("It was asked to.", v.object({ id: v.string(), requested: v.literal(verb) }), {
        id,
        requested: verb,
      }),
    },
    errors: [
      "unknown_worker",
      "worker_not_running",
      ...(verb === "restart" ? [] : (["crash_not_allowed"] as const)),
    ],
    example: { path: isTwoSegments ? { queue, name } : { id } },
  };
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
