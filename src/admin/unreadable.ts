import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { problemText, type ProblemCode } from "./problem.ts";

/** What a parser's error means to the peer; the parser's own words differ between runtimes. */
const refusals: Readonly<Record<string, readonly [code: ProblemCode, reason: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "headers_too_large",
    "Request Header Fields Too Large",
    "the headers are larger than hookline reads: send fewer or shorter ones",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "request_timeout",
    "Request Timeout",
    "the request did not arrive in time: send its headers within 10 s and all of it within 60 s",
  ],
};

const malformed = [
  "bad_http",
  "Bad Request",
  "this is not HTTP/1.1 as RFC 9112 has it: look at the request line, at Content-Length beside Transfer-Encoding, and at the sizes of the chunks",
] as const;

/** Answers what the HTTP parser refused, and ends the connection; there is no request to route. */
export function refuseUnreadable(error: Error, socket: Socket): void {
  if (socket.destroyed || !socket.writable) return;
  const [code, reason, detail] = refusals[String((error as { code?: unknown }).code)] ?? malformed;
  const { status, text } = problemText(code, detail);
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(text)}`,
    "x-content-type-options: nosniff",
    "cache-control: no-store",
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}
