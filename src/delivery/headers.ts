import { version } from "../version.ts";
import type { Endpoint } from "./endpoint.ts";

/** Name and value of one header. */
export type HeaderEntry = readonly [name: string, value: string];

/** What tells one attempt's headers from another's at the same endpoint. */
export interface HeaderParts {
  /** The `webhook-id`: the same over all attempts of a delivery. */
  readonly deliveryId: string;
  /** Signature headers (sign.ts), last in the list. */
  readonly signature: readonly HeaderEntry[];
  /** Default application/json. */
  readonly contentType?: string;
  /** Facts about a raw message, as `x-hookline-queue`; values are made safe here. */
  readonly details?: readonly HeaderEntry[];
  /** The trace of the job; a configured header of this name counts before it. */
  readonly traceparent?: string | undefined;
}

const userAgent: HeaderEntry = ["user-agent", `hookline/${version}`];
const json: HeaderEntry = ["content-type", "application/json"];

/**
 * All headers of one attempt, in the order they are sent: content-type, user-agent, webhook-id, a raw
 * message's details, the job's trace, the endpoint's configured headers, signatures (contract §3).
 *
 * A configured user-agent replaces hookline's. Reserved names cannot be configured (config/schema.ts).
 */
export function deliveryHeaders(endpoint: Endpoint, parts: HeaderParts): HeaderEntry[] {
  const { deliveryId, contentType, details, signature } = parts;
  const entries: HeaderEntry[] = [contentType === undefined ? json : ["content-type", contentType]];
  if (!hasHeader(endpoint.headers, "user-agent")) entries.push(userAgent);
  entries.push(["webhook-id", deliveryId]);
  if (details !== undefined) {
    for (const [name, value] of details) {
      // An attribute is safe already (worker/message-headers.ts), and travels as it is, percent signs included.
      entries.push([name, name.startsWith("x-hookline-attr-") ? value : safeHeaderValue(value)]);
    }
  }
  if (parts.traceparent !== undefined && !hasHeader(endpoint.headers, "traceparent")) {
    entries.push(["traceparent", parts.traceparent]);
  }
  for (const entry of endpoint.headers) entries.push(entry);
  for (const entry of signature) entries.push(entry);
  return entries;
}

/** Whether a header of this lower-case name is among the entries. */
export function hasHeader(entries: readonly HeaderEntry[], name: string): boolean {
  for (const entry of entries) if (entry[0].toLowerCase() === name) return true;
  return false;
}

/**
 * A producer's text as a header value: everything outside printable ASCII is percent-encoded as UTF-8,
 * and so is `%` itself, so that a receiver gets the text back with decodeURIComponent. At most 4 KiB.
 */
export function safeHeaderValue(text: string): string {
  if (
    /^[\x21-\x24\x26-\x7e](?:[\x20-\x24\x26-\x7e]*[\x21-\x24\x26-\x7e])?$/.test(text) &&
    text.length <= 4096
  ) {
    return text;
  }
  let safe = "";
  for (const character of text.toWellFormed()) {
    const piece = /[\x21-\x24\x26-\x7e]/.test(character) ? character : encodeURIComponent(character);
    if (safe.length + piece.length > 4096) break;
    safe += piece;
  }
  return safe;
}
