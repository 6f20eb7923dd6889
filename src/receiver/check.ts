import type { Buffer } from "node:buffer";
import type { VerifyingKey } from "../delivery/signing-keys.ts";
import { checkPusher, checkStandard, type ReceivedHeaders, type Verdict } from "./verdict.ts";

/** The keys of both signature schemes that a receiver holds. */
export interface ReceiverKeys {
  /** Of Standard Webhooks. */
  readonly standard: readonly VerifyingKey[];
  /** The same as they were given. */
  readonly standardTexts: readonly string[];
  readonly pusher: readonly PusherKey[];
}

export interface PusherKey {
  /** Null when `x-pusher-key` need not be looked at. */
  readonly key: string | null;
  readonly secret: string;
}

/** What a request's signatures came to. */
export interface Verification {
  /** Null when there is no key to verify with. */
  readonly verified: boolean | null;
  /** The headers whose signature fits, or why the request is not verified. */
  readonly text: string;
}

/** Seconds that a timestamp may be off, as all libraries of Standard Webhooks take. */
const toleranceSeconds = 300;

/**
 * Checks every signature that a request carries and a key is held for: each must fit, and there must be one.
 *
 * A request may be signed in either way or both; one that is signed only in a way no key is held for is not verified.
 */
export function verifyRequest(
  keys: ReceiverKeys,
  { headers, body }: { readonly headers: ReceivedHeaders; readonly body: Buffer },
  nowMs: number,
): Verification {
  const { standard, standardTexts, pusher } = keys;
  if (standard.length === 0 && pusher.length === 0) {
    return { verified: null, text: "not checked: no key was given" };
  }
  const verdicts: Verdict[] = [];
  if (standard.length > 0 && (headers.has("webhook-signature") || pusher.length === 0)) {
    verdicts.push(
      checkStandard({ headers, body, keys: standard, keyTexts: standardTexts, nowMs, toleranceSeconds }),
    );
  }
  if (pusher.length > 0 && (headers.has("x-pusher-signature") || standard.length === 0)) {
    verdicts.push(checkPusherKeys(pusher, headers, body));
  }
  if (verdicts.length === 0) {
    return { verified: false, text: "neither webhook-signature nor x-pusher-signature is in the headers" };
  }
  const bad = verdicts.filter(({ ok }) => !ok);
  const shown = bad.length > 0 ? bad : verdicts;
  return { verified: bad.length === 0, text: shown.map(({ text }) => text).join("; ") };
}

/** With the secret of the key that the request names; of several that name none, with each in turn. */
function checkPusherKeys(keys: readonly PusherKey[], headers: ReceivedHeaders, body: Buffer): Verdict {
  const named = headers.get("x-pusher-key")?.[0];
  const fitting = keys.filter(({ key }) => key === null || key === named);
  const verdicts = (fitting.length > 0 ? fitting : keys.slice(0, 1)).map(({ key, secret }) =>
    checkPusher({ headers, body, key, secret }),
  );
  return verdicts.find(({ ok }) => ok) ?? verdicts[0]!;
}
