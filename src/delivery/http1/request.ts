import { Buffer } from "node:buffer";
import type { JobBody } from "../../jobs/job.ts";
import type { HeaderEntry } from "../headers.ts";

/** What could end a header early, or be read differently by two readers (RFC 9110 §5.5). */
const unsafe = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * What every POST to one target begins with: the request line and the headers that do not change.
 *
 * @param target A path, or an absolute URL for a proxy (RFC 9112 §3.2).
 */
export function startPost(target: string, headers: readonly HeaderEntry[]): string {
  return `POST ${target} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
}

/**
 * A POST as it goes over the wire: bytes, or where it can be a text of one character a byte (latin1), which
 * costs least.
 *
 * Throws with code ERR_INVALID_CHAR for a header that cannot be sent; names are checked where they are
 * configured.
 *
 * @param start As startPost gives it.
 */
export function writePost(
  start: string,
  headers: readonly HeaderEntry[],
  body: JobBody,
): string | Uint8Array {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  let head = start;
  for (const entry of headers) {
    const value = entry[1];
    if (unsafe.test(value)) throw invalidHeader(entry[0]);
    head += `${entry[0]}: ${value}\r\n`;
  }
  head += `content-length: ${length}\r\n\r\n`;
  // As many bytes as characters: ASCII.
  if (typeof body === "string" && length === body.length) return head + body;
  return Buffer.concat([Buffer.from(head, "latin1"), typeof body === "string" ? Buffer.from(body) : body]);
}

function invalidHeader(name: string): Error {
  return Object.assign(new Error(`the value of the header ${name} has characters that cannot be sent`), {
    code: "ERR_INVALID_CHAR",
  });
}
