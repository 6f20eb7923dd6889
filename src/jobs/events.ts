import type { NewJob } from "../queue/driver.ts";
import { parseJson } from "./fields.ts";
import { describeType, isJsonObject } from "./fields.ts";
import { newJobId } from "./id.ts";
import type { JobEvent } from "./job.ts";
import { encodeNative } from "./native.ts";
import { payloadText, readEvent } from "./payload.ts";
import { elementSpans, memberSpan } from "./spans.ts";

/** One event of a request, as its text and as routing sees it. */
export interface EventText extends JobEvent {
  /** Byte for byte as it stood in the request. */
  readonly text: string;
  /** The trace of its request; absent in most. */
  readonly traceparent?: string;
}

/** One thing that is wrong in a request's body. */
export interface FieldError {
  /** As in `events[3].channel`; empty for the body as a whole. */
  readonly path: string;
  readonly message: string;
}

/** The events of a request, or everything that is wrong with it. */
export type EventsRequest =
  | { readonly ok: true; readonly events: readonly EventText[] }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** The most errors of one request that are listed; more would only repeat themselves. */
const errorLimit = 20;

/** Reads the body of POST /v1/apps/{app_id}/events: `{"events":[{name, channel?, …}, …]}`. */
export function readEventsRequest(body: string): EventsRequest {
  const request = parseJson(body);
  if (request === undefined) return refuse("", "not JSON");
  if (!isJsonObject(request)) return refuse("", `expected an object, got ${describeType(request)}`);
  const unknown = Object.keys(request).find((key) => key !== "events");
  if (unknown !== undefined) {
    return refuse("", `unknown field ${JSON.stringify(unknown.slice(0, 40))}: expected only events`);
  }
  const list = request["events"];
  if (!Array.isArray(list)) return refuse("events", `expected an array, got ${describeType(list)}`);
  if (list.length === 0) return refuse("events", "expected at least one event");
  const span = memberSpan(body, "events");
  const spans = span === null ? [] : elementSpans(body, span.start);
  const events: EventText[] = [];
  const errors: FieldError[] = [];
  for (const [at, { start, end }] of spans.entries()) {
    const event = readEvent(list[at]);
    if (typeof event !== "string") events.push({ ...event, text: body.slice(start, end) });
    else if (errors.length < errorLimit) errors.push(fieldError(`events[${at}]`, event));
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, events };
}

/**
 * The job of an app's events, ready to be written.
 *
 * @param timeMs Epoch ms of the oldest of them.
 * @param apiRevision What it is to be routed by at least; 0 = nothing is said.
 */
export function createEventsJob(
  appId: string,
  timeMs: number,
  events: readonly EventText[],
  apiRevision = 0,
): NewJob {
  const id = newJobId();
  // A batch has events of several requests and can be in one trace.
  const traceparent = events.find((event) => event.traceparent !== undefined)?.traceparent;
  const payload = payloadText(
    String(timeMs),
    events.map((event) => event.text),
  );
  const body = encodeNative(
    {
      kind: "pusher",
      source: "native",
      id,
      appId,
      appKey: null,
      payload,
      events,
      signature: null,
      endpoint: null,
      boundEvents: null,
      deliveryId: null,
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    { id, endpoint: null, deliveryId: null, apiRevision },
  );
  const routing = routingOfEvents(appId, events);
  return { id, body, delayMs: 0, group: null, deduplicationId: null, routing, dedup: null };
}

/** What a group template (`queue.sqs.message_group_id`) can name: the app, and the first event's channel and name. */
export function routingOfEvents(appId: string, events: readonly JobEvent[]): NonNullable<NewJob["routing"]> {
  const first = events[0];
  return { appId, channel: first?.channel ?? "", event: first?.name ?? "" };
}

/** `.name: expected …` at `events[3]` → path `events[3].name`, message `expected …`. */
function fieldError(at: string, problem: string): FieldError {
  const colon = problem.indexOf(": ");
  return { path: at + problem.slice(0, colon), message: problem.slice(colon + 2) };
}

function refuse(path: string, message: string): EventsRequest {
  return { ok: false, errors: [{ path, message }] };
}
