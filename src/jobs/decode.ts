import { isJsonObject, describeType, malformed, parseJson } from "./fields.ts";
import type { JsonObject } from "./fields.ts";
import { isGenericJob, readGenericJob } from "./generic.ts";
import type { DecodedJob, JobBody, MalformedJob, RawJob } from "./job.ts";
import { isNativeJob, nativePrefix, readNativeJob, readOwnEnvelope } from "./native.ts";
import { isSockudoEnvelope, isSockudoJob, readSockudoEnvelope, readSockudoJob } from "./sockudo.ts";
import { isSoketiJob, readSoketiJob } from "./soketi.ts";
import { withTraceparent } from "./traceparent.ts";

export interface DecodeOptions {
  /** The queue's format: "auto" tells jobs apart by their shape, "raw" takes every body as content. */
  readonly format: "auto" | "raw";
  /** Epoch ms, for a generic job without a timestamp; default: the clock. */
  readonly now?: number;
}

/**
 * The job in a body that was leased, told apart by its shape (contract §3); never throws.
 *
 * A malformed one says why in one sentence that quotes nothing of the body.
 */
export function decodeJob(body: JobBody, options: DecodeOptions): DecodedJob | MalformedJob {
  if (options.format === "raw") return decodeRaw(body);
  if (typeof body !== "string") return malformed(describeBytes(body));
  const own = readOwnEnvelope(body);
  if (own !== null) return own;
  const text = withoutByteOrderMark(body);
  const value = parseJson(text);
  if (value === undefined) return malformed(describeText(text));
  return decodeObject(text, value, options.now ?? Date.now());
}

const noOptions: ReadonlySet<string> = new Set();

/**
 * The job in a JSON text that is parsed already.
 *
 * @param text    Exactly the value's text.
 * @param now     Epoch ms, for a generic job without a timestamp.
 * @param options Fields of a generic job that the caller reads itself.
 */
export function decodeObject(
  text: string,
  value: unknown,
  now: number,
  options: ReadonlySet<string> = noOptions,
): DecodedJob | MalformedJob {
  if (!isJsonObject(value)) return malformed(`expected a JSON object, got ${describeType(value)}`);
  if (isNativeJob(value)) return readNativeJob(text, value);
  const job = readForeign(text, value, now, options);
  return job.kind === "malformed" ? job : withTraceparent(job, value["traceparent"]);
}

function readForeign(
  text: string,
  value: JsonObject,
  now: number,
  options: ReadonlySet<string>,
): DecodedJob | MalformedJob {
  if (isSoketiJob(value)) return readSoketiJob(text, value);
  if (isSockudoJob(value)) return readSockudoJob(text, value);
  if (isSockudoEnvelope(value)) return readSockudoEnvelope(text, value);
  if (isGenericJob(value)) return readGenericJob(text, value, now, options);
  return malformed(describeShape(value));
}

/**
 * A raw queue's body. Only an envelope of kind raw is opened there: content that merely looks like another
 * kind of job must not be signed with an app's secret.
 */
function decodeRaw(body: JobBody): RawJob {
  if (typeof body === "string" && body.startsWith(nativePrefix)) {
    const value = parseJson(body);
    const job = isJsonObject(value) ? readNativeJob(body, value) : null;
    if (job?.kind === "raw") return job;
  }
  return rawJob(body);
}

/** A body as it stands, as a raw job. */
export function rawJob(content: JobBody): RawJob {
  return {
    kind: "raw",
    source: "raw",
    id: null,
    content,
    endpoint: null,
    deliveryId: null,
    attributes: {},
  };
}

const binaryFrame =
  "looks like Sockudo v5's packed binary frame (it begins with B), which only Sockudo reads";

/**
 * A text without a byte order mark at its head: files and .NET producers put one there, and JSON.parse takes
 * none (RFC 8259 §8.1 lets a reader skip it). The usual text is given back as it is.
 */
function withoutByteOrderMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function describeBytes(body: Uint8Array): string {
  return body[0] === 0x42 ? binaryFrame : "not UTF-8 text";
}

function describeText(text: string): string {
  if (text.trim() === "") return "empty";
  return text.startsWith("B") ? binaryFrame : "not JSON";
}

/** The values of `Type` in what SNS sends to a queue whose subscription has no raw delivery (AWS SNS, "message formats"). */
const snsTypes: ReadonlySet<unknown> = new Set([
  "Notification",
  "SubscriptionConfirmation",
  "UnsubscribeConfirmation",
]);

function describeShape(object: JsonObject): string {
  if (snsTypes.has(object["Type"]) && object["TopicArn"] !== undefined) {
    return 'an SNS envelope around the message: switch on "SNS raw message delivery" for this queue\'s subscription';
  }
  if (object["events"] !== undefined) return "a payload without the app it belongs to";
  if (object["payload"] !== undefined) return "a payload without app_id and app_key";
  return "no known form of job: expected Sockudo's, Soketi's, hookline's own, or {type, data}";
}
