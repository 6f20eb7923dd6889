import { Buffer } from "node:buffer";
import { hasHeader, type HeaderEntry } from "../../delivery/headers.ts";
import type { Outcome } from "../../delivery/outcome.ts";
import type { DecodedJob, JobBody } from "../../jobs/job.ts";
import { maskAppSecrets } from "../../secrets/app-secret.ts";
import type { AttemptedDelivery, CancelledDelivery, DeliveryState, RecordedAttempt } from "../entry.ts";
import { eventsOf } from "../events.ts";

/**
 * What the thread that writes gets of an attempt, or of a cancellation: texts only, one for each of these places.
 *
 * A batch is one text, joined by a separator, because a text crosses threads at the cost of a copy, and a list of
 * objects at several times that of writing it.
 */
export const recordFields = [
  "mode",
  "queue",
  "app",
  "endpoint",
  "endpointName",
  "jobId",
  "webhookId",
  "resendOf",
  "events",
  "attempt",
  "at",
  "attemptJson",
  "outcome",
  "status",
  "state",
  "reason",
  "cancelledAt",
  "headers",
  "job",
  "body",
] as const;

export type RecordField = (typeof recordFields)[number];

/** No control character stands in JSON, an id or a name; where one does, the batch crosses as a list. */
export const separator = "\x1f";

/**
 * - `add`: a delivery's attempt.
 * - `continue`: only where the delivery is there already; `history.keep` leaves out what was delivered at once.
 */
export type RecordMode = "add" | "continue";

/** A record, and what it weighs. */
export interface HistoryRecord {
  readonly fields: readonly string[];
  readonly characters: number;
  readonly isOdd: boolean;
}

/** What of an attempt is written. */
export interface AttemptFacts {
  readonly mode: RecordMode;
  readonly attempt: RecordedAttempt;
  readonly state: DeliveryState;
  readonly reason: string | null;
  readonly keepsBody: boolean;
}

export function attemptRecord(delivery: AttemptedDelivery, facts: AttemptFacts): HistoryRecord {
  const { endpoint, held, trace } = delivery;
  const { attempt, keepsBody, mode, reason, state } = facts;
  const { outcome } = attempt;
  const headers = trace?.headers ?? null;
  return record(mode, held.lease.queue, delivery, keepsBody, [
    String(attempt.attempt),
    String(Math.round(attempt.at)),
    attemptJson(attempt),
    outcome.kind,
    "status" in outcome ? String(outcome.status) : "",
    state,
    reason ?? "",
    "",
    headers === null ? "" : headersJson(headers, endpoint.headers ?? []),
  ]);
}

export function cancelledRecord(delivery: CancelledDelivery, now: number, keepsBody: boolean): HistoryRecord {
  return record("add", delivery.queue, delivery, keepsBody, [
    "",
    String(now),
    "",
    "",
    "",
    "cancelled",
    "",
    String(now),
    "",
  ]);
}

function record(
  mode: RecordMode,
  queue: string,
  delivery: Omit<CancelledDelivery, "queue">,
  keepsBody: boolean,
  middle: readonly string[],
): HistoryRecord {
  const { app, endpoint, id, job, jobId } = delivery;
  const [jobText, body] = keepsBody ? bodyTexts(delivery) : ["", ""];
  const fields = [
    mode,
    queue,
    app === null ? "" : app.id,
    endpoint?.label ?? "",
    endpoint?.name ?? "",
    jobId,
    id,
    job.resendOf ?? "",
    eventNames(delivery),
    ...middle,
    jobText,
    body,
  ];
  let characters = 0;
  let isOdd = false;
  for (const field of fields) {
    characters += field.length;
    isOdd ||= field.includes(separator);
  }
  return { fields, characters, isOdd };
}

/** The names of its events, each once, as a JSON list. */
function eventNames(delivery: Pick<AttemptedDelivery, "job" | "boundEvents">): string {
  const events = eventsOf(delivery);
  if (events.length === 1) return `[${JSON.stringify((events[0] as { name: string }).name)}]`;
  return JSON.stringify([...new Set(events.map(({ name }) => name))]);
}

function attemptJson({ answer, attempt, at, outcome }: RecordedAttempt): string {
  const duration = Math.round(outcome.durationMs * 1000) / 1000;
  const start = `{"attempt":${attempt},"at":${Math.round(at)},"duration_ms":${duration},"outcome":"${outcome.kind}"`;
  const end =
    answer === null ? "}" : answer === "" ? ',"answer":""}' : `,"answer":${JSON.stringify(answer)}}`;
  if (outcome.kind === "delivered") return `${start},"status":${outcome.status}${end}`;
  return `${start}${outcomeJson(outcome)}${end}`;
}

function outcomeJson(outcome: Outcome): string {
  const { kind: _kind, durationMs: _duration, ...rest } = outcome;
  const text = JSON.stringify(rest);
  return text === "{}" ? "" : `,${text.slice(1, -1)}`;
}

/** Headers of our own, which say nothing secret; an app's key is, and so is the value of any that is configured. */
const shownHeaders = new Set([
  "content-type",
  "user-agent",
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
  "x-pusher-signature",
  "traceparent",
  "tracestate",
]);

function headersJson(headers: readonly HeaderEntry[], configured: readonly HeaderEntry[]): string {
  const isOurs = (name: string): boolean =>
    (shownHeaders.has(name) || name.startsWith("x-hookline-")) &&
    (configured.length === 0 || !hasHeader(configured, name));
  return JSON.stringify(headers.map(([name, value]) => [name, isOurs(name.toLowerCase()) ? value : "***"]));
}

/** The content is the job's own payload, data or content, and is kept once. */
const sameBody = "same";

/** What else of a job is needed to send it again, as JSON, and the text that is its largest part. */
function bodyTexts({
  boundEvents,
  content,
  job,
}: Pick<CancelledDelivery, "boundEvents" | "content" | "job">): [job: string, body: string] {
  const [rest, source] = split(job);
  // The secret of an app goes nowhere, and without it a raw body would be another one.
  if (job.kind === "raw" && typeof source === "string" && maskAppSecrets(source, "") !== source)
    return ["", ""];
  const isBinary = typeof source !== "string";
  const kept = {
    job: rest,
    boundEvents,
    content:
      source === content ? sameBody : isBinary || typeof content !== "string" ? null : { text: content },
    isBinary,
  };
  // A content of bytes is a raw job's, and then it is the job's own.
  if (kept.content === null) return ["", ""];
  return [JSON.stringify(kept), isBinary ? Buffer.from(source).toString("base64") : source];
}

/** A job without its largest part, and that. The key names the app only where nothing else does. */
function split(job: DecodedJob): [rest: object, source: JobBody] {
  if (job.kind === "pusher") {
    const { payload, ...rest } = job;
    return [rest.appId === null ? rest : { ...rest, appKey: null }, payload];
  }
  if (job.kind === "generic") {
    const { data, ...rest } = job;
    return [rest, data];
  }
  const { content, ...rest } = job;
  return [rest, content];
}

/** What bodyTexts made, as it was; null where nothing was kept. */
export function readBody(jobText: string | null, source: string | null) {
  if (jobText === null || source === null) return null;
  const { boundEvents, content, isBinary, job } = JSON.parse(jobText) as {
    readonly job: { readonly kind: DecodedJob["kind"] };
    readonly boundEvents: AttemptedDelivery["boundEvents"];
    readonly content: typeof sameBody | { readonly text: string };
    readonly isBinary: boolean;
  };
  const body: JobBody = isBinary ? new Uint8Array(Buffer.from(source, "base64")) : source;
  const part = { pusher: "payload", generic: "data", raw: "content" }[job.kind];
  return {
    job: { ...job, [part]: body } as DecodedJob,
    boundEvents,
    content: content === sameBody ? body : content.text,
  };
}
