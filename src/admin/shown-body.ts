import { Buffer } from "node:buffer";
import * as v from "valibot";
import { bodyBytes } from "../jobs/body.ts";
import type { JobBody } from "../jobs/job.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { count, text } from "./answer-kinds.ts";

/** Most bytes of a body in a list (contract §6). */
export const listedBodyBytes = 4096;

/** The members that shownBody gives. */
export const bodyMembers = () => ({
  body: v.optional(text("Its exact text, secrets masked.")),
  body_base64: v.optional(text("In place of `body` where it is no text.")),
  truncated: v.optional(v.literal(true)),
  body_bytes: v.optional(count("Size of the whole, where it is cut.")),
});

/**
 * A body as the API shows it: its exact text, in base64 where it is no text; masked, and cut, which
 * `truncated` and the whole size then say.
 */
export function shownBody(
  mask: (text: string) => string,
  body: JobBody,
  mostBytes = listedBodyBytes,
): Record<string, unknown> {
  const size = bodyBytes(body);
  const truncation = size > mostBytes ? { truncated: true, body_bytes: size } : {};
  if (typeof body === "string") {
    return { body: cutToBytes(maskedStart(mask, body, mostBytes), mostBytes), ...truncation };
  }
  // latin1 has one character per byte, so that an ASCII secret in the bytes is found and the rest survives.
  const latin1 = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  const shown = maskedStart(mask, latin1, mostBytes);
  return { body_base64: Buffer.from(shown, "latin1").toString("base64"), ...truncation };
}

/** The first bytes of UTF-8, no character cut in two. */
function cutToBytes(text: string, mostBytes: number): string {
  if (Buffer.byteLength(text) <= mostBytes) return text;
  const bytes = Buffer.from(text, "utf8");
  let end = mostBytes;
  while (((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
