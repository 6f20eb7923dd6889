import { Buffer } from "node:buffer";
import { createHmac, sign, timingSafeEqual, verify } from "node:crypto";
import type { JobBody } from "../jobs/job.ts";
import type { SigningKey, VerifyingKey } from "./signing-keys.ts";

/**
 * Signatures of Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks, spec):
 * over `id.timestamp.body`, one or several in `webhook-signature`, separated by spaces, each
 * `version,base64`.
 */

/** A signing key and how long it is used. */
export interface DatedKey {
  readonly key: SigningKey;
  /** Epoch ms; null = no end. */
  readonly notAfter: number | null;
}

/** What is signed, and with what. */
export interface StandardSigning {
  /** `webhook-id`; without dots, because a dot separates the signed parts. */
  readonly id: string;
  /** `webhook-timestamp`: of this attempt, not of the job. */
  readonly timestampSeconds: number;
  /** Exactly what is sent. */
  readonly body: JobBody;
  /** Newest first (orderKeys). */
  readonly keys: readonly DatedKey[];
  /** Epoch ms, against which `notAfter` is held. */
  readonly nowMs: number;
}

/**
 * The value of `webhook-signature`: one signature per key that is still in use, in the order given.
 *
 * Null when no key is: such a delivery must not be sent, for its receiver could not tell it from a forged one.
 *
 * @throws Error for an id with a dot: the same signature would fit another id and timestamp.
 */
export function signStandard(signing: StandardSigning): string | null {
  const { id, timestampSeconds, body, keys, nowMs } = signing;
  if (id.includes(".")) throw new Error("a webhook-id must not contain a dot");
  const head = `${id}.${timestampSeconds}.`;
  const signatures: string[] = [];
  for (const { key, notAfter } of keys) {
    if (notAfter === null || notAfter > nowMs) signatures.push(signatureOf(key, head, body));
  }
  return signatures.length === 0 ? null : signatures.join(" ");
}

/** Newest first: keys without an end, then by their end, the latest first; else in the order given. */
export function orderKeys(keys: readonly DatedKey[]): DatedKey[] {
  const end = ({ notAfter }: DatedKey): number => notAfter ?? Number.MAX_SAFE_INTEGER;
  return keys.toSorted((a, b) => end(b) - end(a));
}

/** A webhook as it was received. */
export interface StandardWebhook {
  /** `webhook-id`. */
  readonly id: string;
  /** `webhook-timestamp`, as it stood in the header. */
  readonly timestamp: string;
  /** `webhook-signature`. */
  readonly signature: string;
  readonly body: JobBody;
}

export type StandardVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason: "bad_timestamp" | "too_old" | "too_new" | "no_matching_signature";
    };

/**
 * Whether a webhook was signed with one of the keys.
 *
 * The timestamp is looked at first, so that a replayed old request costs no cryptography. Then every
 * signature is tried with every key of its version; unknown versions are skipped, as the specification
 * asks, so that senders can add new ones.
 *
 * @param toleranceSeconds How far the timestamp may be off, either way; all reference libraries take 300.
 */
export function verifyStandard(
  webhook: StandardWebhook,
  keys: readonly VerifyingKey[],
  nowMs: number,
  toleranceSeconds = 300,
): StandardVerdict {
  if (!/^\d{1,12}$/.test(webhook.timestamp)) return { ok: false, reason: "bad_timestamp" };
  const age = Math.floor(nowMs / 1000) - Number(webhook.timestamp);
  if (age > toleranceSeconds) return { ok: false, reason: "too_old" };
  if (age < -toleranceSeconds) return { ok: false, reason: "too_new" };
  const head = `${webhook.id}.${webhook.timestamp}.`;
  let matches = false;
  for (const part of webhook.signature.split(" ")) {
    const comma = part.indexOf(",");
    const version = part.slice(0, Math.max(comma, 0));
    const given = Buffer.from(part.slice(comma + 1), "base64");
    for (const key of keys) {
      if (key.version === version && isSignature(key, given, head, webhook.body)) matches = true;
    }
  }
  return matches ? { ok: true } : { ok: false, reason: "no_matching_signature" };
}

function signatureOf(key: SigningKey, head: string, body: JobBody): string {
  if (key.version === "v1") return `v1,${hmac(key.secret, head, body).toString("base64")}`;
  return `v1a,${sign(null, signedBytes(head, body), key.privateKey).toString("base64")}`;
}

function isSignature(key: VerifyingKey, given: Buffer, head: string, body: JobBody): boolean {
  if (key.version === "v1a") {
    return given.length === 64 && verify(null, signedBytes(head, body), key.publicKey, given);
  }
  const expected = hmac(key.secret, head, body);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function hmac(secret: Parameters<typeof createHmac>[1], head: string, body: JobBody): Buffer {
  return createHmac("sha256", secret).update(head).update(body).digest();
}

function signedBytes(head: string, body: JobBody): Buffer {
  return Buffer.concat([Buffer.from(head), typeof body === "string" ? Buffer.from(body) : body]);
}
