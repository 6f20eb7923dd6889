import { malformedAnswer } from "./answer-head.ts";

/** Follows a chunked body (RFC 9112 §7.1) to its end. */
export interface ChunkedBody {
  /**
   * Takes the bytes of `part` from `at` on. Returns where the body ended in it, or -1 while it goes on.
   * Throws malformedAnswer.
   */
  skip(part: Uint8Array, at: number): number;
}

/** Longest line of a chunk's size with its extensions, and longest trailer section. */
const maxLineBytes = 16_384;

const lf = 0x0a;
const cr = 0x0d;

/** @param taken Gets what the body holds, part by part; absent: it is dropped. */
export function createChunkedBody(taken?: (part: Uint8Array, from: number, to: number) => void): ChunkedBody {
  let state: "size" | "extension" | "data" | "data_end" | "trailer" = "size";
  /** The byte before was a carriage return: a line feed must follow where two readers could disagree. */
  let isReturned = false;
  let size = 0;
  let digits = 0;
  /** Bytes of the present line, its carriage return left out. */
  let line = 0;
  /** Bytes of all trailers. */
  let trailers = 0;

  const endSize = (): void => {
    if (digits === 0) throw malformedAnswer("a chunk without a size");
    state = size === 0 ? "trailer" : "data";
    digits = line = 0;
  };

  return {
    skip(part, from) {
      let at = from;
      while (at < part.length) {
        if (state === "data") {
          const bytes = Math.min(size, part.length - at);
          taken?.(part, at, at + bytes);
          size -= bytes;
          at += bytes;
          if (size === 0) state = "data_end";
          continue;
        }
        const byte = part[at] as number;
        at += 1;
        if (isReturned && byte !== lf) throw malformedAnswer("a carriage return without its line feed");
        isReturned = byte === cr;
        if (state === "trailer") {
          trailers += 1;
          if (trailers > maxLineBytes) throw malformedAnswer("endless trailers");
        }
        if (isReturned) continue;
        if (state === "data_end") {
          if (byte !== lf) throw malformedAnswer("a chunk longer than its size");
          state = "size";
        } else if (state === "trailer") {
          if (byte !== lf) line += 1;
          else if (line === 0) return at;
          else line = 0;
        } else if (byte === lf) {
          endSize();
        } else if (state === "size") {
          const digit = hexDigit(byte);
          if (digit >= 0) {
            digits += 1;
            if (digits > 12) throw malformedAnswer("a chunk's size out of range");
            size = size * 16 + digit;
          } else if (byte === 0x3b || byte === 0x20 || byte === 0x09) {
            state = "extension";
          } else {
            throw malformedAnswer("a chunk's size that is no number");
          }
        } else {
          line += 1;
          if (line > maxLineBytes) throw malformedAnswer("an endless chunk extension");
        }
      }
      return -1;
    },
  };
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
