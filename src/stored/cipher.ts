import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/** Names a key without telling it: 8 hex of its SHA-256. */
export function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 8);
}

/** What became of a sealed text. */
export type Opened =
  | { readonly ok: true; readonly text: string }
  /** None of the keys here is the one it was sealed with. */
  | { readonly ok: false; readonly why: "missing_key"; readonly keyId: string }
  /** Its bytes, or what they were sealed for, are not what they were. */
  | { readonly ok: false; readonly why: "damaged"; readonly keyId: null };

/**
 * Seals texts with AES-256-GCM: nobody without the key can read one, change it, or pass one record's off as another's.
 *
 *     version 1 · key id, 4 bytes · nonce, 12 bytes, random · tag, 16 bytes · text
 *
 * A random nonce may be used 2^32 times under one key before a repetition becomes likely enough to matter (NIST SP
 * 800-38D §8.3); records are written by people and their programs, far less often.
 */
export interface Cipher {
  /** Id of the key that seals. */
  readonly keyId: string;
  /** @param about What the text is of, as in `app:shop`; the same is needed to open it. */
  seal(about: string, text: string): Uint8Array;
  open(about: string, sealed: Uint8Array): Opened;
}

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 5;
const algorithm = "aes-256-gcm";

/**
 * @param key      32 bytes; seals and opens.
 * @param previous Keys that open only.
 */
export function createCipher(key: Uint8Array, previous: readonly Uint8Array[] = []): Cipher {
  const keys = new Map([...previous, key].map((one) => [keyIdOf(one), one]));
  const keyId = keyIdOf(key);
  const head = Buffer.from([version, ...Buffer.from(keyId, "hex")]);
  return {
    keyId,
    seal(about, text) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce);
      cipher.setAAD(Buffer.from(about, "utf8"));
      const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([head, nonce, cipher.getAuthTag(), sealed]);
    },
    open(about, sealed) {
      const id = sealedWith(sealed);
      if (id === null) return { ok: false, why: "damaged", keyId: null };
      const found = keys.get(id);
      if (found === undefined) return { ok: false, why: "missing_key", keyId: id };
      const nonceEnd = headBytes + nonceBytes;
      const tagEnd = nonceEnd + tagBytes;
      try {
        const decipher = createDecipheriv(algorithm, found, sealed.subarray(headBytes, nonceEnd));
        decipher.setAAD(Buffer.from(about, "utf8"));
        decipher.setAuthTag(sealed.subarray(nonceEnd, tagEnd));
        const text = decipher.update(sealed.subarray(tagEnd), undefined, "utf8") + decipher.final("utf8");
        return { ok: true, text };
      } catch {
        return { ok: false, why: "damaged", keyId: null };
      }
    },
  };
}

/** Id of the key that a text was sealed with; null for what is no sealed text. */
export function sealedWith(sealed: Uint8Array): string | null {
  if (sealed.length < headBytes + nonceBytes + tagBytes || sealed[0] !== version) return null;
  return Buffer.from(sealed.subarray(1, headBytes)).toString("hex");
}
