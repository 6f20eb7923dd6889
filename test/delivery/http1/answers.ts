import { describe, expect, test } from "bun:test";
import { createAnswerReader } from "../../../src/delivery/http1/answer-reader.ts";
import type { WholeAnswer } from "../../../src/delivery/http1/answer-reader.ts";

/**
 * What a connection makes of the bytes of one answer: the answer, the code it is malformed by, or "incomplete".
 * `isReusable` as the connection has it: bytes beyond the answer's end forbid it, whenever they come.
 */
export type Reading = WholeAnswer | { readonly code: string } | "incomplete";

/** Reads parts as they come; `closes` = the sender closes after the last one. */
export function readParts(parts: Iterable<Uint8Array>, closes = false): Reading {
  const reader = createAnswerReader();
  let answer: WholeAnswer | null = null;
  try {
    for (const part of parts) {
      if (answer !== null && part.length > 0) return { ...answer, isReusable: false };
      answer ??= reader.take(part);
    }
    if (closes) answer ??= reader.end();
  } catch (error) {
    return { code: codeOf(error) };
  }
  return answer ?? "incomplete";
}

/** The code of an error that says that an answer is malformed; anything else is thrown on. */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "ERR_HTTP_MALFORMED_ANSWER" || code === "ERR_HTTP_HEAD_TOO_LARGE") return code;
  throw error;
}

/** One character a byte. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

export function* byteByByte(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}

/** A 200 with these header lines. */
export function ok(headers: string, body = ""): string {
  return `HTTP/1.1 200 OK\r\n${headers}\r\n${body}`;
}

/** An answer that says no more than its status, on a connection that lives on. */
export function whole(status: number, more: Partial<WholeAnswer> = {}): Reading {
  return {
    status,
    retryAfter: null,
    location: null,
    idleSeconds: null,
    isReusable: true,
    body: null,
    ...more,
  };
}

/** As `whole`, on a connection that does not. */
export function once(status: number, more: Partial<WholeAnswer> = {}): Reading {
  return whole(status, { isReusable: false, ...more });
}

export const malformed: Reading = { code: "ERR_HTTP_MALFORMED_ANSWER" };
export const tooLarge: Reading = { code: "ERR_HTTP_HEAD_TOO_LARGE" };

/** Bytes of an answer, what they are read as, and whether the sender closes behind them. */
export type Row = readonly [what: string, text: string, expected: Reading, closes?: "closes"];

/** One test a row: the bytes are read as expected whole, cut in two at every place, and byte by byte. */
export function testRows(tables: Readonly<Record<string, readonly Row[]>>): void {
  describe.each(Object.entries(tables))("%s", (_name, rows) => {
    test.each(rows.map((row) => [row[0], row] as const))("%s", (_what, [, text, expected, closes]) => {
      const bytes = bytesOf(text);
      const isClosed = closes === "closes";
      expect(readParts([bytes], isClosed)).toEqual(expected);
      for (let at = 1; at < bytes.length; at++) {
        const parts = [bytes.subarray(0, at), bytes.subarray(at)];
        expect([at, readParts(parts, isClosed)]).toEqual([at, expected]);
      }
      expect(readParts(byteByByte(bytes), isClosed)).toEqual(expected);
      const empty = new Uint8Array(0);
      expect(readParts([empty, ...byteByByte(bytes), empty], isClosed)).toEqual(expected);
    });
  });
}
