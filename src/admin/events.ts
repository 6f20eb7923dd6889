import type * as v from "valibot";
import type { App } from "../delivery/endpoint.ts";
import { wants } from "../delivery/router.ts";
import { readEventsRequest, type EventText } from "../jobs/events.ts";
import { sha256Hex } from "../jobs/id.ts";
import { readTraceparent } from "../jobs/traceparent.ts";
import type { NewJob } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, type RouteDescription } from "./description.ts";
import { eventsAccepted, eventsBody, eventsDiscarded } from "./job-body.ts";
import { answerFor, intakeCodes, lookForStored, requireIntake } from "./enqueue.ts";
import type { EventWriter } from "./event-writer.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { maskedStart, quote } from "../secrets/masked-start.ts";
import { createPacer } from "../pacer.ts";
import { parseJsonBody, readJsonText } from "./request.ts";
import { mayNameQueue } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";

/** Most names of events in a log line. */
const mostNames = 20;

/**
 * POST /v1/apps/{app_id}/events: `{events: [{name, channel, …}]}` becomes a job of that app.
 *
 * The answer says of each event how many webhooks want it: 0 is often a misspelt name.
 */
export function eventRoutes(deps: AdminDeps, writer: EventWriter): Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/apps/:app/events",
      access: "enqueue",
      reach: { queues: "own" },
      body: eventsBody,
      about: aboutEvents,
      async handle(request) {
        const app = await requireApp(deps, request);
        requireIntake(deps);
        const queue = eventsQueue(deps);
        if (queue === null) {
          throw new RequestError(
            "no_event_queue",
            "every queue of queue.queues is raw: events need one that is not",
          );
        }
        if (!mayNameQueue(request.caller, queue)) {
          throw new RequestError(
            "forbidden",
            `the token may not name the queue ${queue}, which takes events`,
          );
        }
        const key = idempotencyKey(request.headers);
        requireDedup(deps, key);
        const text = await readJsonText(request, deps.live.config.server.max_body_bytes);
        const body = readEventsRequest(text);
        if (!body.ok) {
          // Throws first where the text is no JSON at all, with line and column.
          parseJsonBody(text);
          const errors = body.errors.map(({ path, message }) =>
            path === "" ? message : `${path}: ${message}`,
          );
          throw new RequestError("invalid_body", errors.join("; "));
        }
        const once = key === null ? null : onceOnly(queue, app.id, key, text);
        const traceparent = readTraceparent(request.headers.get("traceparent"));
        const events =
          traceparent === undefined ? body.events : body.events.map((event) => ({ ...event, traceparent }));
        const verdicts = await writer.write(queue, app.id, events, once);
        return answerFor(deps, verdicts, { events: await countWebhooks(deps, app, body.events) });
      },
    }),
  ];
}

const aboutEvents = (): RouteDescription<v.InferInput<typeof eventsBody>> => ({
  id: "sendEvents",
  summary: "Send events to an app's webhooks",
  details:
    "They become one job, with the time of arrival, on the queue `webhooks`, else on the first one that is not raw; with `webhooks.batching` they share it with those of other requests.",
  headers: {
    "idempotency-key": "Makes the same request again harmless: 1 to 255 visible ASCII characters.",
    traceparent:
      "The trace that the job belongs to (W3C); a batch is in that of its first event that has one.",
  },
  answers: {
    200: answer("The driver is `none`: they were counted and discarded.", eventsDiscarded(), {
      accepted: 0,
      discarded: 1,
      reason: "queue driver is none",
      jobs: [{ id: "0b9c1f4e8d7a", status: "discarded" }],
      events: [{ name: "order_paid", webhooks: 1 }],
    }),
    202: answer("The backend has them.", eventsAccepted(), {
      accepted: 1,
      jobs: [{ id: "0b9c1f4e8d7a", status: "enqueued" }],
      events: [{ name: "order_paid", webhooks: 1 }],
    }),
  },
  errors: [
    "no_such_app",
    "format_not_accepted",
    "no_event_queue",
    "invalid_idempotency_key",
    "idempotency_conflict",
    "unsupported_by_driver",
    ...intakeCodes,
  ],
  example: {
    path: { app: "shop" },
    body: { events: [{ name: "order_paid", channel: "orders", data: { id: 17 } }] },
  },
});

/** `webhooks`, else the first queue; raw queues deliver bodies verbatim and take no events. */
function eventsQueue(deps: AdminDeps): string | null {
  const usable = deps.live.config.queue.queues
    .filter((queue) => queue.format !== "raw")
    .map(({ name }) => name);
  return usable.includes("webhooks") ? "webhooks" : (usable[0] ?? null);
}

/** @throws RequestError `unsupported_by_driver` for an Idempotency-Key where the backend cannot deduplicate. */
function requireDedup({ driver }: AdminDeps, key: string | null): void {
  // What is discarded is never there twice.
  if (key === null || driver.capabilities.dedup || driver.capabilities.discards === true) return;
  throw new RequestError(
    "unsupported_by_driver",
    "Idempotency-Key: this queue's driver cannot deduplicate; send without it",
  );
}

/**
 * What makes the same request again a duplicate. A key is its app's own, and apart from those of jobs: two senders
 * who count from 1 must not take each other's place.
 */
function onceOnly(queue: string, appId: string, key: string, text: string): NonNullable<NewJob["dedup"]> {
  return {
    key: `events:${sha256Hex(JSON.stringify([appId, key])).slice(0, 32)}`,
    fingerprint: sha256Hex(`${queue}\n${text}`),
  };
}

/** For each event, how many of the app's webhooks want it, as they are configured now. */
async function countWebhooks(
  deps: AdminDeps,
  app: App,
  events: readonly EventText[],
): Promise<{ name: string; webhooks: number }[]> {
  const pace = createPacer();
  const counts: { name: string; webhooks: number }[] = [];
  for (const event of events) {
    const webhooks = app.endpoints.filter((endpoint) => wants(endpoint, event)).length;
    counts.push({ name: maskedStart(deps.mask, event.name, 200), webhooks });
    await pace();
  }
  const unwanted = new Set(counts.filter(({ webhooks }) => webhooks === 0).map(({ name }) => name));
  if (unwanted.size > 0) {
    const names = [...unwanted].slice(0, mostNames);
    deps.log.debug("no webhook of the app wants these events", {
      app: app.id,
      events: names,
      names: unwanted.size,
    });
  }
  return counts;
}

async function requireApp(deps: AdminDeps, request: AdminRequest): Promise<App> {
  const id = pathParameter(request, "app");
  const find = (): App | null => deps.live.directory.findApp(id, null);
  if (find() === null) await lookForStored(deps);
  const app = find();
  if (app === null) {
    throw new RequestError("no_such_app", `no app ${quote(deps.mask, id)} in the configuration`);
  }
  if (app.accept.has("native")) return app;
  throw new RequestError(
    "format_not_accepted",
    `app ${app.id} does not accept native jobs, which events become`,
  );
}
