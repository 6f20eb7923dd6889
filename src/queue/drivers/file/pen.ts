import { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import type { Labels } from "./labels.ts";

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

/**
 * Reads what a pen wrote, in a range of a buffer. Every method throws RangeError where the range ends too early.
 *
 * A class, because recovery reads millions of records: one reader serves them all, without an object for each.
 */
export class Reader {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  #at: number;
  #end: number;

  constructor(buffer: Buffer, from = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.#at = from;
    this.#end = end;
  }

  /** Goes on with another range of the same buffer. */
  move(from: number, end: number): void {
    this.#at = from;
    this.#end = end;
  }

  /** Where in the buffer it stands. */
  get at(): number {
    return this.#at;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw new RangeError("a record ends too early");
    this.#at = at + bytes;
    return at;
  }

  /** The next byte, not passed over. */
  peek(): number {
    const at = this.#take(1);
    this.#at = at;
    return this.#view.getUint8(at);
  }

  peekU32(): number {
    const at = this.#take(4);
    this.#at = at;
    return this.#view.getUint32(at, true);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  text(): string | null {
    const length = this.u32();
    if (length === noText) return null;
    const at = this.#take(length);
    return this.#buffer.toString("utf8", at, at + length);
  }

  /** A text that cannot be null. */
  name(): string {
    const text = this.text();
    if (text === null) throw new RangeError("a record lacks a name");
    return text;
  }

  /** A text's number; null is 0. */
  label(labels: Labels): number {
    const length = this.u32();
    if (length === noText) return 0;
    const at = this.#take(length);
    return labels.numberAt(this.#buffer, at, at + length);
  }

  /** Passes over so many bytes. */
  skip(bytes: number): void {
    this.#take(bytes);
  }

  /** Passes over a text; false when it is null. */
  skipText(): boolean {
    const length = this.u32();
    if (length === noText) return false;
    this.#take(length);
    return true;
  }

  /** All that is left, without copying. */
  rest(): Buffer {
    const { left } = this;
    const at = this.#take(left);
    return this.#buffer.subarray(at, at + left);
  }
}
