import { Buffer } from "node:buffer";
import { type AnswerHead, malformedAnswer, maxHeadBytes, readAnswerHead } from "./answer-head.ts";

/** Finds the heads in what a connection brings; interim answers (1xx) are passed over. */
export interface HeadReader {
  /** The final answer's head, once `take` has told its end. */
  readonly head: AnswerHead | null;
  /**
   * Takes the next bytes. Returns where the final answer's head ended in `part`, or -1 while it goes on.
   * Throws malformedAnswer, for what is no HTTP at its fifth byte; holds at most twice maxHeadBytes.
   */
  take(part: Uint8Array): number;
  /** Begins with the next answer. */
  reset(): void;
}

const nothing = new Uint8Array(0);

export function createHeadReader(): HeadReader {
  /** The beginning of a head that comes in pieces. It doubles: single bytes cost no more than large parts. */
  let held = nothing;
  let heldBytes = 0;
  /** Of the present answer, interim ones before it included. */
  let bytes = 0;
  /** Line feeds in a row at the end of what has come, carriage returns between them left out. */
  let feeds = 0;
  let head: AnswerHead | null = null;

  /** Where the head's empty line ends in this part; -1 while it has not come. */
  const findEnd = (part: Uint8Array, from: number): number => {
    for (let at = from; at < part.length; at++) {
      const byte = part[at];
      if (byte === 0x0a) {
        feeds += 1;
        if (feeds === 2) return at + 1;
      } else if (byte !== 0x0d || feeds === 0) feeds = 0;
    }
    return -1;
  };

  const hold = (piece: Uint8Array): void => {
    const needed = heldBytes + piece.length;
    if (needed > held.length) {
      const wider = new Uint8Array(Math.max(needed * 2, 1024));
      wider.set(held.subarray(0, heldBytes));
      held = wider;
    }
    held.set(piece, heldBytes);
    heldBytes = needed;
  };

  /** The head that ends at `end`, whatever of it came before this part included. */
  const textOf = (part: Uint8Array, at: number, end: number): string => {
    if (heldBytes === 0) return latin1(part, at, end);
    hold(part.subarray(at, end));
    const text = latin1(held, 0, heldBytes);
    held = nothing;
    heldBytes = 0;
    return text;
  };

  return {
    get head() {
      return head;
    },

    take(part) {
      let at = 0;
      for (;;) {
        const end = findEnd(part, at);
        bytes += (end === -1 ? part.length : end) - at;
        if (bytes > maxHeadBytes) {
          throw malformedAnswer(`more than ${maxHeadBytes} bytes of headers`, "ERR_HTTP_HEAD_TOO_LARGE");
        }
        if (end === -1) {
          hold(part.subarray(at));
          // Another protocol's greeting need not have an empty line, and would be waited on for one.
          if (heldBytes >= 5 && latin1(held, 0, 5) !== "HTTP/") throw malformedAnswer("no status line");
          return -1;
        }
        const found = readAnswerHead(textOf(part, at, end));
        feeds = 0;
        at = end;
        // 101 would be an upgrade that nobody asked for: an answer like any other, and the last one.
        if (found.status < 200 && found.status !== 101) continue;
        head = found;
        return at;
      }
    },

    reset() {
      head = null;
      bytes = 0;
    },
  };
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}
