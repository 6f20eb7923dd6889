import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import type { KeyObject } from "node:crypto";

/**
 * Keys of Standard Webhooks 1.0: `whsec_` (symmetric, v1), `whsk_` (ed25519 secret, v1a) and `whpk_` (its public
 * half), each followed by standard base64.
 *
 * Of `whsk_` the specification leaves the bytes open. What is in use is seed and public key, 64 bytes; a
 * seed alone, 32 bytes, is taken too.
 */

/** A key that can sign. Printing it shows no secret. */
export type SigningKey =
  | { readonly version: "v1"; readonly secret: KeyObject }
  | { readonly version: "v1a"; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** A key that can check signatures. */
export type VerifyingKey =
  | { readonly version: "v1"; readonly secret: KeyObject }
  | { readonly version: "v1a"; readonly publicKey: KeyObject };

/** A public key in JWK form (RFC 8037); `kid` is its thumbprint (RFC 7638). */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly use: "sig";
  readonly alg: "EdDSA";
}

// PKCS #8 and SPKI headers of ed25519 (RFC 8410 §7): the raw key follows.
const privateHeader = Buffer.from("302e020100300506032b657004220420", "hex");
const publicHeader = Buffer.from("302a300506032b6570032100", "hex");

/** The key in a `whsec_` or `whsk_` text, or what is wrong with it, in words that quote nothing of it. */
export function parseSigningKey(text: string): SigningKey | string {
  if (text.startsWith("whsec_")) {
    const secret = parseSecret(text);
    return typeof secret === "string" ? secret : { version: "v1", secret: createSecretKey(secret) };
  }
  if (text.startsWith("whpk_")) return "expected a secret key (whsk_), got a public one";
  if (!text.startsWith("whsk_")) return "expected a key that begins with whsec_ or whsk_";
  const bytes = decodeBase64(text.slice(5));
  if (bytes === null) return "expected standard base64 with padding after whsk_";
  if (bytes.length !== 32 && bytes.length !== 64) {
    return `expected 64 bytes (seed and public key) or 32 (seed) after whsk_, got ${bytes.length}`;
  }
  const privateKey = privateKeyOf(bytes.subarray(0, 32));
  const publicKey = createPublicKey(privateKey);
  if (bytes.length === 64 && !timingSafeEqual(bytes.subarray(32), publicBytes(publicKey))) {
    return "the public half of this whsk_ key does not belong to its seed";
  }
  return { version: "v1a", privateKey, publicKey };
}

/** What is wrong with a `whsec_` or `whsk_` text, as parseSigningKey says it; null where it is a key. */
export function signingKeyProblem(text: string): string | null {
  const found = text.startsWith("whsec_") ? parseSecret(text) : parseSigningKey(text);
  return typeof found === "string" ? found : null;
}

/** The bytes of a `whsec_` text, or what is wrong with it. */
function parseSecret(text: string): Buffer | string {
  const secret = decodeBase64(text.slice(6));
  if (secret === null) return "expected standard base64 with padding after whsec_";
  if (secret.length < 24 || secret.length > 64) {
    return `expected 24 to 64 bytes after whsec_, got ${secret.length}`;
  }
  return secret;
}

/** The key in a `whsec_`, `whpk_` or `whsk_` text, or what is wrong with it. */
export function parseVerifyingKey(text: string): VerifyingKey | string {
  if (!text.startsWith("whpk_")) return parseSigningKey(text);
  const bytes = decodeBase64(text.slice(5));
  if (bytes === null) return "expected standard base64 with padding after whpk_";
  if (bytes.length !== 32) return `expected 32 bytes after whpk_, got ${bytes.length}`;
  return { version: "v1a", publicKey: publicKeyOf(bytes) };
}

/** A new symmetric key: 32 random bytes. */
export function generateSymmetricKey(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** A new ed25519 key pair: `whsk_` of seed and public key, and `whpk_`. */
export function generateKeyPair(): { readonly secretKey: string; readonly publicKey: string } {
  const seed = randomBytes(32);
  const bytes = publicBytes(createPublicKey(privateKeyOf(seed)));
  return {
    secretKey: `whsk_${Buffer.concat([seed, bytes]).toString("base64")}`,
    publicKey: `whpk_${bytes.toString("base64")}`,
  };
}

/** The `whpk_` text of a public key; safe to give away. */
export function encodePublicKey(publicKey: KeyObject): string {
  return `whpk_${publicBytes(publicKey).toString("base64")}`;
}

/** A public key for a JWKS. */
export function publicJwk(publicKey: KeyObject): PublicJwk {
  const x = publicBytes(publicKey).toString("base64url");
  const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
  return { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" };
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privateHeader, seed]), format: "der", type: "pkcs8" });
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicHeader, bytes]), format: "der", type: "spki" });
}

function publicBytes(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: "der", type: "spki" }).subarray(publicHeader.length);
}

/** Null for anything but canonical standard base64: what one library tolerates, another refuses. */
function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}
