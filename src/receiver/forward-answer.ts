import { Buffer } from "node:buffer";
import type { AnswerHead } from "../delivery/http1/answer-head.ts";
import { createChunkedBody, type ChunkedBody } from "../delivery/http1/chunked.ts";
import { createHeadReader } from "../delivery/http1/head-reader.ts";

/** An answer as it came over a connection, with everything in it: the deliveries' own reader keeps its meaning only. */
export interface WholeAnswer {
  readonly status: number;
  /** Names and values in turns. */
  readonly headers: readonly string[];
  /** Without the framing of chunks. */
  readonly body: Buffer;
}

export interface AnswerGatherer {
  /** Takes the next bytes; returns the answer once it is whole. Throws for what is no HTTP/1, and for too much. */
  take(part: Buffer): WholeAnswer | null;
  /** The sender has closed: the answer that only this ends, else null. */
  end(): WholeAnswer | null;
}

const longestAnswerBytes = 4 * 1024 * 1024;

/** @param hasBody False after HEAD, whose answer has none whatever it says. */
export function createAnswerGatherer(hasBody: boolean): AnswerGatherer {
  const heads = createHeadReader();
  const parts: Buffer[] = [];
  let bytes = 0;
  let bodyAt = 0;
  let chunked: ChunkedBody | null = null;

  const whole = (head: AnswerHead, end: number): WholeAnswer => {
    const all = Buffer.concat(parts);
    const body = all.subarray(bodyAt, end);
    return {
      status: head.status,
      headers: headersIn(all.toString("latin1", 0, bodyAt)),
      body: chunked === null ? body : dechunked(body),
    };
  };
  return {
    take(part) {
      bytes += part.length;
      if (bytes > longestAnswerBytes)
        throw new Error(`its answer is larger than ${longestAnswerBytes} bytes`);
      parts.push(part);
      let at = 0;
      let { head } = heads;
      if (head === null) {
        at = heads.take(part);
        ({ head } = heads);
        if (head === null) return null;
        bodyAt = bytes - part.length + at;
        if (head.body === "chunked") chunked = createChunkedBody();
      }
      if (!hasBody || head.body === "none") return whole(head, bodyAt);
      if (head.body === "length")
        return bytes - bodyAt < head.length ? null : whole(head, bodyAt + head.length);
      const end = chunked === null ? -1 : chunked.skip(part, at);
      return end === -1 ? null : whole(head, bytes - part.length + end);
    },
    end: () => (heads.head?.body === "until_close" ? whole(heads.head, bytes) : null),
  };
}

/** The headers of the last head in a text: interim answers (1xx) stand before it. */
function headersIn(text: string): string[] {
  const head =
    text
      .trimEnd()
      .split(/\r?\n\r?\n/)
      .at(-1) ?? "";
  return head
    .split(/\r?\n/)
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(":");
      return colon < 1 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
}

/** The data of a chunked body whose framing was found right. */
function dechunked(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = body.indexOf(0x0a, at);
    const size = Number.parseInt(body.toString("latin1", at, lineEnd), 16);
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 1, lineEnd + 1 + size));
    at = body.indexOf(0x0a, lineEnd + 1 + size) + 1;
  }
}
