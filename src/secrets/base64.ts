import { Buffer } from "node:buffer";

/** Shorter ones turn up by chance: five digits of base64 are one in a thousand million. */
const shortestDigits = 5;

/**
 * How a text looks inside the base64 of something longer, in both alphabets (RFC 4648 §4 and §5): once for each of the
 * three places that it can have in a group of three bytes, without the digits that its neighbours have a part in.
 */
export function base64Spellings(text: string): string[] {
  const utf8 = Buffer.from(text, "utf8");
  const latin1 = Buffer.from(text, "latin1");
  // A body that is no UTF-8 may have it in one byte a character.
  const isLatin1 = latin1.length === text.length && latin1.toString("latin1") === text;
  const forms = isLatin1 && !latin1.equals(utf8) ? [utf8, latin1] : [utf8];
  const found = new Set<string>();
  for (const bytes of forms) {
    for (const offset of [0, 1, 2]) {
      const digits = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
      const first = offset === 0 ? 0 : offset + 1;
      const inner = digits.slice(first, Math.floor(((offset + bytes.length) * 8) / 6));
      if (inner.length < shortestDigits) continue;
      found.add(inner);
      found.add(inner.replaceAll("+", "-").replaceAll("/", "_"));
    }
  }
  return [...found];
}

/**
 * The text with what is secret in each run of base64 masked and encoded again, so that the run stays base64.
 *
 * base64Spellings finds a secret as it is; here it is found however it is spelled within, and so is what stands after
 * `"app_secret":` there.
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
