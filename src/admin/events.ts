import { readEventsRequest } from "../jobs/events.ts";
import { readJsonText } from "./body.ts";
import type { AdminDeps } from "./deps.ts";
import { answerFor, requireIntake } from "./enqueue.ts";
import type { EventWriter } from "./event-writer.ts";
import { parseJsonBody } from "./json-body.ts";
import { quote } from "./masked-start.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminContext, type Route } from "./route.ts";

/** POST /v1/apps/{app_id}/events: `{events: [{name, channel, …}]}` becomes a job of that app. */
export function eventRoutes(deps: AdminDeps, writer: EventWriter): Route[] {
  const queue = eventsQueue(deps);
  return [
    route({
      method: "POST",
      path: "/v1/apps/:app/events",
      access: "operator",
      async handle(c) {
        const appId = requireApp(deps, c);
        requireIntake(deps);
        if (queue === null) {
          throw new RequestError(
            "no_event_queue",
            "every queue of queue.queues is raw: events need one that is not",
          );
        }
        if (c.req.raw.headers.has("idempotency-key")) {
          throw new RequestError(
            "idempotency_unsupported",
            "Idempotency-Key works at /v1/queues/{queue}/jobs only: events of several requests may share a job",
          );
        }
        const text = await readJsonText(c, deps.config.server.max_body_bytes);
        const request = readEventsRequest(text);
        if (!request.ok) {
          // Throws first where the text is no JSON at all, with line and column.
          parseJsonBody(text);
          const errors = request.errors.map(({ path, message }) =>
            path === "" ? message : `${path}: ${message}`,
          );
          throw new RequestError("invalid_body", errors.join("; "));
        }
        return answerFor(deps, await writer.write(queue, appId, request.events));
      },
    }),
  ];
}

/** `webhooks`, else the first queue; raw queues deliver bodies verbatim and take no events. */
function eventsQueue(deps: AdminDeps): string | null {
  const usable = deps.config.queue.queues.filter((queue) => queue.format !== "raw").map(({ name }) => name);
  return usable.includes("webhooks") ? "webhooks" : (usable[0] ?? null);
}

function requireApp(deps: AdminDeps, c: AdminContext): string {
  const id = pathParameter(c, "app");
  const app = deps.directory.findApp(id, null);
  if (app === null) {
    throw new RequestError("no_such_app", `no app ${quote(deps.mask, id)} in the configuration`);
  }
  if (app.accept.has("native")) return app.id;
  throw new RequestError(
    "format_not_accepted",
    `app ${app.id} does not accept native jobs, which events become`,
  );
}
