import { Buffer } from "node:buffer";
import type { JobBody } from "../../jobs/job.ts";
import type { HeaderEntry } from "../headers.ts";

/** What could end a header early, or be read differently by two readers (RFC 9110 §5.5). */
const unsafe = /[^\t\x20-\x7e\x80-\xff]/;
const nonAscii = /[\x80-\xff]/;

/**
 * A POST as it goes over the wire: text where all of it is UTF-8, else bytes.
 *
 * `target` is the request line's: a path, or an absolute URL for a proxy. Throws with code ERR_INVALID_CHAR
 * for a header that cannot be sent; names are checked where they are configured.
 */
export function writePost(
  target: string,
  first: readonly HeaderEntry[],
  headers: readonly HeaderEntry[],
  body: JobBody,
): string | Uint8Array {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  let fields = "";
  for (const [name, value] of first) fields += `${name}: ${value}\r\n`;
  for (const [name, value] of headers) {
    if (unsafe.test(value)) throw invalidHeader(name);
    fields += `${name}: ${value}\r\n`;
  }
  const head = `POST ${target} HTTP/1.1\r\n${fields}content-length: ${length}\r\n\r\n`;
  if (typeof body === "string" && !nonAscii.test(head)) return head + body;
  // Header values are bytes of their own, not UTF-8.
  return Buffer.concat([Buffer.from(head, "latin1"), typeof body === "string" ? Buffer.from(body) : body]);
}

function invalidHeader(name: string): Error {
  return Object.assign(new Error(`the value of the header ${name} has characters that cannot be sent`), {
    code: "ERR_INVALID_CHAR",
  });
}
