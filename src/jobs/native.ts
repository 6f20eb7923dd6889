import { Buffer } from "node:buffer";
import { describeType, isJsonObject, isMalformed, malformed, nameFields, parseJson } from "./fields.ts";
import type { JsonObject } from "./fields.ts";
import { isTimestamp } from "./generic.ts";
import { deliveryIdPattern, safeJobId } from "./id.ts";
import { jobIdPattern } from "./job.ts";
import type { BoundEvents, DecodedJob, JobBody, MalformedJob, PusherJob } from "./job.ts";
import { readEvents } from "./payload.ts";
import { memberText } from "./spans.ts";
import { readTraceparent } from "./traceparent.ts";

/**
 * The native envelope: what hookline itself writes into a backend. One JSON text, without any secret:
 *
 *     {"hookline":1,"id":"…","kind":"pusher","app_id":"…","app_key":"…","source":"soketi","signature":"…",
 *      "endpoint":"…","delivery_id":"…","bound_events":[0,2],"payload":{…}}
 *     {"hookline":1,"id":"…","kind":"generic","app_id":"…","endpoint":"…","type":"…","timestamp":"…","data":…}
 *     {"hookline":1,"id":"…","kind":"raw","endpoint":"…","attributes":{…},"content_encoding":"base64","content":"…"}
 *
 * Fields that are null are left out; payload and data stand last, byte for byte. `endpoint` and `delivery_id`
 * are there once the job is bound to one endpoint: when it was retried, parked or given up, and in the
 * children of a fan-out. `bound_events` beside them says which of the payload's events the delivery consists
 * of ("all", or their places), so that another filter does not change what is delivered under one id; the
 * payload stays whole for the sake of its signature. `api` is the revision of the stored apps that a job is to be routed
 * by at least. `resend_of` names the delivery that a job sends again. `redirected` (true) says that somebody sent it to this
 * endpoint, which need not be one that it was for. `source` is the form the job came in, where that was not native.
 *
 * Soketi's signature stays with its payload and is checked again at each routing: otherwise whoever can
 * write to the backend could pass an unsigned job off as one that was checked.
 */

/** How every envelope that hookline wrote begins. */
export const nativePrefix = '{"hookline":1,';

/** What an envelope says beyond the job itself. */
export interface Binding {
  /** The job's id: the wire's, or the one given at enqueue or first lease. */
  readonly id: string;
  /** The endpoint's name; null while the job is not bound. */
  readonly endpoint: string | null;
  /** The delivery's id (jobs/id.ts); null while the job is not bound. */
  readonly deliveryId: string | null;
  /** The events the delivery consists of; absent = those that the job itself says. */
  readonly boundEvents?: BoundEvents;
  /** See DecodedJob; 0 and absent = none is said. */
  readonly apiRevision?: number;
}

/** The envelope of a job; never holds app_secret. */
export function encodeNative(job: DecodedJob, binding: Binding): string {
  return nativeHead(job, binding) + nativeTail(job);
}

/** The first part of an envelope: what is another for each delivery of a job. */
export function nativeHead(job: DecodedJob, binding: Binding): string {
  return (
    `${nativePrefix}"id":${JSON.stringify(binding.id)},"kind":"${job.kind}"` +
    (job.kind === "raw" ? "" : field("app_id", job.appId)) +
    (job.kind === "pusher" ? pusherHead(job) : "") +
    field("endpoint", binding.endpoint) +
    field("delivery_id", binding.deliveryId) +
    field("api", binding.apiRevision || null) +
    field("resend_of", job.resendOf ?? null) +
    (job.traceparent === undefined ? "" : field("traceparent", job.traceparent)) +
    field("redirected", job.redirected ?? null) +
    (job.kind === "pusher" ? field("bound_events", binding.boundEvents ?? job.boundEvents) : "")
  );
}

/** The rest of an envelope: the payload, the same for all deliveries of a job. */
export function nativeTail(job: DecodedJob): string {
  if (job.kind === "pusher") return `,"payload":${job.payload}}`;
  if (job.kind === "generic") {
    return `${field("type", job.type)}${field("timestamp", job.timestamp)},"data":${job.data}}`;
  }
  const attributes = Object.keys(job.attributes).length === 0 ? null : job.attributes;
  return `${field("attributes", attributes)}${contentFields(job.content)}}`;
}

/** Whether an object has the shape of a native envelope. */
export function isNativeJob(object: JsonObject): boolean {
  return object["hookline"] !== undefined;
}

const payloadMark = ',"payload":{';

/**
 * The job in an envelope that ends with its payload, as encodeNative writes it; null for every other text.
 *
 * The two parts are parsed each by itself: that both are whole JSON values proves where the payload begins
 * and ends, so that nobody has to look for it. A text that only looks like one is left to readNativeJob.
 */
export function readOwnEnvelope(text: string): DecodedJob | MalformedJob | null {
  if (!text.startsWith(nativePrefix) || !text.endsWith("}}")) return null;
  const at = text.indexOf(payloadMark);
  if (at === -1) return null;
  const head = parseJson(`${text.slice(0, at)}}`);
  const payload = text.slice(at + payloadMark.length - 1, -1);
  const value = parseJson(payload);
  if (!isJsonObject(head) || value === undefined) return null;
  return readNativeJob(text, { ...head, payload: value }, payload);
}

/**
 * The job in a native envelope.
 *
 * @param payload The payload's text, where the caller knows it.
 */
export function readNativeJob(text: string, object: JsonObject, payload?: string): DecodedJob | MalformedJob {
  if (object["hookline"] !== 1) return malformed("hookline: this envelope is not version 1");
  const names = nameFields(text, object, ["id", "endpoint", "app_id", "app_key"]);
  if (isMalformed(names)) return names;
  const id = names.id === null ? null : safeJobId(names.id);
  const { endpoint } = names;
  const deliveryId = object["delivery_id"] ?? null;
  if (deliveryId !== null && (typeof deliveryId !== "string" || !deliveryIdPattern.test(deliveryId))) {
    return malformed("delivery_id: expected up to 137 letters, digits, _ and -");
  }
  const revision = object["api"];
  const isRevision = typeof revision === "number" && Number.isSafeInteger(revision) && revision > 0;
  const resendOf = object["resend_of"] ?? null;
  if (resendOf !== null && (typeof resendOf !== "string" || !jobIdPattern.test(resendOf))) {
    return malformed("resend_of: expected up to 128 letters, digits, _ and -");
  }
  const redirected = object["redirected"] ?? null;
  if (redirected !== null && (redirected !== true || endpoint === null)) {
    return malformed("redirected: expected true, beside an endpoint");
  }
  const traceparent =
    object["traceparent"] === undefined ? undefined : readTraceparent(object["traceparent"]);
  const common: Common = {
    id,
    endpoint,
    deliveryId,
    ...(redirected === null ? {} : { redirected }),
    ...(isRevision ? { apiRevision: revision } : {}),
    ...(resendOf === null ? {} : { resendOf }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  const { app_id: appId, app_key: appKey } = names;
  if (object["kind"] === "pusher") return readPusher(text, object, { ...common, appId, appKey }, payload);
  if (object["kind"] === "generic") return readGeneric(text, object, { ...common, appId });
  if (object["kind"] === "raw") return readRaw(object, common);
  return malformed('kind: expected "pusher", "generic" or "raw"');
}

interface Common {
  readonly id: string | null;
  readonly endpoint: string | null;
  readonly deliveryId: string | null;
  readonly apiRevision?: number;
  readonly resendOf?: string;
  readonly traceparent?: string;
  readonly redirected?: true;
}

function readPusher(
  text: string,
  object: JsonObject,
  common: Common & { readonly appId: string | null; readonly appKey: string | null },
  payload?: string,
): DecodedJob | MalformedJob {
  const source = object["source"] ?? "native";
  const signature = object["signature"] ?? null;
  if (source !== "native" && source !== "soketi" && source !== "sockudo") {
    return malformed('source: expected "native", "soketi" or "sockudo"');
  }
  if (source === "soketi" ? typeof signature !== "string" : signature !== null) {
    return malformed("signature: expected a string in a job that came from Soketi, and none in others");
  }
  const events = readEvents(object["payload"]);
  if (typeof events === "string") return malformed(events);
  const boundEvents = object["bound_events"] ?? null;
  if (!isBoundEvents(boundEvents, events.length)) {
    return malformed('bound_events: expected "all", or places of the payload\'s events in ascending order');
  }
  return {
    kind: "pusher",
    source,
    payload: payload ?? memberText(text, "payload") ?? "",
    events,
    signature: typeof signature === "string" ? signature : null,
    boundEvents,
    ...common,
  };
}

function isBoundEvents(value: unknown, count: number): value is BoundEvents | null {
  if (value === null || value === "all") return true;
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every(
    (place, at) =>
      Number.isSafeInteger(place) && place < count && place > (at === 0 ? -1 : (value[at - 1] as number)),
  );
}

function readGeneric(
  text: string,
  object: JsonObject,
  common: Common & { readonly appId: string | null },
): DecodedJob | MalformedJob {
  const { type, timestamp } = object;
  if (typeof type !== "string" || type === "") return malformed("type: expected a string");
  if (!isTimestamp(timestamp)) return malformed("timestamp: expected an ISO 8601 date and time");
  const data = memberText(text, "data");
  if (data === null) return malformed("data: missing");
  if (common.appId === null && common.endpoint === null) return malformed("expected app_id or endpoint");
  return { kind: "generic", source: "native", type, timestamp, data, ...common };
}

function readRaw(object: JsonObject, common: Common): DecodedJob | MalformedJob {
  const { content, content_encoding: encoding, attributes = {} } = object;
  if (typeof content !== "string")
    return malformed(`content: expected a string, got ${describeType(content)}`);
  if (encoding !== undefined && encoding !== "base64")
    return malformed('content_encoding: expected "base64"');
  if (!isJsonObject(attributes) || !Object.values(attributes).every((value) => typeof value === "string")) {
    return malformed("attributes: expected an object of strings");
  }
  return {
    kind: "raw",
    source: "native",
    content: encoding === "base64" ? new Uint8Array(Buffer.from(content, "base64")) : content,
    attributes: attributes as Readonly<Record<string, string>>,
    ...common,
  };
}

function pusherHead(job: PusherJob): string {
  const source = job.source === "native" ? null : job.source;
  return field("app_key", job.appKey) + field("source", source) + field("signature", job.signature);
}

function contentFields(content: JobBody): string {
  if (typeof content === "string") return field("content", content);
  const base64 = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("base64");
  return field("content_encoding", "base64") + field("content", base64);
}

function field(name: string, value: unknown): string {
  return value === null ? "" : `,"${name}":${JSON.stringify(value)}`;
}
