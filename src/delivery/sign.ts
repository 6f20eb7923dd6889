import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { JobBody } from "../jobs/job.ts";
import type { HeaderEntry } from "./headers.ts";

/** Secrets come from the configuration, so that there are few; a ready key saves a third of a signature's time. */
const keys = new Map<string, KeyObject>();

/** Hex HMAC-SHA256 of the exact body with the app's secret. */
export function signPusher(secret: string, body: JobBody): string {
  let key = keys.get(secret);
  if (key === undefined) keys.set(secret, (key = createSecretKey(secret, "utf8")));
  return createHmac("sha256", key).update(body).digest("hex");
}

/**
 * The headers by which Pusher's libraries check a webhook.
 *
 * @param body Exactly what is sent: one changed byte and receivers refuse it.
 */
export function pusherHeaders(
  pusher: { readonly key: string; readonly secret: string },
  body: JobBody,
): HeaderEntry[] {
  return [
    ["x-pusher-key", pusher.key],
    ["x-pusher-signature", signPusher(pusher.secret, body)],
  ];
}
