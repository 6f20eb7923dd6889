import { Buffer } from "node:buffer";
import { type Answer, maxAnswerBytes } from "../exchange.ts";
import type { AnswerHead } from "./answer-head.ts";
import { type ChunkedBody, createChunkedBody } from "./chunked.ts";
import { createHeadReader } from "./head-reader.ts";

/** An answer that has been read, and what becomes of its connection. */
export interface WholeAnswer extends Answer {
  /** The next request may go over the same connection. */
  readonly isReusable: boolean;
  /** As AnswerHead.idleSeconds. */
  readonly idleSeconds: number | null;
}

/** Reads the answers that a connection brings, one after the other. */
export interface AnswerReader {
  /**
   * Takes the next bytes. Returns the answer once it is whole, or once maxAnswerBytes of its body have
   * come, which is as much as anyone reads. Throws malformedAnswer.
   */
  take(part: Uint8Array): WholeAnswer | null;
  /** The sender has closed: the answer that only this ends, else null. */
  end(): WholeAnswer | null;
}

/** Longest answer that is remembered. */
const maxRememberedBytes = 1024;

/**
 * A busy receiver sends the same bytes again and again (its Date changes once a second): an answer that is the
 * one before, byte for byte, is not read anew.
 *
 * @param keptBytes How much is kept of a body's beginning, read anew for each; 0 = nothing.
 */
export function createAnswerReader(keptBytes: () => number = () => 0): AnswerReader {
  const heads = createHeadReader();
  let chunked: ChunkedBody | null = null;
  /** Bytes of the body that are still to come, where its length is known. */
  let left = 0;
  let bodyBytes = 0;
  let isBegun = false;
  /** The last answer that came in one part and left its connection as it was before. */
  let last: { readonly bytes: Uint8Array; readonly answer: WholeAnswer; readonly most: number } | null = null;
  /** Most bytes that are kept of this body, and those, one character each. */
  let most = 0;
  let kept = "";

  const keep = (part: Uint8Array, from: number, to: number): void => {
    const end = Math.min(to, from + most - kept.length);
    if (end > from) kept += Buffer.from(part.buffer, part.byteOffset + from, end - from).toString("latin1");
  };

  const finish = ({ status, retryAfter, location, idleSeconds }: AnswerHead, isReusable: boolean) => {
    heads.reset();
    chunked = null;
    bodyBytes = 0;
    isBegun = false;
    const body = most === 0 ? null : textOf(kept);
    kept = "";
    return { status, retryAfter, location, idleSeconds, isReusable, body };
  };

  return {
    take(part) {
      if (!isBegun) {
        most = keptBytes();
        if (last !== null && last.most === most && Buffer.compare(last.bytes, part) === 0) return last.answer;
      }
      const isWhole = !isBegun;
      isBegun = true;
      let at = 0;
      let { head } = heads;
      if (head === null) {
        at = heads.take(part);
        ({ head } = heads);
        if (head === null) return null;
        left = head.length;
        if (head.body === "chunked") chunked = createChunkedBody(most === 0 ? undefined : keep);
      }
      let end = -1;
      if (head.body === "none") end = at;
      else if (head.body === "length") {
        const taken = Math.min(left, part.length - at);
        left -= taken;
        if (most > 0) keep(part, at, at + taken);
        if (left === 0) end = at + taken;
      } else if (chunked !== null) end = chunked.skip(part, at);
      else if (most > 0) keep(part, at, part.length);
      // Bytes beyond the end answer nothing that was asked: what comes after them cannot be trusted.
      if (end !== -1) {
        const answer = finish(head, head.isKept && head.status !== 101 && end === part.length);
        if (isWhole && answer.isReusable && end <= maxRememberedBytes)
          last = { bytes: new Uint8Array(part), answer, most };
        return answer;
      }
      bodyBytes += part.length - at;
      return bodyBytes > maxAnswerBytes ? finish(head, false) : null;
    },

    end: () => (heads.head?.body === "until_close" ? finish(heads.head, false) : null),
  };
}

/** Bytes, one character each, read as UTF-8; the beginning of a character that was cut off goes. */
function textOf(bytes: string): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is what it means.
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes;
  return Buffer.from(bytes, "latin1")
    .toString("utf8")
    .replace(/\ufffd$/, "");
}
