/** Headers that hookline or HTTP itself sets (contract §2). */
const reserved: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "transfer-encoding",
  "connection",
  "te",
  "trailer",
  "upgrade",
]);
const reservedPrefixes = ["webhook-", "x-pusher-", "x-hookline-"];

/** What is wrong with a configured header's name, as a sentence, or null. */
export function headerNameProblem(name: string): string | null {
  // RFC 9110 §5.6.2, token.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return "is not a header name (RFC 9110, token)";
  const lower = name.toLowerCase();
  if (reserved.has(lower) || reservedPrefixes.some((prefix) => lower.startsWith(prefix))) {
    return "is a reserved header: hookline sets it";
  }
  return null;
}

/** What is expected of a header's value that is not one, or null when it is. */
export function headerValueProblem(value: string): string | null {
  // RFC 9110 §5.5: visible characters, space and tab, one byte each (delivery/http1/request.ts).
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
    return "a header value without control characters, each below U+0100";
  return value === value.trim() ? null : "a header value without spaces around it";
}
