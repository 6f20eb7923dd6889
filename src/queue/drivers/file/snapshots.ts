import type { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import type { ShelvedLetter } from "../memory/dead-letter-shelf.ts";
import { Reader } from "./pen.ts";
import type { Pen } from "./pen.ts";

/** Where a job waits. The numbers are the format. */
export const places = {
  /** In line, never leased. */
  line: 0,
  /** Enqueued with a delay, never leased. */
  delayed: 1,
  /** Came back from a lease: ahead of all others, or when it is due. */
  back: 2,
  parked: 3,
  /** A child, or redriven: ahead of the line. */
  ahead: 4,
} as const;

export type Place = (typeof places)[keyof typeof places];

/** What is known of a job beside its bytes. */
export interface JobState {
  readonly place: Place;
  /** Attempts charged. */
  readonly attempts: number;
  /** Epoch ms at which it is due, and how long that was when it was written; 0 and 0 = at once. */
  readonly due: number;
  readonly delay: number;
  /** Label of the endpoint; where it is parked, the key. */
  readonly endpoint: string | null;
  /** Rises with each change of state: jobs in one place stand in this order. */
  readonly order: number;
}

/** A job as a record has it, its bytes not among it. */
export interface JobSnapshot extends JobState {
  readonly seq: number;
  readonly id: string;
  readonly enqueuedAt: number;
  readonly dedup: { readonly key: string; readonly fingerprint: string } | null;
}

/** How a snapshot begins: its bytes are text, or not; it is a job, or a letter; its bytes end with a tail of others' too. */
const binaryBody = 1;
const isLetter = 2;
const hasTail = 4;

/** Where the end of a body stands that several jobs share: before them in their record. */
export interface Tail {
  /** From the snapshot's first byte back to the tail's. */
  readonly back: number;
  readonly length: number;
}

/** What a snapshot holds of a job's bytes, whatever else it says. */
export interface StoredBody {
  readonly id: string;
  /** All of them, a copy; without the tail where there is one, which only texts have. */
  readonly body: JobBody;
  readonly tail: Tail | null;
}

export function readBody(snapshot: Buffer): StoredBody {
  const reader = new Reader(snapshot);
  const flags = snapshot[0] as number;
  const { id, tail } = (flags & isLetter) === 0 ? readJob(reader) : letterBody(reader);
  const bytes = reader.rest();
  return { id, body: (flags & binaryBody) === 0 ? bytes.toString("utf8") : new Uint8Array(bytes), tail };
}

function letterBody(reader: Reader): { readonly id: string; readonly tail: Tail | null } {
  const { jobId: id, tail } = readLetter(reader);
  return { id, tail };
}

/** Whether the snapshot that a reader stands at is a letter's. */
export function isLetterAt(reader: Reader): boolean {
  return (reader.peek() & isLetter) !== 0;
}

function writeTail(pen: Pen, tail: Tail | null): void {
  if (tail === null) return;
  pen.u32(tail.back);
  pen.u32(tail.length);
}

function readTail(reader: Reader, flags: number): Tail | null {
  return (flags & hasTail) === 0 ? null : { back: reader.u32(), length: reader.u32() };
}

/** Writes a snapshot, bytes last, without the tail where there is one. Returns how many they are, with it. */
export function writeJob(pen: Pen, job: JobSnapshot, body: JobBody, tail: Tail | null = null): number {
  pen.u8((typeof body === "string" ? 0 : binaryBody) + (tail === null ? 0 : hasTail));
  pen.f64(job.seq);
  pen.f64(job.enqueuedAt);
  writeState(pen, job);
  pen.text(job.id);
  pen.text(job.dedup?.key ?? null);
  if (job.dedup !== null) pen.text(job.dedup.fingerprint);
  writeTail(pen, tail);
  return pen.body(body) + (tail?.length ?? 0);
}

/** Reads a snapshot; the bytes are what is left in the reader. */
export function readJob(reader: Reader): JobSnapshot & { readonly tail: Tail | null } {
  const flags = reader.u8();
  const seq = reader.f64();
  const enqueuedAt = reader.f64();
  const state = readState(reader);
  const id = reader.name();
  const key = reader.text();
  const dedup = key === null ? null : { key, fingerprint: reader.name() };
  return { seq, enqueuedAt, ...state, id, dedup, tail: readTail(reader, flags) };
}

/** What recovery needs of nearly every snapshot, read without making an object or a text. */
export interface Glance {
  seq: number;
  enqueuedAt: number;
  bodyLength: number;
}

/** Reads a snapshot of a job in line that has no deduplication key; false for every other, with `seq` alone read. */
export function glanceAtJob(reader: Reader, glance: Glance): boolean {
  const flags = reader.u8();
  glance.seq = reader.f64();
  glance.enqueuedAt = reader.f64();
  if ((flags & hasTail) !== 0 || reader.u8() !== places.line) return false;
  reader.skip(28);
  reader.skipText();
  reader.skipText();
  if (reader.skipText()) return false;
  glance.bodyLength = reader.left;
  return true;
}

export function writeState(pen: Pen, { place, attempts, due, delay, endpoint, order }: JobState): void {
  pen.u8(place);
  pen.u32(attempts);
  pen.f64(due);
  pen.f64(delay);
  pen.f64(order);
  pen.text(endpoint);
}

export function readPlace(reader: Reader): Place {
  const place = reader.u8();
  if (place > places.ahead) throw new RangeError(`a job waits in a place that is not known: ${place}`);
  return place as Place;
}

function readState(reader: Reader): JobState {
  return {
    place: readPlace(reader),
    attempts: reader.u32(),
    due: reader.f64(),
    delay: reader.f64(),
    order: reader.f64(),
    endpoint: reader.text(),
  };
}

/** A dead letter as a record has it. */
export type LetterSnapshot = Omit<ShelvedLetter, "ref" | "bodyBytes"> & { readonly seq: number };

/** Writes a letter, its bytes last where it has them with it: null leaves them where they are. Returns how many. */
export function writeLetter(
  pen: Pen,
  letter: LetterSnapshot,
  body: JobBody | null,
  tail: Tail | null = null,
): number {
  const isText = body === null || typeof body === "string";
  pen.u8(isLetter + (isText ? 0 : binaryBody) + (tail === null ? 0 : hasTail));
  pen.f64(letter.seq);
  pen.f64(letter.failedAt);
  pen.f64(letter.enqueuedAt ?? Number.NaN);
  pen.u32(letter.attempts);
  pen.text(letter.id);
  pen.text(letter.jobId);
  pen.text(letter.reason);
  pen.text(letter.detail);
  pen.text(letter.endpoint);
  writeTail(pen, tail);
  return body === null ? 0 : pen.body(body) + (tail?.length ?? 0);
}

/** Reads a letter; the bytes are what is left in the reader. */
export function readLetter(reader: Reader): LetterSnapshot & { readonly tail: Tail | null } {
  const flags = reader.u8();
  const seq = reader.f64();
  const failedAt = reader.f64();
  const enqueuedAt = reader.f64();
  return {
    seq,
    failedAt,
    enqueuedAt: Number.isNaN(enqueuedAt) ? null : enqueuedAt,
    attempts: reader.u32(),
    id: reader.name(),
    jobId: reader.name(),
    reason: reader.name(),
    detail: reader.text(),
    endpoint: reader.text(),
    tail: readTail(reader, flags),
  };
}
