import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { describeType, idField, isMalformed, malformed, nameFields } from "./fields.ts";
import type { JsonObject } from "./fields.ts";
import type { MalformedJob, PusherJob } from "./job.ts";
import { readEvents } from "./payload.ts";
import { memberText } from "./spans.ts";

/**
 * Soketi's jobs: `{appKey, appId, payload:{time_ms, events}, originalPusherSignature}`.
 */

/** Whether an object has the shape of a Soketi job. */
export function isSoketiJob(object: JsonObject): boolean {
  return (
    object["appId"] !== undefined ||
    object["appKey"] !== undefined ||
    object["originalPusherSignature"] !== undefined
  );
}

/** The job in a Soketi message; its signature is carried along, not checked. */
export function readSoketiJob(text: string, object: JsonObject): PusherJob | MalformedJob {
  const id = idField(text, object, "id", "job_id");
  const names = nameFields(text, object, ["appId", "appKey"]);
  if (isMalformed(id)) return id;
  if (isMalformed(names)) return names;
  const { appId, appKey } = names;
  if (appId === null && appKey === null) return malformed("a Soketi job without appId and appKey");
  const signature = object["originalPusherSignature"];
  if (typeof signature !== "string") {
    return malformed(`originalPusherSignature: expected a string, got ${describeType(signature)}`);
  }
  const events = readEvents(object["payload"]);
  if (typeof events === "string") return malformed(events);
  return {
    kind: "pusher",
    source: "soketi",
    id,
    appId,
    appKey,
    payload: memberText(text, "payload") ?? "",
    events,
    signature,
    endpoint: null,
    boundEvents: null,
    deliveryId: null,
  };
}

/**
 * Whether a Soketi signature, hex HMAC-SHA256 of the payload's bytes as they stand in the message, is
 * one of these secrets'. Takes the same time whatever the signature is.
 */
export function verifySoketiSignature(
  payload: string,
  signature: string,
  secrets: Iterable<string>,
): boolean {
  const given = Buffer.from(signature.toLowerCase());
  let matches = false;
  for (const secret of secrets) {
    const expected = Buffer.from(createHmac("sha256", secret).update(payload).digest("hex"));
    if (given.length === expected.length && timingSafeEqual(given, expected)) matches = true;
  }
  return matches;
}
