import { Buffer } from "node:buffer";
import type { HeaderEntry } from "../delivery/headers.ts";
import type { Delivery } from "./delivery.ts";

/** Facts about a raw message, as headers, and the content type its body goes with. */
export type MessageHeaders = readonly HeaderEntry[] & { readonly contentType: string };

/** Longest value of one attribute, and of all together (backends.md §3). */
const attributeLimitBytes = 256;
const allAttributesLimitBytes = 4096;

/**
 * The `x-hookline-…` headers of a raw message: message id, queue, group, receive count, first-received time,
 * and its attributes as `x-hookline-attr-…`.
 *
 * An attribute that is not visible ASCII travels as base64url with `-b64` appended to its name. What is
 * left out, for its size or because its name is no header name, is named in `x-hookline-truncated`.
 */
export function messageHeaders(delivery: Delivery): MessageHeaders {
  const { held, jobId, message, job } = delivery;
  const entries: HeaderEntry[] = [
    ["x-hookline-message-id", message?.id ?? jobId],
    ["x-hookline-queue", held.lease.queue],
    ["x-hookline-receive-count", String(message?.receiveCount ?? delivery.attempt)],
  ];
  if (message !== null && message.group !== null) entries.push(["x-hookline-group", message.group]);
  const firstReceivedAt = message?.firstReceivedAt ?? null;
  if (firstReceivedAt !== null) {
    entries.push(["x-hookline-first-received-at", new Date(firstReceivedAt).toISOString()]);
  }
  if (job.kind === "raw") entries.push(...attributeHeaders(job.attributes));
  const contentType = isJsonLike(delivery.content) ? "application/json" : "text/plain; charset=utf-8";
  return Object.assign(entries, {
    contentType: typeof delivery.content === "string" ? contentType : "application/octet-stream",
  });
}

function attributeHeaders(attributes: Readonly<Record<string, string>>): HeaderEntry[] {
  const entries: HeaderEntry[] = [];
  const leftOut: string[] = [];
  let total = 0;
  for (const [name, value] of Object.entries(attributes)) {
    const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value);
    const text = isPlain ? value : Buffer.from(value, "utf8").toString("base64url");
    const isHeaderName = /^[A-Za-z0-9_.-]{1,200}$/.test(name);
    if (!isHeaderName || text.length > attributeLimitBytes || total + text.length > allAttributesLimitBytes) {
      leftOut.push(isHeaderName ? name : Buffer.from(name, "utf8").toString("base64url"));
      continue;
    }
    total += text.length;
    entries.push([`x-hookline-attr-${name.toLowerCase()}${isPlain ? "" : "-b64"}`, text]);
  }
  if (leftOut.length > 0) entries.push(["x-hookline-truncated", leftOut.join(",").slice(0, 1024)]);
  return entries;
}

/** JSON by its first and last character: a receiver's framework needs the type before it parses. */
function isJsonLike(content: Delivery["content"]): boolean {
  if (typeof content !== "string") return false;
  return /^\s*[[{"]/.test(content) && /[\]}"]\s*$/.test(content);
}
