import type { JobBody } from "../jobs/job.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HeaderEntry } from "./headers.ts";
import { signPusher } from "./sign.ts";
import { signStandard } from "./standard-webhooks.ts";

/** What is signed besides the endpoint's keys. */
export interface SignedParts {
  /** The `webhook-id`. */
  readonly deliveryId: string;
  /** Exactly what is sent. */
  readonly body: JobBody;
  /** Epoch ms of this attempt. */
  readonly nowMs: number;
}

const none: readonly HeaderEntry[] = [];

/**
 * The signature headers of one attempt: x-pusher-key and x-pusher-signature, and those of Standard
 * Webhooks (webhook-timestamp, webhook-signature), as the endpoint's `signing` says.
 *
 * Made anew for each attempt: the timestamp is the attempt's, and a key may have reached its end.
 *
 * @returns Null when every key has: nothing may be sent that the receiver would have to take unsigned.
 */
export function signatureHeaders(endpoint: Endpoint, parts: SignedParts): readonly HeaderEntry[] | null {
  const { pusher, standardKeys } = endpoint;
  const entries: HeaderEntry[] = [];
  if (standardKeys !== null) {
    const timestampSeconds = Math.floor(parts.nowMs / 1000);
    const signature = signStandard({
      id: parts.deliveryId,
      timestampSeconds,
      body: parts.body,
      keys: standardKeys,
      nowMs: parts.nowMs,
    });
    if (signature === null) return null;
    entries.push(["webhook-timestamp", String(timestampSeconds)], ["webhook-signature", signature]);
  }
  if (pusher !== null) {
    entries.push(["x-pusher-key", pusher.key]);
    entries.push(["x-pusher-signature", signPusher(pusher.secret, parts.body)]);
  }
  return entries.length === 0 ? none : entries;
}
