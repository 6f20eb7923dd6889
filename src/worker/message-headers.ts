import { Buffer } from "node:buffer";
import type { HeaderEntry } from "../delivery/headers.ts";
import type { Delivery } from "./delivery.ts";

/** Facts about a raw message, as headers, and the content type its body goes with. */
export type MessageHeaders = readonly HeaderEntry[] & { readonly contentType: string };

/** Longest value of one attribute, and of all names and values together. */
const attributeLimitBytes = 256;
const allAttributesLimitBytes = 4096;
/** What each header takes beside its name and value is bounded by how many there are. */
const mostAttributes = 100;
/** Longest `x-hookline-truncated`. */
const leftOutLimitBytes = 1024;

/**
 * The `x-hookline-…` headers of a raw message: message id, queue, group, receive count, first-received time,
 * and its attributes as `x-hookline-attr-…`.
 *
 * An attribute that is not visible ASCII travels as base64url with `-b64` appended to its name. What is
 * left out, for its size or because its name is no header name, is named in `x-hookline-truncated`, which ends in
 * `...` where there are more. However many attributes a producer writes, they take 8 KiB of headers at most.
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
  const leftOut = createNameList();
  let total = 0;
  for (const [name, value] of Object.entries(attributes)) {
    const isHeaderName = /^[A-Za-z0-9_.-]{1,200}$/.test(name);
    // A longer one would be too long in base64 as well.
    const sent = isHeaderName && value.length <= attributeLimitBytes ? sentForm(name, value) : null;
    const bytes = sent === null ? Infinity : sent[0].length + sent[1].length;
    const isRoomy = total + bytes <= allAttributesLimitBytes && entries.length < mostAttributes;
    if (sent === null || sent[1].length > attributeLimitBytes || !isRoomy) {
      leftOut.add(isHeaderName ? name : Buffer.from(name.slice(0, 200), "utf8").toString("base64url"));
      continue;
    }
    total += bytes;
    entries.push([`x-hookline-attr-${sent[0]}`, sent[1]]);
  }
  const text = leftOut.text();
  if (text !== "") entries.push(["x-hookline-truncated", text]);
  return entries;
}

function sentForm(name: string, value: string): readonly [name: string, value: string] {
  const lower = name.toLowerCase();
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)) return [lower, value];
  return [`${lower}-b64`, Buffer.from(value, "utf8").toString("base64url")];
}

/** Names with commas between them, whole ones, as many as fit. */
function createNameList(): { add(name: string): void; text(): string } {
  const more = ",...";
  let list = "";
  let isFull = false;
  return {
    add(name) {
      if (isFull) return;
      const longer = list === "" ? name : `${list},${name}`;
      isFull = longer.length + more.length > leftOutLimitBytes;
      list = isFull ? list + more : longer;
    },
    text: () => list,
  };
}

/** JSON by its first and last character: a receiver's framework needs the type before it parses. */
function isJsonLike(content: Delivery["content"]): boolean {
  if (typeof content !== "string") return false;
  return /^\s*[[{"]/.test(content) && /[\]}"]\s*$/.test(content);
}
