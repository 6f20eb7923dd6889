import { Buffer } from "node:buffer";
import { readFully } from "./files.ts";
import type { Files } from "./files.ts";
import { Reader } from "./pen.ts";
import { findMagic, frameBytes, readRecord, types } from "./record.ts";
import type { JournalRecord } from "./record.ts";
import { headerBytes } from "./segment.ts";

/** Where the good part of a segment ends. */
export interface ScanEnd {
  /** Behind the last good record. */
  readonly offset: number;
  readonly lastLsn: number;
  /** The last record is a seal. */
  readonly isSealed: boolean;
  /** Of the file. */
  readonly size: number;
}

export interface ScanOptions {
  readonly files: Files;
  readonly fd: number;
  readonly size: number;
  readonly seed: number;
  /** The lsn of the first record. */
  readonly firstLsn: number;
  /** Where the first record begins; behind the header when not given. */
  readonly from?: number;
  /** Waited for before so many bytes are read. */
  readonly pace?: (bytes: number) => Promise<void>;
}

const windowBytes = 4 * 1024 * 1024;

/**
 * Reads a segment's records from its header on, until its end or the first that is not good: bad checksum, no
 * record at all, or an lsn that is not the next.
 *
 * @param each Called synchronously with a reader that stands at the record's body; `offset` is where in the file the
 * record begins. Reader and window are valid until it returns.
 */
export async function scanSegment(
  { files, fd, size, seed, firstLsn, from = headerBytes, pace }: ScanOptions,
  each: (record: JournalRecord, reader: Reader, offset: number, window: Buffer) => void,
): Promise<ScanEnd> {
  let window = Buffer.allocUnsafeSlow(Math.min(windowBytes, Math.max(size, 1)));
  let reader = new Reader(window);
  /** Where in the file the window begins, how much of it is filled, and where in it the next record begins. */
  let base = from;
  let filled = 0;
  let at = 0;
  let lsn = firstLsn;
  let isSealed = false;
  const end = (): ScanEnd => ({ offset: base + at, lastLsn: lsn - 1, isSealed, size });

  for (;;) {
    window.copyWithin(0, at, filled);
    filled -= at;
    base += at;
    at = 0;
    const wanted = Math.min(window.length - filled, size - base - filled);
    await pace?.(wanted);
    filled += await readFully(files, fd, window.subarray(filled), wanted, base + filled);
    const isLast = base + filled >= size;
    let record: ReturnType<typeof readRecord> = "short";
    while (at < filled) {
      record = readRecord(window, at, filled, seed);
      if (typeof record === "string" || record.lsn !== lsn || isSealed) break;
      reader.move(record.from, record.end);
      each(record, reader, base + at, window);
      isSealed = record.type === types.seal;
      lsn += 1;
      at = record.end;
    }
    if (at >= filled && isLast) return end();
    if (at < filled && record !== "short") return end();
    if (isLast) return end();
    // A record that is larger than the window; a damaged length may ask for any number, so the file is the limit.
    if (at === 0 && filled === window.length) {
      const needed = frameBytes + window.readUInt32LE(4);
      if (needed > size - base) return end();
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, window.length * 2));
      window.copy(larger, 0, 0, filled);
      window = larger;
      reader = new Reader(window);
    }
  }
}

/**
 * Whether something behind `from` proves that the record of this lsn had been synced: a good GROUP record that
 * says so. Then what is missing was lost by damage and not by a crash.
 */
export async function findProof(
  { files, fd, size, seed }: ScanOptions,
  from: number,
  lsn: number,
): Promise<boolean> {
  const rest = Buffer.allocUnsafeSlow(Math.max(0, size - from));
  const length = await readFully(files, fd, rest, rest.length, from);
  const bytes = rest.subarray(0, length);
  for (let at = findMagic(bytes, 0); at !== -1; at = findMagic(bytes, at + 1)) {
    const record = readRecord(bytes, at, bytes.length, seed);
    if (typeof record === "string" || record.type !== types.group) continue;
    if (new Reader(bytes, record.from, record.end).f64() >= lsn) return true;
  }
  return false;
}

/** The next good record at or behind an offset: where it begins, and its lsn; null when there is none. */
export async function findNext(
  { files, fd, size, seed }: ScanOptions,
  from: number,
): Promise<{ readonly offset: number; readonly lsn: number } | null> {
  const rest = Buffer.allocUnsafeSlow(Math.max(0, size - from));
  const length = await readFully(files, fd, rest, rest.length, from);
  for (let at = findMagic(rest, 0); at !== -1 && at < length; at = findMagic(rest, at + 1)) {
    const record = readRecord(rest, at, length, seed);
    if (typeof record !== "string") return { offset: from + at, lsn: record.lsn };
  }
  return null;
}
