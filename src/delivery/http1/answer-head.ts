/** What of an answer's head decides where the answer ends, whether its connection lives on, and what it means. */
export interface AnswerHead {
  readonly status: number;
  /** How the body is delimited (RFC 9112 §6.3). */
  readonly body: "none" | "length" | "chunked" | "until_close";
  /** Bytes of the body where `body` is "length", else 0. */
  readonly length: number;
  /** The sender keeps the connection open after the answer. */
  readonly isKept: boolean;
  /** Seconds that the sender keeps an idle connection (`Keep-Alive: timeout=…`); null when it does not say. */
  readonly idleSeconds: number | null;
  readonly retryAfter: string | null;
  readonly location: string | null;
}

/** Bytes of a head, interim answers before it included: as much as browsers and Bun's fetch take. */
export const maxHeadBytes = 262_144;

/** An answer that is not HTTP/1, or whose end cannot be told for certain. */
export function malformedAnswer(what: string, code = "ERR_HTTP_MALFORMED_ANSWER"): Error {
  return Object.assign(new Error(`the receiver's answer is not valid HTTP/1.1: ${what}`), { code });
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;

/**
 * Reads a whole head, one character a byte, from its status line to the empty line.
 *
 * Strict where two readers could disagree on the answer's end (lengths, codings), because the bytes after a
 * wrong end would be taken for the next answer on this connection; a line end may lack its carriage return
 * (RFC 9112 §2.2). Throws malformedAnswer.
 */
export function readAnswerHead(text: string): AnswerHead {
  let stop = text.indexOf("\n");
  const match = statusLine.exec(text.slice(0, lineEnd(text, 0, stop)));
  if (match === null) throw malformedAnswer("no status line");
  const status = Number(match[2]);
  const isOld = match[1] === "0";
  let length: string | null = null;
  let coding: string | null = null;
  let connection = "";
  let keepAlive = "";
  let retryAfter: string | null = null;
  let location: string | null = null;
  let isFoldable = false;
  for (let at = stop + 1; ; at = stop + 1) {
    stop = text.indexOf("\n", at);
    const end = lineEnd(text, at, stop);
    if (end === at) break;
    const first = text.charCodeAt(at);
    if (isBlank(first)) {
      // A folded line (RFC 9112 §5.2) belongs to the one before it: no matter where nobody here reads that.
      if (isFoldable) continue;
      throw malformedAnswer("a folded header");
    }
    const colon = text.indexOf(":", at);
    if (colon <= at || colon >= end) throw malformedAnswer("a header without a name");
    if (isBlank(text.charCodeAt(colon - 1))) throw malformedAnswer("a space before a header's colon");
    isFoldable = false;
    // By length first: most headers are none of these.
    switch (colon - at) {
      case 8:
        if (isNamed(text, at, "location")) location ??= valueOf(text, colon, end);
        else isFoldable = true;
        break;
      case 10:
        if (isNamed(text, at, "connection")) connection += `,${valueOf(text, colon, end)}`;
        else if (isNamed(text, at, "keep-alive")) keepAlive = valueOf(text, colon, end);
        else isFoldable = true;
        break;
      case 11:
        if (isNamed(text, at, "retry-after")) retryAfter ??= valueOf(text, colon, end);
        else isFoldable = true;
        break;
      case 14:
        if (isNamed(text, at, "content-length")) {
          const value = valueOf(text, colon, end);
          length = length === null ? value : `${length},${value}`;
        } else isFoldable = true;
        break;
      case 17:
        if (isNamed(text, at, "transfer-encoding")) {
          const value = valueOf(text, colon, end);
          coding = coding === null ? value : `${coding},${value}`;
        } else isFoldable = true;
        break;
      default:
        isFoldable = true;
    }
  }
  const words = connection === "" ? "" : `${connection.toLowerCase().replaceAll(/[ \t]/g, "")},`;
  const shared = { status, retryAfter, location, idleSeconds: readIdleSeconds(keepAlive) };
  const isKept = !words.includes(",close,") && (!isOld || words.includes(",keep-alive,"));
  const bytes = length === null ? null : readLength(length);
  // What these are to be followed by was fixed before there were lengths (RFC 9110 §6.4.1).
  if (status < 200 || status === 204 || status === 304) {
    // Who announces a body all the same may send it, in front of the next answer.
    const isBare = coding === null && (bytes ?? 0) === 0;
    return { ...shared, body: "none", length: 0, isKept: isKept && isBare };
  }
  if (coding !== null) {
    const isChunked = /(?:^|,)[ \t]*chunked[ \t]*$/i.test(coding);
    // Both, or a coding in HTTP/1.0: what smuggling is made of (RFC 9112 §6.1). Read on, but not reused.
    const isClear = isKept && bytes === null && !isOld;
    return {
      ...shared,
      body: isChunked ? "chunked" : "until_close",
      length: 0,
      isKept: isClear && isChunked,
    };
  }
  if (bytes === null) return { ...shared, body: "until_close", length: 0, isKept: false };
  return { ...shared, body: "length", length: bytes, isKept };
}

/** Where the line that ends before `stop`, a line feed, ends without its carriage return. */
function lineEnd(text: string, at: number, stop: number): number {
  return stop > at && text.charCodeAt(stop - 1) === 0x0d ? stop - 1 : stop;
}

/** Whether the header's name at `at` is this lower-case one. */
function isNamed(text: string, at: number, name: string): boolean {
  return text.slice(at, at + name.length).toLowerCase() === name;
}

/** Without the spaces and tabs around it, and no other white space (RFC 9110 §5.6.3). */
function valueOf(text: string, colon: number, end: number): string {
  let from = colon + 1;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Several lengths must be the same one (RFC 9112 §6.3). */
function readLength(text: string): number {
  let length = -1;
  for (const part of text.split(",")) {
    const digits = /^[ \t]*(\d{1,15})[ \t]*$/.exec(part)?.[1];
    if (digits === undefined) throw malformedAnswer("a content-length that is no number");
    const value = Number(digits);
    if (length !== -1 && value !== length) throw malformedAnswer("two content-lengths");
    length = value;
  }
  return length;
}

function readIdleSeconds(keepAlive: string): number | null {
  if (keepAlive === "") return null;
  const seconds = /(?:^|,)\s*timeout\s*=\s*"?(\d{1,9})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? null : Number(seconds);
}
