import { Buffer } from "node:buffer";
import type { JobBody } from "./job.ts";

/** The size of a job's body in bytes of UTF-8. */
export function bodyBytes(body: JobBody): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
}
