import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { signPusher } from "../delivery/sign.ts";
import type { VerifyingKey } from "../delivery/signing-keys.ts";
import { verifyStandard } from "../delivery/standard-webhooks.ts";

/** Headers by lower-case name; several of one name are all kept. */
export type ReceivedHeaders = ReadonlyMap<string, readonly string[]>;

/** What one kind of signature came to: fine, or exactly why not. */
export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

export interface StandardCheck {
  readonly headers: ReceivedHeaders;
  readonly body: Buffer;
  readonly keys: readonly VerifyingKey[];
  /** The keys as they were given, for the mistake of not decoding them. */
  readonly keyTexts: readonly string[];
  /** Epoch ms that the timestamp is held against. */
  readonly nowMs: number;
  readonly toleranceSeconds: number;
}

/** Checks `webhook-signature`; when it does not fit, tries the usual mistakes and names the one that was made. */
export function checkStandard(check: StandardCheck): Verdict {
  const { headers, body, keys, nowMs, toleranceSeconds } = check;
  const id = one(headers, "webhook-id");
  const timestamp = one(headers, "webhook-timestamp");
  const signature = one(headers, "webhook-signature");
  if (typeof id !== "string") return id;
  if (typeof timestamp !== "string") return timestamp;
  if (typeof signature !== "string") return signature;
  const webhook = { id, timestamp, signature };
  const fits = (bytes: Buffer, atMs: number, tolerance: number): boolean =>
    verifyStandard({ ...webhook, body: bytes }, keys, atMs, tolerance).ok;

  const verdict = verifyStandard({ ...webhook, body }, keys, nowMs, toleranceSeconds);
  if (verdict.ok) return { ok: true, text: "webhook-signature" };
  if (verdict.reason === "bad_timestamp") {
    return bad(
      `webhook-timestamp is ${JSON.stringify(webhook.timestamp)}: expected whole seconds since 1970`,
    );
  }
  const sentAtMs = Number(webhook.timestamp) * 1000;
  if (verdict.reason !== "no_matching_signature") {
    const ageSeconds = Math.abs(Math.floor(nowMs / 1000) - Number(webhook.timestamp));
    const direction = verdict.reason === "too_old" ? "old" : "ahead";
    const rest = fits(body, sentAtMs, 0)
      ? "the signature itself fits; --at TIME checks a saved request as of its own time"
      : "and the signature does not fit either";
    return bad(
      `webhook-timestamp is ${ageSeconds} s ${direction}, more than ${toleranceSeconds} s are not taken; ${rest}`,
    );
  }
  return bad(whyNothingFits(check, webhook, (bytes) => fits(bytes, sentAtMs, 0)));
}

function whyNothingFits(
  { body, keys, keyTexts }: StandardCheck,
  webhook: { readonly id: string; readonly timestamp: string; readonly signature: string },
  fits: (body: Buffer) => boolean,
): string {
  const signatures = webhook.signature.split(" ").map((part) => part.split(","));
  const versions = new Set(signatures.filter(({ length }) => length === 2).map(([version]) => version));
  if (versions.size === 0) return "webhook-signature holds nothing of the form v1,BASE64";
  const wanted = new Set(keys.map(({ version }) => version));
  if (![...wanted].some((version) => versions.has(version))) {
    const given = [...wanted]
      .map((version) => (version === "v1" ? "v1 (whsec_)" : "v1a (whpk_)"))
      .join(" and ");
    return `webhook-signature has ${[...versions].join(" and ")} only, and the key given is for ${given}`;
  }
  for (const [version, base64 = ""] of signatures) {
    const bytes = Buffer.from(base64, "base64").length;
    const expected = version === "v1" ? 32 : 64;
    if ((version === "v1" || version === "v1a") && wanted.has(version) && bytes !== expected) {
      return `the ${version} signature has ${bytes} bytes instead of ${expected}: it was cut off, or is not base64`;
    }
  }
  const variant = variantsOf(body).find((other) => fits(other.body));
  if (variant !== undefined) return variant.problem;
  const signed = Buffer.concat([Buffer.from(`${webhook.id}.${webhook.timestamp}.`), body]);
  const isUndecoded = keyTexts
    .flatMap((text) => [text, text.replace(/^whsec_/, "")])
    .map((text) => createHmac("sha256", text).update(signed).digest("base64"))
    .some((made) => signatures.some(([version, base64]) => version === "v1" && base64 === made));
  if (isUndecoded) return "it was made with the key's text: the base64 after whsec_ must be decoded first";
  return "no signature fits: another key, or body, id or timestamp are not those that were signed";
}

export interface PusherCheck {
  readonly headers: ReceivedHeaders;
  readonly body: Buffer;
  /** Null when it need not be looked at. */
  readonly key: string | null;
  readonly secret: string;
}

/** Checks `x-pusher-signature`, and `x-pusher-key` where a key is given. */
export function checkPusher({ headers, body, key, secret }: PusherCheck): Verdict {
  const signature = one(headers, "x-pusher-signature");
  if (typeof signature !== "string") return signature;
  if (key !== null) {
    const given = one(headers, "x-pusher-key");
    if (typeof given !== "string") return given;
    if (given !== key) return bad(`x-pusher-key is ${JSON.stringify(given)}, not the key given`);
  }
  const fits = (bytes: Buffer): boolean => isSame(signPusher(secret, bytes), signature);
  if (fits(body)) return { ok: true, text: "x-pusher-signature" };
  if (!/^[0-9a-f]{64}$/.test(signature)) {
    return bad("x-pusher-signature is not 64 lower-case hex digits");
  }
  const variant = variantsOf(body).find((other) => fits(other.body));
  return bad(
    variant?.problem ?? "x-pusher-signature does not fit: another secret, or the body is not the one signed",
  );
}

/** Constant-time: a comparison that stops at the first wrong character tells how many were right. */
function isSame(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** What editors, shells and JSON libraries make of a body. */
function variantsOf(body: Buffer): { problem: string; body: Buffer }[] {
  const text = body.toString("utf8");
  const variants: [string, string][] = [
    [
      "it fits without the newline at the body's end, which was added after signing",
      text.replace(/\r?\n$/, ""),
    ],
    ["it fits with a newline at the body's end, which got lost", `${text}\n`],
    ["it fits with LF line ends: the body's were changed to CRLF", text.replaceAll("\r\n", "\n")],
    ["it fits with CRLF line ends: the body's were changed to LF", text.replace(/\r?\n/g, "\r\n")],
  ];
  const compact = reencode(text);
  if (compact !== null) {
    variants.push([
      "it fits the same JSON written compactly: the body was parsed and written again; keep the raw bytes",
      compact,
    ]);
  }
  return variants.map(([problem, changed]) => ({ problem, body: Buffer.from(changed, "utf8") }));
}

function reencode(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The header's one value, or what is wrong. */
function one(headers: ReceivedHeaders, name: string): string | Verdict {
  const values = headers.get(name) ?? [];
  const [value] = values;
  if (value === undefined) return bad(`${name} is missing from the headers`);
  return values.length > 1 ? bad(`${name} is there ${values.length} times`) : value;
}

function bad(text: string): Verdict {
  return { ok: false, text };
}
