import { describeType, idField, isJsonObject, isMalformed, malformed, nameFields } from "./fields.ts";
import type { JsonObject } from "./fields.ts";
import type { MalformedJob, PusherJob } from "./job.ts";
import { readEvents } from "./payload.ts";
import { memberText } from "./spans.ts";

/**
 * Sockudo's jobs: `{app_key, app_id, app_secret, payload:{time_ms, events}, original_signature, job_id?}`
 * (v2 to v4, Redis and SQS; v5, SQS), and v5's envelope `{version:2, id, data:<that>}`.
 *
 * `app_secret` is not read: the signing secret is the configured one. `original_signature` is a label
 * that is the same for every event of a channel, so that it must never deduplicate anything.
 */

/** Whether an object has the shape of a Sockudo job. */
export function isSockudoJob(object: JsonObject): boolean {
  return (
    (object["app_id"] !== undefined || object["app_key"] !== undefined) && object["payload"] !== undefined
  );
}

/** Whether an object has the shape of Sockudo v5's envelope. */
export function isSockudoEnvelope(object: JsonObject): boolean {
  return object["version"] !== undefined && object["data"] !== undefined && object["type"] === undefined;
}

/** The job in a Sockudo message. */
export function readSockudoJob(text: string, object: JsonObject): PusherJob | MalformedJob {
  const id = idField(text, object, "job_id", "id");
  const names = nameFields(text, object, ["app_id", "app_key"]);
  if (isMalformed(id)) return id;
  if (isMalformed(names)) return names;
  const events = readEvents(object["payload"]);
  if (typeof events === "string") return malformed(events);
  return {
    kind: "pusher",
    source: "sockudo",
    id,
    appId: names.app_id,
    appKey: names.app_key,
    payload: memberText(text, "payload") ?? "",
    events,
    signature: null,
    endpoint: null,
    boundEvents: null,
    deliveryId: null,
  };
}

/** The job in Sockudo v5's envelope; the envelope's id counts before the job's own. */
export function readSockudoEnvelope(text: string, object: JsonObject): PusherJob | MalformedJob {
  if (object["version"] !== 2) return malformed("version: this envelope is not Sockudo v5's version 2");
  const data = object["data"];
  if (!isJsonObject(data)) return malformed(`data: expected a job, got ${describeType(data)}`);
  if (!isSockudoJob(data))
    return malformed("data: expected a Sockudo job with app_id or app_key, and payload");
  const id = idField(text, object, "id");
  if (isMalformed(id)) return id;
  const job = readSockudoJob(memberText(text, "data") ?? "", data);
  return job.kind === "malformed" || id === null ? job : { ...job, id };
}
