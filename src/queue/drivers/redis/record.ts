import { Buffer, isUtf8 } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import { jobIdPattern } from "../../../jobs/job.ts";

/**
 * A record: a job as hookline's own keys hold it, `UID ATTEMPTS ENQUEUED ID\nBODY`.
 *
 * The head is ASCII without further spaces, 512 bytes at most; the body is the rest, byte for byte. UID makes two jobs that
 * are equal in all else different members of a sorted set. ENQUEUED is epoch ms, 0 = not known. Scripts read it by
 * the same rules (script.ts, `parse`).
 */
export interface JobRecord {
  readonly id: string;
  readonly attempts: number;
  readonly enqueuedAt: number | null;
  readonly body: JobBody;
}

const lineFeed = 10;
const longestHead = 512;

/**
 * Reads a record. Bytes that are none (someone else wrote into hookline's keys) come back as a job with
 * these bytes and the id given, so that they end as a dead letter with a reason and not in an exception. Numbers out
 * of range are taken as not known, an id that is none is replaced by the one given.
 */
export function readRecord(bytes: Buffer, fallbackId: string): JobRecord {
  const end = bytes.indexOf(lineFeed);
  const head = end === -1 || end >= longestHead ? "" : bytes.toString("latin1", 0, end);
  const match = /^[^ \t\n\v\f\r]+ (\d+) (\d+) ([^ \t\n\v\f\r]+)$/.exec(head);
  if (match === null) return { id: fallbackId, attempts: 0, enqueuedAt: null, body: readBody(bytes) };
  const id = match[3] as string;
  return {
    id: jobIdPattern.test(id) ? id : fallbackId,
    attempts: readNumber(match[1] as string, 9),
    enqueuedAt: readTime(match[2] as string),
    body: readBody(bytes.subarray(end + 1)),
  };
}

/** A number of so many digits at most, else 0. */
export function readNumber(digits: string, most: number): number {
  return digits.length <= most ? Number(digits) : 0;
}

/** Epoch ms; null where it is 0 or beyond what can be shown as a date (8.64e15 has sixteen digits). */
export function readTime(digits: string): number | null {
  return readNumber(digits, 15) || null;
}

/** A body's bytes as JobBody: text where they are valid UTF-8 (a byte order mark stays), else a copy of them. */
export function readBody(bytes: Buffer): JobBody {
  return isUtf8(bytes) ? bytes.toString("utf8") : new Uint8Array(bytes);
}

/** A body as the Redis client takes it. */
export function bodyArgument(body: JobBody): string | Buffer {
  return typeof body === "string" ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
