import { Buffer } from "node:buffer";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** One file of the journal, `journal/<first lsn, 16 hex>.log`. */
export interface Segment {
  /** Counted from 1; never 0. */
  readonly number: number;
  readonly firstLsn: number;
  readonly path: string;
  /** Open for as long as the segment is there; -1 until its file is made. */
  fd: number;
  /** Bytes of whole records, header included. */
  bytes: number;
  /** Jobs and dead letters whose latest bytes stand here, and how many bytes those are. */
  live: number;
  liveBytes: number;
  /** Reads of bodies that are under way: its file stays open until they are done. */
  readers: number;
  /** Epoch ms until which a deduplication key in here counts. */
  dedupUntil: number;
}

/** Written into every segment; a store of a newer format is refused. */
export const formatVersion = 1;
/** A segment is followed by another once it has so many bytes. */
export const segmentBytes = 64 * 1024 * 1024;

/** `HOOKLINE`, u32 version, 16 bytes of store id, u32 number, u64 first lsn, f64 created, u32 CRC-32. */
export const headerBytes = 52;
const magic = "HOOKLINE";

export interface SegmentHeader {
  readonly version: number;
  readonly storeId: string;
  readonly number: number;
  readonly firstLsn: number;
  readonly createdAt: number;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.write(magic, 0, "latin1");
  bytes.writeUInt32LE(header.version, 8);
  bytes.write(header.storeId, 12, 16, "hex");
  bytes.writeUInt32LE(header.number, 28);
  bytes.writeDoubleLE(header.firstLsn, 32);
  bytes.writeDoubleLE(header.createdAt, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 48)), 48);
  return bytes;
}

/** The header in a segment's first bytes; null when they are none. */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < headerBytes || bytes.toString("latin1", 0, 8) !== magic) return null;
  if (crc32(bytes.subarray(0, 48)) !== bytes.readUInt32LE(48)) return null;
  return {
    version: bytes.readUInt32LE(8),
    storeId: bytes.toString("hex", 12, 28),
    number: bytes.readUInt32LE(28),
    firstLsn: bytes.readDoubleLE(32),
    createdAt: bytes.readDoubleLE(40),
  };
}

/** Where a segment stands in a store's folder. */
export function segmentPath(folder: string, firstLsn: number): string {
  return join(folder, "journal", `${firstLsn.toString(16).padStart(16, "0")}.log`);
}

/** Whether a file of the journal's folder is a segment. */
export function isSegmentName(name: string): boolean {
  return /^[0-9a-f]{16}\.log$/.test(name);
}

/** What the checksums of a store's records start from. */
export function seedOf(storeId: string): number {
  return crc32(Buffer.from(storeId, "hex"));
}

export function createSegment(
  header: Pick<SegmentHeader, "number" | "firstLsn">,
  path: string,
  fd: number,
): Segment {
  const { number, firstLsn } = header;
  return { number, firstLsn, path, fd, bytes: headerBytes, live: 0, liveBytes: 0, readers: 0, dedupUntil: 0 };
}
