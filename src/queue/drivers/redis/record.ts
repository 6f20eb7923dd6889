import { Buffer, isUtf8 } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import type { DeadLetter } from "../../driver.ts";

/**
 * A record: a job as hookline's own keys hold it, `UID ATTEMPTS ENQUEUED ID\nBODY`.
 *
 * The head is ASCII without further spaces; the body is the rest, byte for byte. UID makes two jobs that
 * are equal in all else different members of a sorted set. ENQUEUED is epoch ms, 0 = not known.
 */
export interface JobRecord {
  readonly id: string;
  readonly attempts: number;
  readonly enqueuedAt: number | null;
  readonly body: JobBody;
}

const lineFeed = 10;

/**
 * Reads a record. Bytes that are none (someone else wrote into hookline's keys) come back as a job with
 * these bytes and the id given, so that they end as a dead letter with a reason and not in an exception.
 */
export function readRecord(bytes: Buffer, fallbackId: string): JobRecord {
  const end = bytes.indexOf(lineFeed);
  const fields = end === -1 ? [] : bytes.toString("latin1", 0, end).split(" ");
  const [, attempts, enqueued, id] = fields;
  if (fields.length !== 4 || id === undefined || id === "") {
    return { id: fallbackId, attempts: 0, enqueuedAt: null, body: readBody(bytes) };
  }
  return {
    id,
    attempts: Number(attempts),
    enqueuedAt: Number(enqueued) || null,
    body: readBody(bytes.subarray(end + 1)),
  };
}

/** A body's bytes as JobBody: text where they are valid UTF-8 (a byte order mark stays), else a copy of them. */
export function readBody(bytes: Buffer): JobBody {
  return isUtf8(bytes) ? bytes.toString("utf8") : new Uint8Array(bytes);
}

/** A body as the Redis client takes it. */
export function bodyArgument(body: JobBody): string | Buffer {
  return typeof body === "string" ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

/** What a dead letter keeps beside the job: one line of JSON. */
export interface DeadMeta {
  readonly reason: string;
  readonly detail: string | null;
  readonly endpoint: string | null;
}

/** Reads a dead letter's content: `FAILED ATTEMPTS ENQUEUED ID META\nBODY`. */
export function readDeadLetter(id: string, content: Buffer): DeadLetter {
  const end = content.indexOf(lineFeed);
  const head = content.toString("utf8", 0, Math.max(end, 0));
  const match = /^(\d+) (\d+) (\d+) (\S+) (\{.*)$/.exec(head);
  if (match === null) {
    return {
      id,
      jobId: id,
      reason: "malformed",
      detail: "the stored dead letter could not be read",
      endpoint: null,
      attempts: 0,
      failedAt: 0,
      enqueuedAt: null,
      body: readBody(content),
    };
  }
  const [, failedAt, attempts, enqueued, jobId, meta] = match;
  const { reason, detail, endpoint } = JSON.parse(meta as string) as DeadMeta;
  return {
    id,
    jobId: jobId as string,
    reason,
    detail,
    endpoint,
    attempts: Number(attempts),
    failedAt: Number(failedAt),
    enqueuedAt: Number(enqueued) || null,
    body: readBody(content.subarray(end + 1)),
  };
}
