import { genericContent } from "../jobs/generic.ts";
import type {
  BoundEvents,
  DecodedJob,
  GenericJob,
  JobBody,
  JobEvent,
  PusherJob,
  RawJob,
} from "../jobs/job.ts";
import { payloadText, splitPayload } from "../jobs/payload.ts";
import { verifySoketiSignature } from "../jobs/soketi.ts";
import type { App, Directory, Endpoint } from "./endpoint.ts";

/** One job for one receiver: the endpoint and the exact body to be signed and sent. */
export interface Delivery {
  readonly endpoint: Endpoint;
  readonly content: JobBody;
  /** Which of a Pusher job's events the content holds; null for other jobs. */
  readonly boundEvents: BoundEvents | null;
}

/** Why a job is given up before any attempt (contract §3). */
export type RoutingFailure =
  | "unknown_app"
  | "bad_signature"
  | "format_not_accepted"
  | "unknown_endpoint"
  | "endpoint_removed"
  | "not_wanted"
  | "no_route";

/** Failures that another process, configured otherwise, may not have (contract §2, unknown_grace_ms). */
export const unknownHere: ReadonlySet<string> = new Set<RoutingFailure>([
  "unknown_app",
  "unknown_endpoint",
  "endpoint_removed",
  "bad_signature",
  "no_route",
  "format_not_accepted",
]);

/** What is to be done with a job. */
export type Routing =
  /** At least one delivery; `app` is null for named endpoints. */
  | { readonly kind: "deliver"; readonly app: App | null; readonly deliveries: readonly Delivery[] }
  /** No endpoint of the app wants a job that is bound to none: done. */
  | { readonly kind: "nothing" }
  /** Given up; `detail` is one sentence without secrets, `endpoint` the label of the one it was bound to. */
  | {
      readonly kind: "dead";
      readonly reason: RoutingFailure;
      readonly detail: string;
      readonly endpoint: string | null;
    };

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
 * event's bytes and the spelling of time_ms.
 *
 * A job that is bound goes to its endpoint only, with the events it was bound with, whatever the filter has
 * become: under one delivery id the receiver always gets the same bytes. When the filter wants none of them any
 * more, it is dead as `not_wanted`: somebody was promised this delivery, so that an ack would lose it.
 *
 * @param rawRoutes The queue's, where it is a raw one.
 */
export function route(job: DecodedJob, directory: Directory, rawRoutes: RawRoutes | null = null): Routing {
  if (job.redirected === true && job.endpoint !== null) {
    return routeRedirected(job, job.endpoint, directory, rawRoutes);
  }
  if (job.kind === "pusher") return routePusher(job, directory);
  if (job.kind === "generic") return routeGeneric(job, directory);
  return routeRaw(job, directory, rawRoutes);
}

/** The app that a job names; null when it names none, or none that is there. */
export function findAppOf(job: DecodedJob, directory: Directory): App | null {
  if (job.kind === "pusher") return directory.findApp(job.appId, job.appKey);
  return job.kind === "generic" && job.appId !== null ? directory.findApp(job.appId, null) : null;
}

const nothing: Routing = { kind: "nothing" };

function routePusher(job: PusherJob, directory: Directory): Routing {
  const app = findAppOf(job, directory);
  if (app === null) {
    const label = boundLabel(job.appId, job.endpoint);
    if (isBound(job)) return endpointRemoved(label);
    return dead("unknown_app", "there is no app of this id or key", label);
  }
  const label = job.endpoint === null ? null : boundLabel(app.id, job.endpoint);
  if (!app.accept.has(job.source)) {
    return dead("format_not_accepted", `app ${app.id} does not accept ${job.source} jobs`, label);
  }
  if (job.signature !== null) {
    const secrets = [app.secret, ...app.previousSecrets];
    if (!verifySoketiSignature(job.payload, job.signature, secrets)) {
      const detail = `originalPusherSignature does not match any secret of app ${app.id}`;
      return dead("bad_signature", detail, label);
    }
  }
  const endpoints = endpointsOf(directory, app, job.endpoint);
  if (endpoints === null) return noSuchEndpoint(job, app, label);
  const deliveries: Delivery[] = [];
  let contentOf: ((bound: BoundEvents) => string) | null = null;
  for (const endpoint of endpoints) {
    const boundEvents = eventsFor(endpoint, job);
    if (boundEvents === null) continue;
    const content = boundEvents === "all" ? job.payload : (contentOf ??= createPayloadCut(job))(boundEvents);
    deliveries.push({ endpoint, content, boundEvents });
  }
  if (deliveries.length > 0) return { kind: "deliver", app, deliveries };
  return job.endpoint === null ? nothing : notWanted(label);
}

function routeGeneric(job: GenericJob, directory: Directory): Routing {
  if (job.appId === null) {
    const endpoint = job.endpoint === null ? null : directory.findEndpoint(null, job.endpoint);
    if (endpoint === null) return noSuchEndpoint(job, null, job.endpoint);
    const delivery = { endpoint, content: genericContent(job), boundEvents: null };
    return { kind: "deliver", app: null, deliveries: [delivery] };
  }
  const app = findAppOf(job, directory);
  const label = boundLabel(job.appId, job.endpoint);
  if (app === null) {
    return isBound(job) ? endpointRemoved(label) : dead("unknown_app", "there is no app of this id", label);
  }
  if (!app.accept.has("native")) {
    return dead("format_not_accepted", `app ${app.id} does not accept native jobs`, label);
  }
  const endpoints = endpointsOf(directory, app, job.endpoint);
  if (endpoints === null) return noSuchEndpoint(job, app, label);
  const content = genericContent(job);
  const event: JobEvent = { name: job.type, channel: null };
  const deliveries = endpoints
    .filter((endpoint) => wants(endpoint, event))
    .map((endpoint) => ({ endpoint, content, boundEvents: null }));
  if (deliveries.length > 0) return { kind: "deliver", app, deliveries };
  return job.endpoint === null ? nothing : notWanted(label);
}

function routeRaw(job: RawJob, directory: Directory, rawRoutes: RawRoutes | null): Routing {
  const name = job.endpoint ?? rawRoutes?.pick(job) ?? null;
  if (name === null) return dead("no_route", "no route of this queue takes the message", null);
  // A producer's content can look like an envelope: it must not reach what the queue does not lead to.
  if (rawRoutes !== null && !rawRoutes.endpoints.has(name)) {
    if (isBound(job)) return endpointRemoved(name);
    return dead("unknown_endpoint", "the endpoint the job is bound to is not one of this queue's", name);
  }
  const endpoint = directory.findEndpoint(null, name);
  if (endpoint === null) return noSuchEndpoint(job, null, name);
  const delivery = { endpoint, content: job.content, boundEvents: null };
  return { kind: "deliver", app: null, deliveries: [delivery] };
}

/** A job that somebody has sent to this endpoint: whatever that one's filters are, it gets what the job is bound with. */
function routeRedirected(
  job: DecodedJob,
  to: string,
  directory: Directory,
  rawRoutes: RawRoutes | null,
): Routing {
  const isNamed = to.startsWith("-/");
  const name = isNamed ? to.slice(2) : to;
  const app = findAppOf(job, directory);
  const appId = job.kind === "raw" ? null : (app?.id ?? job.appId);
  const label = isNamed ? name : boundLabel(appId, name);
  if (app !== null && job.source !== "raw" && !app.accept.has(job.source)) {
    return dead("format_not_accepted", `app ${app.id} does not accept ${job.source} jobs`, label);
  }
  if (job.kind === "pusher" && job.signature !== null) {
    if (app === null) return dead("unknown_app", "there is no app of this id or key", label);
    const secrets = [app.secret, ...app.previousSecrets];
    if (!verifySoketiSignature(job.payload, job.signature, secrets)) {
      const detail = `originalPusherSignature does not match any secret of app ${app.id}`;
      return dead("bad_signature", detail, label);
    }
  }
  if (job.kind === "raw" && rawRoutes !== null && !rawRoutes.endpoints.has(name)) {
    return dead("no_route", "the endpoint that the job was sent to is not one of this queue's", label);
  }
  const endpoint = isNamed || app !== null ? directory.findEndpoint(isNamed ? null : app, name) : null;
  if (endpoint === null) return endpointRemoved(label);
  const delivery = { endpoint, ...contentOfRedirected(job) };
  return { kind: "deliver", app: isNamed ? null : app, deliveries: [delivery] };
}

function contentOfRedirected(job: DecodedJob): Pick<Delivery, "content" | "boundEvents"> {
  if (job.kind === "raw") return { content: job.content, boundEvents: null };
  if (job.kind === "generic") return { content: genericContent(job), boundEvents: null };
  const boundEvents = job.boundEvents ?? "all";
  return { content: createPayloadCut(job)(boundEvents), boundEvents };
}

/** All endpoints of an app, or the one a job is bound to; null when that one is gone. */
function endpointsOf(directory: Directory, app: App, bound: string | null): readonly Endpoint[] | null {
  if (bound === null) return app.endpoints;
  const endpoint = directory.findEndpoint(app, bound);
  return endpoint === null ? null : [endpoint];
}

/** The events of a job that an endpoint gets; null when it wants none of them. */
function eventsFor(endpoint: Endpoint, { events, boundEvents }: PusherJob): BoundEvents | null {
  if (boundEvents !== null && boundEvents !== "all") {
    return boundEvents.some((place) => wants(endpoint, events[place] as JobEvent)) ? boundEvents : null;
  }
  let wanted = 0;
  for (const event of events) if (wants(endpoint, event)) wanted += 1;
  if (wanted === 0) return null;
  if (wanted === events.length || boundEvents === "all") return "all";
  return events.flatMap((event, place) => (wants(endpoint, event) ? [place] : []));
}

/** Cuts a payload down to some of its events, each with its bytes; the text is taken apart at most once. */
function createPayloadCut({ payload }: PusherJob): (bound: BoundEvents) => string {
  let parts: ReturnType<typeof splitPayload> | null = null;
  return (bound) => {
    if (bound === "all") return payload;
    const { timeMs, events } = (parts ??= splitPayload(payload));
    return payloadText(
      timeMs,
      bound.map((place) => events[place] as string),
    );
  };
}

/** Whether an endpoint wants an event. An event without a channel passes no channel filter. */
export function wants(endpoint: Endpoint, event: JobEvent): boolean {
  const { eventTypes, acceptsChannel } = endpoint;
  if (
    eventTypes !== null &&
    !eventTypes.has(event.name) &&
    !(endpoint.matchesTypePattern?.(event.name) ?? false)
  ) {
    return false;
  }
  return acceptsChannel === null || (event.channel !== null && acceptsChannel(event.channel));
}

/** `app/name` of the endpoint that a job is bound to; null where it is bound to none. */
function boundLabel(appId: string | null, endpoint: string | null): string | null {
  return endpoint === null || appId === null ? endpoint : `${appId}/${endpoint}`;
}

/** Whether hookline itself has bound a job to its endpoint; else the name is one that a producer wrote. */
function isBound({ endpoint, deliveryId }: DecodedJob): boolean {
  return endpoint !== null && deliveryId !== null;
}

function noSuchEndpoint(job: DecodedJob, app: App | null, label: string | null): Routing {
  if (isBound(job)) return endpointRemoved(label);
  const where = app === null ? "there is no endpoint" : `app ${app.id} has no webhook`;
  return dead(
    "unknown_endpoint",
    `${where} of this name; one that is given it gets the job by a redrive`,
    label,
  );
}

function endpointRemoved(label: string | null): Routing {
  const detail =
    "the endpoint that the job was for has been removed; put it back under this name and redrive, or remove the job";
  return dead("endpoint_removed", detail, label);
}

function notWanted(label: string | null): Routing {
  const detail =
    "event_types or filter of the endpoint take none of the events that the job is bound to it with; change them and redrive, or remove it";
  return dead("not_wanted", detail, label);
}

function dead(reason: RoutingFailure, detail: string, endpoint: string | null): Routing {
  return { kind: "dead", reason, detail, endpoint };
}
