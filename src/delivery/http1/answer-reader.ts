import { Buffer } from "node:buffer";
import { type Answer, maxAnswerBytes } from "../exchange.ts";
import { type AnswerHead, malformedAnswer, maxHeadBytes, readAnswerHead } from "./answer-head.ts";
import { type ChunkedBody, createChunkedBody } from "./chunked.ts";

/** An answer that has been read, and what becomes of its connection. */
export interface WholeAnswer extends Answer {
  /** The next request may go over the same connection. */
  readonly isReusable: boolean;
  /** As AnswerHead.idleSeconds. */
  readonly idleSeconds: number | null;
}

/** Reads the answers that a connection brings, one after the other, without keeping their bodies. */
export interface AnswerReader {
  /** Whether anything of the present answer has come. */
  readonly hasBegun: boolean;
  /**
   * Takes the next bytes. Returns the answer once it is whole, or once maxAnswerBytes of its body have
   * come, which is as much as anyone reads. Throws malformedAnswer.
   */
  take(part: Uint8Array): WholeAnswer | null;
  /** The sender has closed: the answer that only this ends, else null. */
  end(): WholeAnswer | null;
}

export function createAnswerReader(): AnswerReader {
  /** Parts of a head that came in pieces. */
  let pieces: Uint8Array[] = [];
  let headBytes = 0;
  /** Line feeds in a row at the end of what has come, carriage returns between them left out. */
  let feeds = 0;
  let head: AnswerHead | null = null;
  let chunked: ChunkedBody | null = null;
  let left = 0;
  let bodyBytes = 0;

  const reset = (): void => {
    pieces = [];
    headBytes = feeds = bodyBytes = 0;
    head = chunked = null;
  };

  const finish = ({ status, retryAfter, location, idleSeconds }: AnswerHead, isReusable: boolean) => {
    reset();
    return { status, retryAfter, location, idleSeconds, isReusable };
  };

  /** Where the head's empty line ends in this part; -1 while it has not come. */
  const findHeadEnd = (part: Uint8Array, from: number): number => {
    for (let at = from; at < part.length; at++) {
      const byte = part[at];
      if (byte === 0x0a) {
        feeds += 1;
        if (feeds === 2) return at + 1;
      } else if (byte !== 0x0d || feeds === 0) feeds = 0;
    }
    return -1;
  };

  /** The final answer's head, when it ends in this part, and where; interim answers (1xx) are passed over. */
  const readHead = (part: Uint8Array): number => {
    let at = 0;
    for (;;) {
      const end = findHeadEnd(part, at);
      headBytes += (end === -1 ? part.length : end) - at;
      if (headBytes > maxHeadBytes) {
        throw malformedAnswer(`more than ${maxHeadBytes} bytes of headers`, "ERR_HTTP_HEAD_TOO_LARGE");
      }
      if (end === -1) {
        pieces.push(at === 0 ? part : part.subarray(at));
        return -1;
      }
      pieces.push(part.subarray(at, end));
      const whole = pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
      const found = readAnswerHead(latin1(whole));
      pieces = [];
      feeds = 0;
      at = end;
      // 101 would be an upgrade that nobody asked for: an answer like any other, and the last one.
      if (found.status < 200 && found.status !== 101) continue;
      head = found;
      left = found.length;
      if (found.body === "chunked") chunked = createChunkedBody();
      return at;
    }
  };

  return {
    get hasBegun() {
      return headBytes > 0;
    },

    take(part) {
      let at = 0;
      if (head === null) {
        at = readHead(part);
        if (at === -1) return null;
      }
      const now = head as unknown as AnswerHead;
      let end = -1;
      if (now.body === "none") end = at;
      else if (now.body === "length") {
        const taken = Math.min(left, part.length - at);
        left -= taken;
        if (left === 0) end = at + taken;
      } else if (chunked !== null) end = chunked.skip(part, at);
      // Bytes beyond the end answer nothing that was asked: what comes after them cannot be trusted.
      if (end !== -1) return finish(now, now.isKept && now.status !== 101 && end === part.length);
      bodyBytes += part.length - at;
      return bodyBytes > maxAnswerBytes ? finish(now, false) : null;
    },

    end: () => (head?.body === "until_close" ? finish(head, false) : null),
  };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
