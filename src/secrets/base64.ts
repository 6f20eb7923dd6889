import { Buffer } from "node:buffer";
import type { NeedleTable, Span } from "./needle-table.ts";
import { createHashedText } from "./rolling-hash.ts";

/** The value of each digit of both alphabets (RFC 4648 §4 and §5) by its code; -1 for what is no digit. */
const digits = new Int8Array(128).fill(-1);
const standardAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let value = 0; value < 64; value += 1) digits[standardAlphabet.charCodeAt(value)] = value;
digits["-".charCodeAt(0)] = 62;
digits["_".charCodeAt(0)] = 63;

/** Six digits hold four characters, the fewest that are looked for inside of something. */
const shortestRun = 6;
/** So many digits are decoded at a time; a multiple of four. */
const pieceDigits = 16_384;

/**
 * Finds needles in what a text is the base64 of, in both alphabets, alone or as a part of something longer.
 *
 * Every run of digits is decoded four times, once from each of its first four digits: where a group of four begins
 * cannot be told. Spans are those of the digits.
 */
export function createBase64Finder(table: NeedleTable): (text: string, found: (span: Span) => void) => void {
  const bytes = createHashedText();

  const decode = (text: string, from: number, end: number): void => {
    bytes.clear(end - from);
    let held = 0;
    let bits = 0;
    for (let at = from; at < end; at += 1) {
      held = ((held << 6) | (digits[text.charCodeAt(at)] as number)) & 0xffff;
      bits += 6;
      if (bits < 8) continue;
      bits -= 8;
      bytes.push((held >>> bits) & 0xff);
    }
  };
  const findInRun = (text: string, start: number, end: number, found: (span: Span) => void): void => {
    // The next piece begins before the end of this one: what is cut off here is found there.
    const overlap = Math.ceil((table.longest * 4) / 3 / 4) * 4 + 8;
    for (let piece = start; piece < end; piece += pieceDigits) {
      const pieceEnd = Math.min(end, piece + pieceDigits + overlap);
      for (let from = piece; from < piece + 4 && pieceEnd - from >= shortestRun; from += 1) {
        decode(text, from, pieceEnd);
        table.find(bytes, [0, bytes.length], false, (first, last) =>
          found([from + Math.floor((first * 8) / 6), from + Math.ceil((last * 8) / 6)]),
        );
      }
    }
  };
  return (text, found) => {
    let start = 0;
    for (let at = 0; at <= text.length; at += 1) {
      const code = at < text.length ? text.charCodeAt(at) : 128;
      if (code < 128 && (digits[code] as number) !== -1) continue;
      if (at - start >= shortestRun) findInRun(text, start, at, found);
      start = at + 1;
    }
  };
}

/**
 * The text with what is secret in each run of base64 masked and encoded again, so that the run stays base64.
 *
 * What is found here may be spelled in any way within: as JSON, percent-encoded, or behind `"app_secret":`.
 *
 * @param mask Masks a text of one character a byte.
 */
export function maskBase64Runs(text: string, mask: (latin1: string) => string): string {
  return text.replace(/[A-Za-z0-9+/_-]{16,}={0,2}/g, (run) => {
    const inside = Buffer.from(run, "base64").toString("latin1");
    const masked = mask(inside);
    if (masked === inside) return run;
    const encoded = Buffer.from(masked, "latin1");
    return encoded.toString(/[-_]/.test(run) ? "base64url" : "base64");
  });
}
