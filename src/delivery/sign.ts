import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { JobBody } from "../jobs/job.ts";

/** Secrets come from the configuration, so that there are few; a ready key saves a third of a signature's time. */
const keys = new Map<string, KeyObject>();

/** Hex HMAC-SHA256 of the exact body with the app's secret. */
export function signPusher(secret: string, body: JobBody): string {
  let key = keys.get(secret);
  if (key === undefined) keys.set(secret, (key = createSecretKey(secret, "utf8")));
  return createHmac("sha256", key).update(body).digest("hex");
}
