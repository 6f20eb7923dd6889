import { describeType, idField, isMalformed, malformed } from "./fields.ts";
import type { JsonObject } from "./fields.ts";
import type { GenericJob, MalformedJob } from "./job.ts";
import { memberText } from "./spans.ts";

/**
 * Generic jobs: `{type, data, endpoint | app_id, id?, timestamp?}`, delivered as `{type, timestamp, data}` to a
 * named endpoint or to an app's webhooks that want the type.
 */

const fields = new Set(["type", "data", "endpoint", "app_id", "id", "job_id", "timestamp", "traceparent"]);

/** Whether an object has the shape of a generic job. */
export function isGenericJob(object: JsonObject): boolean {
  return object["type"] !== undefined && object["data"] !== undefined;
}

/**
 * The generic job in a message.
 *
 * Unknown fields are refused, so that a delay or a URL that cannot be honoured here is not lost without a word.
 *
 * @param now     Epoch ms: the timestamp of a job that has none.
 * @param options Fields that the caller reads itself (`delay_ms` and the like, at HTTP enqueue).
 */
export function readGenericJob(
  text: string,
  object: JsonObject,
  now: number,
  options: ReadonlySet<string>,
): GenericJob | MalformedJob {
  for (const key of Object.keys(object)) {
    if (key === "url") return malformed("url: a job names a configured endpoint, never a URL");
    // Never quoted in full: an unknown key is the producer's text.
    if (!fields.has(key) && !options.has(key)) {
      return malformed(`${JSON.stringify(key.slice(0, 40))}: a generic job has no such field here`);
    }
  }
  const { type, endpoint, app_id: appId, timestamp } = object;
  const id = idField(text, object, "id", "job_id");
  if (isMalformed(id)) return id;
  if (typeof type !== "string" || type === "" || type.length > 256) {
    return malformed(`type: expected 1 to 256 characters, got ${describeType(type)}`);
  }
  const isNamed = typeof endpoint === "string" && endpoint !== "";
  const isForApp = typeof appId === "string" && appId !== "";
  if (endpoint !== undefined && !isNamed) {
    return malformed(`endpoint: expected the name of an endpoint, got ${describeType(endpoint)}`);
  }
  if (appId !== undefined && !isForApp) {
    return malformed(`app_id: expected the id of an app, got ${describeType(appId)}`);
  }
  if (isNamed === isForApp) return malformed("expected either endpoint or app_id");
  if (timestamp !== undefined && !isTimestamp(timestamp)) {
    return malformed("timestamp: expected an ISO 8601 date and time");
  }
  return {
    kind: "generic",
    source: "native",
    id,
    type,
    timestamp: timestamp ?? new Date(now).toISOString(),
    data: memberText(text, "data") ?? "null",
    appId: isForApp ? appId : null,
    endpoint: isNamed ? endpoint : null,
    deliveryId: null,
  };
}

/** How ISO 8601 and Standard Webhooks spell a date and time. */
export const dateTimePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** Whether a value is a date and time as ISO 8601 and Standard Webhooks write it. */
export function isTimestamp(value: unknown): value is string {
  return typeof value === "string" && dateTimePattern.test(value) && !Number.isNaN(Date.parse(value));
}

/** The body a receiver of a generic job gets: `{type, timestamp, data}`, data byte for byte. */
export function genericContent(job: GenericJob): string {
  return `{"type":${JSON.stringify(job.type)},"timestamp":${JSON.stringify(job.timestamp)},"data":${job.data}}`;
}
