import type { JobBody } from "../jobs/job.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HeaderEntry } from "./headers.ts";
import { signPusher } from "./sign.ts";

const none: readonly HeaderEntry[] = [];

/**
 * The signature headers of one attempt: x-pusher-key and x-pusher-signature for an app's webhooks.
 *
 * Made anew for each attempt, over the exact bytes that are sent.
 */
export function signatureHeaders(endpoint: Endpoint, body: JobBody): readonly HeaderEntry[] {
  const { pusher } = endpoint;
  if (pusher === null) return none;
  return [
    ["x-pusher-key", pusher.key],
    ["x-pusher-signature", signPusher(pusher.secret, body)],
  ];
}
