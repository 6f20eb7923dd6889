import { Buffer } from "node:buffer";

/** Characters of a text that are looked at: far more than is shown of any, and than any secret has. */
export const longestRead = 8_192;

/**
 * The beginning of a text from outside, masked: what `shortened` is to be given.
 *
 * Masked before it is cut short: a cut through a secret would leave its beginning, which no mask finds.
 *
 * @param mask Replaces every secret in a text (secrets/mask.ts).
 */
export function maskBounded(text: string, mask: (text: string) => string): string {
  return mask(text.length > longestRead ? text.slice(0, longestRead) : text);
}

/** A copy of at most `most` characters; a cut shows as `…`. A copy, because a part of a text keeps all of it in memory. */
export function shortened(text: string, most: number): string {
  return Buffer.from(text.length > most ? `${text.slice(0, most - 1)}…` : text).toString();
}
