import type { Buffer } from "node:buffer";

/** Numbers for texts that come again and again: the labels of endpoints. 0 is null. */
export interface Labels {
  numberOf(label: string | null): number;
  /** The number of the text in a range of a buffer; makes a text only where it is new. */
  numberAt(buffer: Buffer, from: number, end: number): number;
  text(number: number): string | null;
}

/** Labels are those of configured endpoints: they are few, and stay. */
export function createLabels(): Labels {
  const texts: (string | null)[] = [null];
  const numbers = new Map<string, number>();
  /** By the hash of their bytes, the last one of each. */
  const byHash = new Map<number, { readonly bytes: Uint8Array; readonly number: number }>();

  const numberOf = (label: string | null): number => {
    if (label === null) return 0;
    let number = numbers.get(label);
    if (number === undefined) {
      number = texts.push(label) - 1;
      numbers.set(label, number);
    }
    return number;
  };

  const isSame = (bytes: Uint8Array, buffer: Buffer, from: number, end: number): boolean => {
    if (bytes.length !== end - from) return false;
    for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== buffer[from + at]) return false;
    return true;
  };

  return {
    numberOf,
    numberAt(buffer, from, end) {
      let hash = end - from;
      for (let at = from; at < end; at += 1) hash = (Math.imul(hash, 31) + (buffer[at] as number)) | 0;
      const known = byHash.get(hash);
      if (known !== undefined && isSame(known.bytes, buffer, from, end)) return known.number;
      const number = numberOf(buffer.toString("utf8", from, end));
      byHash.set(hash, { bytes: Uint8Array.prototype.slice.call(buffer, from, end), number });
      return number;
    },
    text: (number) => texts[number] ?? null,
  };
}
