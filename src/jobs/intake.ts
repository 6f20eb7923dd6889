import { Buffer } from "node:buffer";
import type { DriverCapabilities, NewJob } from "../queue/driver.ts";
import { decodeObject, rawJob } from "./decode.ts";
import { idField, isJsonObject, isMalformed, parseJson } from "./fields.ts";
import { newJobId, safeJobId, sha256Hex } from "./id.ts";
import { routingOfEvents } from "./events.ts";
import type { DecodedJob, MalformedJob } from "./job.ts";
import { encodeNative, isNativeJob, readNativeJob } from "./native.ts";
import { verifySoketiSignature } from "./soketi.ts";
import { elementSpans } from "./spans.ts";
import { withTraceparent } from "./traceparent.ts";

/** What enqueueing needs to know of an app; delivery's App fits it. */
export interface KnownApp {
  readonly id: string;
  readonly secret: string;
  readonly previousSecrets: readonly string[];
  readonly accept: ReadonlySet<"soketi" | "sockudo" | "native">;
}

export interface IntakeOptions {
  readonly queue: string;
  readonly format: "auto" | "raw";
  /** Finds an app by id, else by key. */
  readonly apps: { findApp(id: string | null, key: string | null): KnownApp | null };
  readonly capabilities: Pick<
    DriverCapabilities,
    "dedup" | "ordersGroups" | "maxDelayMs" | "maxPayloadBytes"
  >;
  /** What the job is to be routed by at least; 0 = nothing is said. */
  readonly apiRevision?: number;
  /** The request's own trace, for jobs that name none. */
  readonly traceparent?: string | undefined;
  /** The request's Idempotency-Key; null when there is none. */
  readonly idempotencyKey: string | null;
  /**
   * Why the configuration leads a job nowhere that names its endpoint itself, or that is raw; null where it leads
   * somewhere. Absent: not asked, because another process consumes the queue and may know better.
   */
  readonly findObstacle?: ((job: DecodedJob) => Obstacle | null) | undefined;
  /** Epoch ms. */
  readonly now: number;
}

/** Why a job would become a dead letter as soon as it is leased. */
export interface Obstacle {
  readonly code: "unknown_endpoint" | "no_route" | "not_wanted";
  readonly message: string;
}

/** Why one job of a request is refused. */
export type IntakeCode =
  | Obstacle["code"]
  | "malformed"
  /** Not given here: the caller finds it. */
  | "forbidden"
  | "unknown_app"
  | "bad_signature"
  | "format_not_accepted"
  | "unsupported_by_driver"
  | "payload_too_large";

export type IntakeItem =
  | { readonly ok: true; readonly job: NewJob }
  /** `id` is the one the item carried, made safe; null when it carried none that could be read. */
  | { readonly ok: false; readonly id: string | null; readonly code: IntakeCode; readonly message: string };

/** A request taken apart: one item per job in order, or the reason why it is no request at all. */
export type Intake =
  | { readonly ok: true; readonly isArray: boolean; readonly items: readonly IntakeItem[] }
  | { readonly ok: false; readonly code: "malformed" | "unsupported_by_driver"; readonly message: string };

/**
 * Reads the body of POST /v1/queues/{queue}/jobs: one job or an array of them, in any form of contract §3,
 * or on a raw queue one content or an array of them.
 *
 * What comes out are native envelopes, bytes kept, without any secret. Apps are looked up, Soketi's signatures
 * checked and endpoints that jobs name looked for here, so that the producer hears of it. One bad item spoils no
 * other.
 */
export function readJobs(body: string, options: IntakeOptions): Intake {
  if (options.idempotencyKey !== null && !options.capabilities.dedup) {
    const message = "Idempotency-Key: this queue's driver cannot deduplicate; send without it";
    return { ok: false, code: "unsupported_by_driver", message };
  }
  const value = parseJson(body);
  if (value === undefined) {
    return {
      ok: false,
      code: "malformed",
      message: "the body is not JSON: expected one job or an array of jobs",
    };
  }
  if (!Array.isArray(value))
    return { ok: true, isArray: false, items: [readItem(body.trim(), value, 0, options)] };
  const items = elementSpans(body).map(({ start, end }, at) =>
    readItem(body.slice(start, end), value[at] as unknown, at, options),
  );
  return { ok: true, isArray: true, items };
}

type Refusal = Extract<IntakeItem, { ok: false }>;

/** The fields beside the job itself. */
const itemOptions: ReadonlySet<string> = new Set(["delay_ms", "group", "deduplication_id"]);

function readItem(text: string, value: unknown, at: number, options: IntakeOptions): IntakeItem {
  const job = decodeItem(text, value, options);
  const givenId = jobId(text, value, job);
  const refuse = (code: IntakeCode, message: string): Refusal => ({ ok: false, id: givenId, code, message });
  if (job.kind === "malformed") return refuse("malformed", job.detail);
  // It passes over the filters and the reach of whoever sends it.
  if (job.redirected === true) {
    return refuse("malformed", "redirected: only a redrive sets it; send the job to the endpoint it is for");
  }
  // On a raw queue the fields of the content are the receiver's own; only an envelope has options.
  const settings = job.source === "raw" || !isJsonObject(value) ? {} : value;
  const delayMs = settings["delay_ms"] ?? 0;
  const group = settings["group"] ?? null;
  const deduplicationId = settings["deduplication_id"] ?? null;
  if (typeof delayMs !== "number" || !Number.isSafeInteger(delayMs) || delayMs < 0) {
    return refuse("malformed", "delay_ms: expected a whole number of milliseconds, 0 or more");
  }
  if (!isNullOrName(group)) return refuse("malformed", "group: expected a string that is not empty");
  if (!isNullOrName(deduplicationId)) {
    return refuse("malformed", "deduplication_id: expected a string that is not empty");
  }
  const unsupported = unsupportedOption({ delayMs, group, deduplicationId }, options.capabilities);
  if (unsupported !== null) return refuse("unsupported_by_driver", unsupported);
  const known = job.kind === "raw" ? job : findApp(job, options);
  if ("code" in known) return refuse(known.code, known.message);
  const found = known.traceparent === undefined ? withTraceparent(known, options.traceparent) : known;
  const obstacle = found.kind === "raw" || found.endpoint !== null ? options.findObstacle?.(found) : null;
  if (obstacle) return refuse(obstacle.code, obstacle.message);
  const id = givenId ?? newJobId();
  const binding = {
    id: found.deliveryId === null ? id : (found.id ?? id),
    endpoint: found.endpoint,
    deliveryId: found.deliveryId,
  };
  const { apiRevision = 0 } = options;
  const envelope = encodeNative(found, { ...binding, apiRevision });
  const size = Buffer.byteLength(envelope);
  if (size > options.capabilities.maxPayloadBytes) {
    const limit = options.capabilities.maxPayloadBytes;
    return refuse("payload_too_large", `the job has ${size} bytes as stored; this queue takes ${limit}`);
  }
  const routing = routingOf(found);
  // The time that a generic job without one was given here differs at each try.
  const isDatedHere = found.kind === "generic" && settings["timestamp"] === undefined;
  // The same job after a change of the stored apps, or in another trace, is the same job.
  const identity =
    isDatedHere || apiRevision > 0 || found.traceparent !== undefined
      ? encodeNative(identityOf(found, isDatedHere), binding)
      : envelope;
  const dedup = dedupOf({ text, at, givenId, identity }, options);
  return { ok: true, job: { id, body: envelope, delayMs, group, deduplicationId, routing, dedup } };
}

function identityOf(job: DecodedJob, isDatedHere: boolean): DecodedJob {
  const undated = isDatedHere && job.kind === "generic" ? { ...job, timestamp: "" } : job;
  return undated.traceparent === undefined ? undated : { ...undated, traceparent: undefined };
}

function decodeItem(text: string, value: unknown, options: IntakeOptions): DecodedJob | MalformedJob {
  if (options.format === "auto") return decodeObject(text, value, options.now, itemOptions);
  if (isJsonObject(value) && isNativeJob(value)) {
    const job = readNativeJob(text, value);
    if (job.kind === "raw") return job;
  }
  return rawJob(text);
}

/**
 * The id the item carries. That of a bound job is its delivery's: the deliveries of one job are several
 * items with the same `id`.
 */
function jobId(text: string, value: unknown, job: DecodedJob | MalformedJob): string | null {
  if (job.kind !== "malformed") return job.deliveryId === null ? job.id : safeJobId(job.deliveryId);
  if (!isJsonObject(value)) return null;
  const id = idField(text, value, "id", "job_id");
  return isMalformed(id) ? null : id;
}

/** The job with its app's id filled in, or why the app does not take it. */
function findApp(
  job: Exclude<DecodedJob, { kind: "raw" }>,
  options: IntakeOptions,
): DecodedJob | { readonly code: IntakeCode; readonly message: string } {
  const appKey = job.kind === "pusher" ? job.appKey : null;
  if (job.kind === "generic" && job.appId === null) return job;
  const app = options.apps.findApp(job.appId, appKey);
  if (app === null) {
    return { code: "unknown_app", message: "there is no app of this id or key" };
  }
  if (!app.accept.has(job.source)) {
    return { code: "format_not_accepted", message: `app ${app.id} does not accept ${job.source} jobs` };
  }
  if (job.kind === "generic") return { ...job, appId: app.id };
  if (job.signature !== null) {
    const secrets = [app.secret, ...app.previousSecrets];
    if (!verifySoketiSignature(job.payload, job.signature, secrets)) {
      const message = `originalPusherSignature does not match any secret of app ${app.id}`;
      return { code: "bad_signature", message };
    }
  }
  return { ...job, appId: app.id, appKey: null };
}

function unsupportedOption(
  item: { delayMs: number; group: string | null; deduplicationId: string | null },
  capabilities: IntakeOptions["capabilities"],
): string | null {
  const { maxDelayMs, ordersGroups } = capabilities;
  if (item.delayMs > maxDelayMs) {
    return maxDelayMs === 0
      ? "delay_ms: this queue's driver cannot delay a job"
      : `delay_ms: this queue's driver delays a job by at most ${maxDelayMs} ms`;
  }
  if (ordersGroups) return null;
  if (item.group !== null) return "group: this queue's driver keeps no order; only SQS FIFO does";
  if (item.deduplicationId !== null) return "deduplication_id: only SQS FIFO has one; send an id instead";
  return null;
}

/**
 * An id counts before the Idempotency-Key. The same again is a duplicate; under either of them another job
 * is a conflict, or the second one would be gone without a word.
 *
 * For an id the job itself is compared, in its native form: spaces between its fields, their order, delay_ms
 * and the like do not make it another. Under an Idempotency-Key the text is.
 */
function dedupOf(
  item: { text: string; at: number; givenId: string | null; identity: string },
  options: IntakeOptions,
): NewJob["dedup"] {
  if (!options.capabilities.dedup) return null;
  const { text, at, givenId, identity } = item;
  if (givenId !== null) {
    return { key: `${explicitIdPrefix}${givenId}`, fingerprint: sha256Hex(`${options.queue}\n${identity}`) };
  }
  if (options.idempotencyKey === null) return null;
  return {
    key: `key:${sha256Hex(options.idempotencyKey).slice(0, 32)}:${at}`,
    fingerprint: sha256Hex(`${options.queue}\n${text}`),
  };
}

/** How the deduplication keys of jobs begin that carried an id of their own. */
const explicitIdPrefix = "id:";

/** Whether a job is deduplicated by its own id; else it is by an Idempotency-Key, or not at all. */
export function hasExplicitId(job: NewJob): boolean {
  return job.dedup?.key.startsWith(explicitIdPrefix) === true;
}

/** What a group template (`queue.sqs.message_group_id`) can name. */
export function routingOf(job: DecodedJob): NewJob["routing"] {
  if (job.kind === "raw") return null;
  if (job.kind === "generic") return { appId: job.appId ?? "", channel: "", event: job.type };
  return routingOfEvents(job.appId ?? "", job.events);
}

function isNullOrName(value: unknown): value is string | null {
  return value === null || (typeof value === "string" && value !== "");
}
