import { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";

/** Writes numbers and texts one behind the other into memory that grows, little-endian. */
export interface Pen {
  /** Bytes written so far. */
  readonly length: number;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  /** Any number, also whole ones up to 2^53: sequence numbers and times. */
  f64(value: number): void;
  /** A text with its length before it; null is told from an empty one. */
  text(value: string | null): void;
  /** A body without its length: what stands last in its record. Returns its size. */
  body(value: JobBody): number;
  /** Overwrites a u32 that was written before. */
  setU32(at: number, value: number): void;
  setF64(at: number, value: number): void;
  /** What has been written; valid until the next write. */
  view(from?: number, to?: number): Buffer;
  /** Starts anew; memory beyond `keepBytes` is given back. */
  clear(keepBytes: number): void;
}

/** How a text that is null is written in place of its length. */
const noText = 0xffffffff;

export function createPen(initialBytes: number): Pen {
  let buffer = Buffer.allocUnsafeSlow(initialBytes);
  let view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let length = 0;

  const makeRoom = (bytes: number): void => {
    if (length + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, length + bytes));
    buffer.copy(larger, 0, 0, length);
    buffer = larger;
    view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  };

  /** A UTF-16 unit is at most three bytes of UTF-8. */
  const putText = (value: string): number => {
    makeRoom(value.length * 3);
    const size = buffer.write(value, length, "utf8");
    length += size;
    return size;
  };

  return {
    get length() {
      return length;
    },
    u8(value) {
      makeRoom(1);
      buffer[length] = value;
      length += 1;
    },
    u16(value) {
      makeRoom(2);
      view.setUint16(length, value, true);
      length += 2;
    },
    u32(value) {
      makeRoom(4);
      view.setUint32(length, value, true);
      length += 4;
    },
    f64(value) {
      makeRoom(8);
      view.setFloat64(length, value, true);
      length += 8;
    },
    text(value) {
      makeRoom(4);
      const at = length;
      length += 4;
      view.setUint32(at, value === null ? noText : 0, true);
      // `putText` may replace the view.
      const size = value === null ? noText : putText(value);
      view.setUint32(at, size, true);
    },
    body(value) {
      if (typeof value === "string") return putText(value);
      makeRoom(value.length);
      buffer.set(value, length);
      length += value.length;
      return value.length;
    },
    setU32: (at, value) => view.setUint32(at, value, true),
    setF64: (at, value) => view.setFloat64(at, value, true),
    view: (from = 0, to = length) => buffer.subarray(from, to),
    clear(keepBytes) {
      length = 0;
      if (buffer.length <= keepBytes) return;
      buffer = Buffer.allocUnsafeSlow(keepBytes);
      view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    },
  };
}

/** Reads what a pen wrote. Every method throws RangeError where the bytes end too early. */
export interface Reader {
  u8(): number;
  u32(): number;
  f64(): number;
  text(): string | null;
  /** A text that cannot be null. */
  name(): string;
  /** So many bytes, without copying. */
  bytes(length: number): Buffer;
  /** All that is left. */
  rest(): Buffer;
}

export function createReader(buffer: Buffer): Reader {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let at = 0;

  const bytes = (length: number): Buffer => {
    if (at + length > buffer.length) throw new RangeError("a record ends too early");
    const part = buffer.subarray(at, at + length);
    at += length;
    return part;
  };
  const reader: Reader = {
    u8() {
      at += 1;
      return view.getUint8(at - 1);
    },
    u32() {
      at += 4;
      return view.getUint32(at - 4, true);
    },
    f64() {
      at += 8;
      return view.getFloat64(at - 8, true);
    },
    text() {
      const length = reader.u32();
      return length === noText ? null : bytes(length).toString("utf8");
    },
    name() {
      const text = reader.text();
      if (text === null) throw new RangeError("a record lacks a name");
      return text;
    },
    bytes,
    rest: () => bytes(buffer.length - at),
  };
  return reader;
}
