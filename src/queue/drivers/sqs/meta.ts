import { shortened } from "../../../bounded-text.ts";
import type { MessageAttributeValue } from "./api.ts";
import type { BodyEncoding } from "./body.ts";
import { jobIdPattern } from "../../../jobs/job.ts";

/** Name of the one message attribute that is ours. */
export const metaAttribute = "hookline";

/**
 * What hookline says of a message beside its body, as JSON in the attribute `hookline`: the job's id, how
 * the body is encoded, and in a dead letter why and from where.
 */
export interface MessageMeta {
  readonly id: string | null;
  readonly encoding: BodyEncoding | null;
  /** When the job was enqueued, epoch ms, where that is not when this message was sent: fan-out children. */
  readonly enqueuedAt?: number | null;
  readonly dead: DeadMeta | null;
}

export interface DeadMeta {
  readonly reason: string;
  readonly detail: string | null;
  readonly endpoint: string | null;
  readonly attempts: number;
  /** Epoch ms. */
  readonly failedAt: number;
  readonly enqueuedAt: number | null;
  /** Name of the SQS queue it came from: several may share one dead letter queue. */
  readonly queue: string;
  /** FIFO: the group it goes back to. */
  readonly group: string | null;
}

export function metaText(meta: MessageMeta): string {
  const { id, encoding, dead, enqueuedAt = null } = meta;
  return JSON.stringify({
    ...(id === null ? {} : { id }),
    ...(encoding === null ? {} : { encoding }),
    ...(enqueuedAt === null ? {} : { enqueuedAt }),
    ...(dead === null ? {} : { dead }),
  });
}

/** The attribute that carries it. */
export function encodeMeta(meta: MessageMeta): MessageAttributeValue {
  return { DataType: "String", StringValue: metaText(meta) };
}

const nothing: MessageMeta = { id: null, encoding: null, dead: null };

/**
 * Reads the attribute. Anyone who may send to the queue may write it, so each part that is not what
 * hookline writes counts as absent.
 */
export function decodeMeta(text: string | undefined): MessageMeta {
  if (text === undefined) return nothing;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A foreign attribute of the same name.
    return nothing;
  }
  return readMeta(value);
}

export function readMeta(value: unknown): MessageMeta {
  if (!isObject(value)) return nothing;
  const { id, encoding, dead } = value;
  const enqueuedAt = timeIn(value["enqueuedAt"]);
  return {
    id: typeof id === "string" && jobIdPattern.test(id) ? id : null,
    encoding: encoding === "base64" || encoding === "gzip" || encoding === "empty" ? encoding : null,
    ...(enqueuedAt === null ? {} : { enqueuedAt }),
    dead: isObject(dead) ? readDead(dead) : null,
  };
}

function readDead(dead: Record<string, unknown>): DeadMeta | null {
  // Anyone who may send to the queue may have written it, and an attribute may have a megabyte.
  const text = (value: unknown, most = 200): string | null =>
    typeof value === "string" ? shortened(value, most) : null;
  const attempts = dead["attempts"];
  const reason = text(dead["reason"]);
  const queue = text(dead["queue"]);
  if (reason === null || queue === null) return null;
  return {
    reason,
    queue,
    detail: text(dead["detail"], 500),
    endpoint: text(dead["endpoint"]),
    attempts: Number.isSafeInteger(attempts) ? Math.max(0, attempts as number) : 0,
    failedAt: timeIn(dead["failedAt"]) ?? 0,
    enqueuedAt: timeIn(dead["enqueuedAt"]),
    group: text(dead["group"]),
  };
}

/** Milliseconds since 1970 that a Date can hold, up to the year 275760 (ECMA-262, "Time Values"); else null. */
function timeIn(value: unknown): number | null {
  return typeof value === "number" && value >= 0 && value <= 8.64e15 ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
