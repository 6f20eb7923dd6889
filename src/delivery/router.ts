import { genericContent } from "../jobs/generic.ts";
import type { DecodedJob, GenericJob, JobBody, JobEvent, PusherJob, RawJob } from "../jobs/job.ts";
import { payloadText, splitPayload } from "../jobs/payload.ts";
import { verifySoketiSignature } from "../jobs/soketi.ts";
import type { App, Directory, Endpoint } from "./endpoint.ts";

/** One job for one receiver: the endpoint and the exact body to be signed and sent. */
export interface Delivery {
  readonly endpoint: Endpoint;
  readonly content: JobBody;
}

/** Why a job is given up before any attempt (contract §3). */
export type RoutingFailure =
  | "unknown_app"
  | "bad_signature"
  | "format_not_accepted"
  | "unknown_endpoint"
  | "no_route";

/** What is to be done with a job. */
export type Routing =
  /** At least one delivery; `app` is null for named endpoints. */
  | { readonly kind: "deliver"; readonly app: App | null; readonly deliveries: readonly Delivery[] }
  /** No endpoint wants it: done. */
  | { readonly kind: "nothing" }
  /** Given up; `detail` is one sentence without secrets. */
  | { readonly kind: "dead"; readonly reason: RoutingFailure; readonly detail: string };

/** A raw queue's way to its endpoints (raw-routes.ts). */
export interface RawRoutes {
  /** All endpoints this queue may send to. */
  readonly endpoints: ReadonlySet<string>;
  /** The name of the endpoint that a job goes to; null when no route takes it. */
  pick(job: RawJob): string | null;
}

/**
 * Finds a job's receivers and the body each of them gets. Never throws, and changes nothing.
 *
 * A Pusher payload that an endpoint wants as a whole is its content as it stands; a filtered one keeps each
 * event's bytes and the spelling of time_ms. A job that is bound goes to its endpoint only, and is
 * filtered again: the configuration may have changed since.
 *
 * @param rawRoutes The queue's, where it is a raw one.
 */
export function route(job: DecodedJob, directory: Directory, rawRoutes: RawRoutes | null = null): Routing {
  if (job.kind === "pusher") return routePusher(job, directory);
  if (job.kind === "generic") return routeGeneric(job, directory);
  return routeRaw(job, directory, rawRoutes);
}

const nothing: Routing = { kind: "nothing" };

function routePusher(job: PusherJob, directory: Directory): Routing {
  const app = directory.findApp(job.appId, job.appKey);
  if (app === null) return dead("unknown_app", "the configuration has no app of this id or key");
  if (!app.accept.has(job.source)) {
    return dead("format_not_accepted", `app ${app.id} does not accept ${job.source} jobs`);
  }
  if (job.signature !== null) {
    const secrets = [app.secret, ...app.previousSecrets];
    if (!verifySoketiSignature(job.payload, job.signature, secrets)) {
      return dead("bad_signature", `originalPusherSignature does not match any secret of app ${app.id}`);
    }
  }
  const endpoints = endpointsOf(app, job.endpoint);
  if (endpoints === null) return unknownEndpoint(app);
  const deliveries: Delivery[] = [];
  const filtered = createPayloadFilter(job);
  for (const endpoint of endpoints) {
    const content = filtered(endpoint);
    if (content !== null) deliveries.push({ endpoint, content });
  }
  return deliveries.length === 0 ? nothing : { kind: "deliver", app, deliveries };
}

function routeGeneric(job: GenericJob, directory: Directory): Routing {
  if (job.appId === null) {
    const endpoint = job.endpoint === null ? null : directory.findEndpoint(null, job.endpoint);
    if (endpoint === null) return unknownEndpoint(null);
    return { kind: "deliver", app: null, deliveries: [{ endpoint, content: genericContent(job) }] };
  }
  const app = directory.findApp(job.appId, null);
  if (app === null) return dead("unknown_app", "the configuration has no app of this id");
  if (!app.accept.has("native")) {
    return dead("format_not_accepted", `app ${app.id} does not accept native jobs`);
  }
  const endpoints = endpointsOf(app, job.endpoint);
  if (endpoints === null) return unknownEndpoint(app);
  const content = genericContent(job);
  const event: JobEvent = { name: job.type, channel: null };
  const deliveries = endpoints
    .filter((endpoint) => wants(endpoint, event))
    .map((endpoint) => ({ endpoint, content }));
  return deliveries.length === 0 ? nothing : { kind: "deliver", app, deliveries };
}

function routeRaw(job: RawJob, directory: Directory, rawRoutes: RawRoutes | null): Routing {
  const name = job.endpoint ?? rawRoutes?.pick(job) ?? null;
  if (name === null) return dead("no_route", "no route of this queue takes the message");
  // A producer's content can look like an envelope: it must not reach what the queue does not lead to.
  if (rawRoutes !== null && !rawRoutes.endpoints.has(name)) {
    return dead("unknown_endpoint", "the endpoint the job is bound to is not one of this queue's");
  }
  const endpoint = directory.findEndpoint(null, name);
  if (endpoint === null) return unknownEndpoint(null);
  return { kind: "deliver", app: null, deliveries: [{ endpoint, content: job.content }] };
}

/** All endpoints of an app, or the one a job is bound to; null when that one is gone. */
function endpointsOf(app: App, bound: string | null): readonly Endpoint[] | null {
  if (bound === null) return app.endpoints;
  const endpoint = app.endpoints.find((candidate) => candidate.name === bound);
  return endpoint === undefined ? null : [endpoint];
}

/** The payload text an endpoint gets, or null when it wants none of the events; the text is taken apart at most once. */
function createPayloadFilter(job: PusherJob): (endpoint: Endpoint) => string | null {
  let parts: ReturnType<typeof splitPayload> | null = null;
  return (endpoint) => {
    let wanted = 0;
    for (const event of job.events) if (wants(endpoint, event)) wanted += 1;
    if (wanted === 0) return null;
    if (wanted === job.events.length) return job.payload;
    const { timeMs, events } = (parts ??= splitPayload(job.payload));
    return payloadText(
      timeMs,
      events.filter((_, index) => wants(endpoint, job.events[index] as JobEvent)),
    );
  };
}

/** An event without a channel passes no channel filter. */
function wants(endpoint: Endpoint, event: JobEvent): boolean {
  const { eventTypes, acceptsChannel } = endpoint;
  if (
    eventTypes !== null &&
    !eventTypes.has(event.name) &&
    endpoint.matchesTypePattern?.(event.name) !== true
  ) {
    return false;
  }
  return acceptsChannel === null || (event.channel !== null && acceptsChannel(event.channel));
}

function unknownEndpoint(app: App | null): Routing {
  const where = app === null ? "endpoints" : `the webhooks of app ${app.id}`;
  return dead("unknown_endpoint", `${where} of the configuration have no endpoint of this name`);
}

function dead(reason: RoutingFailure, detail: string): Routing {
  return { kind: "dead", reason, detail };
}
