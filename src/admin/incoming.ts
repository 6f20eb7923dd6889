import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { RequestError } from "./request-error.ts";

/** The headers of a request: names in lower case, several of one name joined by a comma. */
export interface RequestHeaders {
  get(name: string): string | null | undefined;
  keys(): Iterable<string>;
}

/** A request as it arrived. */
export interface Incoming {
  readonly method: string;
  /** As on the request line: path and query. */
  readonly target: string;
  readonly headers: RequestHeaders;
  /** The peer's address; empty when the connection is already gone. */
  readonly address: string;
  /** The port the peer connected to. */
  readonly localPort: number;
  /** As on the request line: "1.1", or "1.0" as a default nginx sends. */
  readonly httpVersion: string;
  /**
   * The body's bytes.
   *
   * Counts while it reads, so that a chunked body cannot outgrow the limit unseen.
   *
   * @throws RequestError `body_too_large` past `limitBytes`, `body_timeout` when the body stops coming,
   *   `body_incomplete` when the connection ends first.
   */
  readBody(limitBytes: number): Promise<Uint8Array>;
}

/** A sender that takes longer than this for one body is cut off (408). */
const bodyTimeoutMs = 30_000;

/**
 * A body of more chunks than this, which have fewer bytes than this on average, is refused: each chunk costs as much as
 * hundreds of bytes, and a megabyte of chunks of one byte would keep everybody waiting for a second.
 */
const fewChunks = 10_000;
const smallChunkBytes = 16;

/** Wraps a node:http request for the routes. */
export function describeIncoming(message: IncomingMessage): Incoming {
  return {
    method: message.method ?? "GET",
    target: message.url ?? "",
    headers: readHeaders(message.rawHeaders),
    address: message.socket.remoteAddress ?? "",
    localPort: message.socket.localPort ?? 0,
    httpVersion: message.httpVersion,
    readBody: (limitBytes) => readBody(message, limitBytes),
  };
}

/**
 * The headers as they came: node:http's own object drops the second of two that must not be there twice, as Host.
 *
 * @param raw Names and values in turns.
 */
function readHeaders(raw: readonly string[]): RequestHeaders {
  const headers = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return headers;
}

function readBody(message: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  const tooLarge = (): RequestError =>
    new RequestError(
      "body_too_large",
      `the body is larger than server.max_body_bytes (${limitBytes}): send fewer jobs per request, or raise the limit`,
    );
  if (Number(message.headers["content-length"] ?? 0) > limitBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const end = (): void => {
      clearTimeout(timer);
      message.off("data", onData).off("end", onEnd).off("error", onLost).off("close", onLost);
    };
    const fail = (error: RequestError): void => {
      end();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > limitBytes) return fail(tooLarge());
      if (chunks.length >= fewChunks && received < chunks.length * smallChunkBytes) {
        return fail(
          new RequestError("bad_http", "the body comes in chunks of a few bytes: send larger ones"),
        );
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      end();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    };
    const onLost = (): void => {
      fail(new RequestError("body_incomplete", "the connection ended before the body did"));
    };
    const timer = setTimeout(() => {
      fail(new RequestError("body_timeout", `the body did not arrive within ${bodyTimeoutMs / 1000} s`));
    }, bodyTimeoutMs);
    message.on("data", onData).on("end", onEnd).on("error", onLost).on("close", onLost);
  });
}
