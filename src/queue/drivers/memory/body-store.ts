import { Buffer } from "node:buffer";
import { bodyBytes } from "../../../jobs/body.ts";
import type { JobBody } from "../../../jobs/job.ts";
import { createSlabs } from "./slabs.ts";

/** A job's id and bytes. */
export interface StoredBody {
  readonly id: string;
  readonly body: JobBody;
}

/**
 * Keeps ids and bodies outside the JavaScript heap, each pair under a number.
 *
 * The collector sees a few large buffers instead of a text per job, so that a hundred thousand waiting jobs cost it
 * nothing. A number is given again once it was freed.
 */
export interface BodyStore {
  /** Copies an id and a body in, and gives their number. */
  put(id: string, body: JobBody): number;
  /** Gives the same text, or equal bytes. */
  read(ref: number): StoredBody;
  /** The id alone. */
  readId(ref: number): string;
  /** The bytes of the body, of UTF-8 where it is a text. */
  size(ref: number): number;
  /** Forgets an id and a body. */
  free(ref: number): void;
  /** How many there are, and the bytes of all buffers, what is unused in them included. */
  usage(): { readonly count: number; readonly bytes: number };
}

/** How a body's bytes are read; `ascii` where those of the id are ASCII, too. A text with half of a surrogate pair is kept as UTF-16, because UTF-8 cannot hold it. */
const kinds = { ascii: 0, utf8: 1, utf16: 2, bytes: 3 } as const;

/** Numbers in a row: slab, offset, bytes of the body, bytes of the id × 4 + kind. A free row begins with the next free one. */
const width = 4;
const fewestRows = 64;
/** Stands last in a free row. */
const freeMark = 0xffffffff;
/** Beyond it the size of a text is counted before a place is looked for. */
const largestGuessed = 16 * 1024;
/** So many unused bytes are let be. */
const toleratedBytes = 4 * 1024 * 1024;

/** An empty store. */
export function createBodyStore(): BodyStore {
  const slabs = createSlabs();
  let rows = new Uint32Array(fewestRows * width);
  /** Rows from here on were never used. */
  let nextRow = 0;
  /** The first free row + 1; 0 when there is none. */
  let firstFree = 0;
  let count = 0;

  const takeRow = (): number => {
    count += 1;
    if (firstFree !== 0) {
      const row = firstFree - 1;
      firstFree = rows[row * width] as number;
      return row;
    }
    if (nextRow * width === rows.length) {
      const larger = new Uint32Array(rows.length * 2);
      larger.set(rows);
      rows = larger;
    }
    nextRow += 1;
    return nextRow - 1;
  };

  /** At least 1, so that a slab in which something stands is never empty. */
  const bytesAt = (at: number): number => (rows[at + 2] as number) + ((rows[at + 3] as number) >>> 2) || 1;

  const read = (ref: number): StoredBody => {
    const at = ref * width;
    const tail = rows[at + 3] as number;
    const data = slabs.data(rows[at] as number);
    const start = rows[at + 1] as number;
    const idBytes = tail >>> 2;
    const bodyStart = start + idBytes;
    const end = bodyStart + (rows[at + 2] as number);
    if ((tail & 3) === kinds.ascii) {
      // One call for both texts: the calls cost more than the bytes.
      const both = data.toString("latin1", start, end);
      return { id: both.slice(0, idBytes), body: both.slice(idBytes) };
    }
    return { id: data.toString("utf8", start, bodyStart), body: readBody(data, bodyStart, end, tail & 3) };
  };

  /** Moves what is left in a slab elsewhere, which frees the slab. */
  const clear = (slab: number): void => {
    const from = slabs.data(slab);
    for (let at = 0; at < nextRow * width; at += width) {
      if (rows[at] !== slab || rows[at + 3] === freeMark) continue;
      const bytes = bytesAt(at);
      const start = rows[at + 1] as number;
      slabs.reserve(bytes);
      from.copy(slabs.data(slabs.slab), slabs.offset, start, start + bytes);
      rows[at] = slabs.slab;
      rows[at + 1] = slabs.offset;
      slabs.commit(bytes);
      slabs.free(slab, bytes);
    }
  };

  return {
    put(id, body) {
      slabs.reserve(mostBytes(id) + mostBytes(body) || 1);
      const data = slabs.data(slabs.slab);
      const idBytes = data.write(id, slabs.offset, "utf8");
      const [kind, bytes] = writeBody(data, slabs.offset + idBytes, body, idBytes === id.length);
      const row = takeRow();
      const at = row * width;
      rows[at] = slabs.slab;
      rows[at + 1] = slabs.offset;
      rows[at + 2] = bytes;
      rows[at + 3] = idBytes * 4 + kind;
      slabs.commit(idBytes + bytes || 1);
      return row;
    },
    read,
    readId(ref) {
      const at = ref * width;
      const start = rows[at + 1] as number;
      return slabs.data(rows[at] as number).toString("utf8", start, start + ((rows[at + 3] as number) >>> 2));
    },
    size(ref) {
      const isUtf16 = ((rows[ref * width + 3] as number) & 3) === kinds.utf16;
      return isUtf16 ? bodyBytes(read(ref).body) : (rows[ref * width + 2] as number);
    },
    free(ref) {
      const at = ref * width;
      const slab = rows[at] as number;
      const bytes = bytesAt(at);
      rows[at] = firstFree;
      rows[at + 3] = freeMark;
      firstFree = ref + 1;
      count -= 1;
      slabs.free(slab, bytes);
      if (slabs.capacity <= slabs.used * 2 + toleratedBytes) return;
      // A few old bodies in each slab must not keep all of them.
      const emptiest = slabs.emptiest();
      if (emptiest !== undefined) clear(emptiest);
    },
    usage: () => ({ count, bytes: slabs.capacity + rows.byteLength }),
  };
}

/** Bytes that a text or body takes at most: a UTF-16 unit is never more than three bytes of UTF-8. */
function mostBytes(body: JobBody): number {
  if (typeof body !== "string") return body.length;
  if (body.length <= largestGuessed) return body.length * 3;
  return Math.max(Buffer.byteLength(body), body.length * 2);
}

/** Writes a body and gives its kind and its length. */
function writeBody(
  data: Buffer,
  at: number,
  body: JobBody,
  isIdAscii: boolean,
): [kind: number, bytes: number] {
  if (typeof body !== "string") {
    data.set(body, at);
    return [kinds.bytes, body.length];
  }
  const bytes = data.write(body, at, "utf8");
  // Every character beyond ASCII takes more bytes than it has UTF-16 units.
  if (bytes === body.length && isIdAscii) return [kinds.ascii, bytes];
  if (body.isWellFormed()) return [kinds.utf8, bytes];
  return [kinds.utf16, data.write(body, at, "utf16le")];
}

function readBody(data: Buffer, start: number, end: number, kind: number): JobBody {
  if (kind === kinds.utf8) return data.toString("utf8", start, end);
  if (kind === kinds.utf16) return data.toString("utf16le", start, end);
  return new Uint8Array(data.subarray(start, end));
}
