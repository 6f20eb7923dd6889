import { createPrivateKey, createPublicKey } from "node:crypto";

/** PKCS#8 wrapping of a raw ed25519 seed (RFC 8410 §7). */
const pkcs8Ed25519 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * What is expected of a Standard Webhooks key that cannot be used, or null when it can.
 *
 * `whsec_` + base64 of 24 to 64 bytes (Standard Webhooks 1.0.0, "Signature scheme"); `whsk_` + base64 of a
 * 32-byte seed, alone or followed by its public half, which must match. The key is never quoted.
 */
export function signingKeyProblem(key: string): string | null {
  const [, prefix, base64] = /^(whsec_|whsk_)([A-Za-z0-9+/]+={0,2})$/.exec(key) ?? [];
  if (prefix === undefined || base64 === undefined) {
    return key.startsWith("whpk_")
      ? "a secret key (whsec_ or whsk_): whpk_ is a public one"
      : "whsec_ or whsk_ and base64";
  }
  const bytes = Buffer.from(base64, "base64");
  // Node's decoder drops what it cannot read, padding mistakes included.
  if (bytes.toString("base64") !== base64) return `${prefix} and padded base64`;
  if (prefix === "whsec_") {
    return bytes.length >= 24 && bytes.length <= 64
      ? null
      : `whsec_ and 24 to 64 bytes in base64, not ${bytes.length}`;
  }
  if (bytes.length !== 32 && bytes.length !== 64)
    return `whsk_ and 32 or 64 bytes in base64, not ${bytes.length}`;
  if (bytes.length === 32) return null;
  const seed = createPrivateKey({
    key: Buffer.concat([pkcs8Ed25519, bytes.subarray(0, 32)]),
    format: "der",
    type: "pkcs8",
  });
  const derived = createPublicKey(seed).export({ format: "der", type: "spki" }).subarray(-32);
  return derived.equals(bytes.subarray(32)) ? null : "a whsk_ key whose public half belongs to its seed";
}
