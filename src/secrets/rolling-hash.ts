/**
 * Polynomial hashes modulo 2^32: of a text that is read once, the hash of any part costs one multiplication.
 *
 * They are no protection against somebody who makes two texts with one hash: whoever finds a hash compares the texts.
 */

const base = 0x01000193;

let powers = new Int32Array([1]);

/** base to the power of a length. */
export function powerOf(length: number): number {
  if (length >= powers.length) {
    const more = new Int32Array(Math.max(64, length * 2));
    more[0] = 1;
    for (let index = 1; index < more.length; index += 1)
      more[index] = Math.imul(more[index - 1] as number, base);
    powers = more;
  }
  return powers[length] as number;
}

/** The hash of the first characters of a text. */
export function hashOf(text: string, length: number): number {
  let hash = 0;
  for (let index = 0; index < length; index += 1)
    hash = (Math.imul(hash, base) + text.charCodeAt(index) + 1) | 0;
  return hash;
}

/** Characters with the hashes of all their beginnings; made for one text after another. */
export interface HashedText {
  readonly codes: Uint16Array;
  /** `sums[n]` is the hash of the first n characters. */
  readonly sums: Int32Array;
  readonly length: number;
}

/** A HashedText that is written character by character. */
export interface HashedTextWriter extends HashedText {
  /** Forgets what it held, and makes room for so many characters. */
  clear(most: number): void;
  push(code: number): void;
}

export function createHashedText(): HashedTextWriter {
  let codes = new Uint16Array(0);
  let sums = new Int32Array(1);
  let length = 0;
  return {
    get codes() {
      return codes;
    },
    get sums() {
      return sums;
    },
    get length() {
      return length;
    },
    clear(most) {
      if (most > codes.length) {
        codes = new Uint16Array(most * 2);
        sums = new Int32Array(most * 2 + 1);
      }
      length = 0;
    },
    push(code) {
      codes[length] = code;
      sums[length + 1] = (Math.imul(sums[length] as number, base) + code + 1) | 0;
      length += 1;
    },
  };
}
