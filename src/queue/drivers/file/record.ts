import type { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Pen } from "./pen.ts";

/**
 * The frame of every record:
 *
 *     u32 magic · u32 length of the body · u32 CRC-32 of all that follows · u64 lsn · u8 type · u8 flags · u16 queue · body
 *
 * The CRC starts from the store's own random id, so that no job's bytes can pass for a record, not even those of
 * another store. The lsn counts records, without gaps. Little-endian throughout.
 */
export const frameBytes = 24;

const magic = 0x314a4c48;
const lsnAt = 12;

/** What a record says. The numbers are the format: they never change. */
export const types = {
  /** A job as it stands: at enqueue, with new bytes, and again when its old segment goes. */
  job: 1,
  /** Jobs that are over. */
  ack: 2,
  /** Leases that began. */
  leased: 3,
  /** A job waits again. */
  state: 4,
  /** A job became a dead letter, in one step. */
  dead: 5,
  /** A parent is over and its children are there, in one step. */
  replace: 6,
  /** A dead letter became a job again. */
  redrive: 7,
  /** Dead letters that are gone. */
  remove: 8,
  /** A queue's pause, or a shared value. */
  mode: 9,
  /** The last record of a segment that is followed by another. */
  seal: 10,
  /** A queue's number and name. */
  queue: 11,
  /** Which lsn was synced when the group behind it was written. */
  group: 12,
  /** A deduplication key whose job is over. */
  dedup: 13,
  /** An app or endpoint that the API stores, or the tombstone of one (stored.ts). */
  stored: 14,
  /** As `replace`, and what the children's bodies end with stands once; also a part of them, written anew. */
  children: 15,
} as const;

export type RecordType = (typeof types)[keyof typeof types];

/** One record as it was read. */
export interface JournalRecord {
  readonly type: number;
  readonly flags: number;
  readonly queue: number;
  readonly lsn: number;
  /** Where in the buffer its body begins, and where it ends and the next record begins. */
  readonly from: number;
  readonly end: number;
}

/** Writes the frame of a record whose body follows; returns where it begins, for `endRecord`. */
export function beginRecord(pen: Pen, type: RecordType, flags: number, queue: number, lsn: number): number {
  const at = pen.length;
  pen.u32(magic);
  pen.u32(0);
  pen.u32(0);
  pen.u32(lsn % 0x1_0000_0000);
  pen.u32(Math.floor(lsn / 0x1_0000_0000));
  pen.u8(type);
  pen.u8(flags);
  pen.u16(queue);
  return at;
}

/** Fills in length and checksum of the record that began at `at` and ends here. */
export function endRecord(pen: Pen, at: number, seed: number): void {
  pen.setU32(at + 4, pen.length - at - frameBytes);
  pen.setU32(at + 8, crc32(pen.view(at + lsnAt), seed));
}

/** Computes the checksum anew of a record whose body was changed, and that ends at `end`. */
export function sealRecord(pen: Pen, at: number, end: number, seed: number): void {
  pen.setU32(at + 8, crc32(pen.view(at + lsnAt, end), seed));
}

/**
 * The record at an offset of a buffer that is filled up to `filled`; "short" when it ends behind that, "bad" when there
 * is none.
 *
 * A damaged length looks like "short" as well: only who knows that there is no more can tell.
 */
export function readRecord(
  buffer: Buffer,
  at: number,
  filled: number,
  seed: number,
): JournalRecord | "short" | "bad" {
  if (at + 4 > filled) return "short";
  if (buffer.readUInt32LE(at) !== magic) return "bad";
  if (at + frameBytes > filled) return "short";
  const end = at + frameBytes + buffer.readUInt32LE(at + 4);
  if (end > filled) return "short";
  if (crc32(buffer.subarray(at + lsnAt, end), seed) !== buffer.readUInt32LE(at + 8)) return "bad";
  return {
    type: buffer[at + 20] as number,
    flags: buffer[at + 21] as number,
    queue: buffer.readUInt16LE(at + 22),
    lsn: buffer.readUInt32LE(at + lsnAt) + buffer.readUInt32LE(at + 16) * 0x1_0000_0000,
    from: at + frameBytes,
    end,
  };
}

/** Where the next magic number stands, at or behind an offset; -1 when there is none. */
export function findMagic(buffer: Buffer, from: number): number {
  return buffer.indexOf(magicBytes, from);
}

const magicBytes = Uint8Array.of(0x48, 0x4c, 0x4a, 0x31);
