import type { JobBody } from "../jobs/job.ts";
import { createHexHmac, type HexHmac } from "../runtime.ts";

/** Secrets come from the configuration, so that there are few. */
const hmacs = new Map<string, HexHmac>();

/** Hex HMAC-SHA256 of the exact body with the app's secret. */
export function signPusher(secret: string, body: JobBody): string {
  let hmac = hmacs.get(secret);
  if (hmac === undefined) hmacs.set(secret, (hmac = createHexHmac(secret)));
  return hmac(body);
}
