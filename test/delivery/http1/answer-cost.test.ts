import { expect, mock, spyOn, test } from "bun:test";
import { heapStats } from "bun:jsc";
import { maxAnswerBytes } from "../../../src/delivery/exchange.ts";
import { createAnswerReader } from "../../../src/delivery/http1/answer-reader.ts";
import { bytesOf, codeOf } from "./answers.ts";

const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** Bytes as they are, each look at one of them counted. */
function counted(bytes: Uint8Array, count: () => void): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) count();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Looks at bytes, and bytes copied or made text, while this many bytes come one by one. */
function workOf(start: string, pattern: string, length: number): number {
  let work = 0;
  const copies = spyOn(Uint8Array.prototype, "set");
  const joins = spyOn(Buffer, "concat");
  const texts = spyOn(Buffer.prototype, "toString");
  const reader = createAnswerReader();
  reader.take(bytesOf(start));
  for (let n = 0; n < length; n++) {
    const part = Uint8Array.of(pattern.charCodeAt(n % pattern.length));
    if (reader.take(counted(part, () => (work += 1))) !== null) throw new Error("the answer is not to end");
  }
  for (const [source] of copies.mock.calls) work += source.length;
  for (const { value } of joins.mock.results) work += (value as Uint8Array).length;
  for (const source of texts.mock.contexts as Uint8Array[]) work += source.length;
  mock.restore();
  return work;
}

test.each([
  ["a head", "HTTP/1.1 200 OK\r\n", "x: yyyyy\r\n"],
  ["interim answers", "", "HTTP/1.1 100 x\r\n\r\n"],
  ["a body", "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", "x"],
  ["chunks", chunked, "1\r\nx\r\n"],
  ["an extension", `${chunked}1;`, "x"],
  ["trailers", `${chunked}0\r\n`, "x: y\r\n"],
])("a drip of single bytes costs as much as they are: %s", (_what, start, bytes) => {
  const few = workOf(start, bytes, 8_000);
  expect(workOf(start, bytes, 16_000)).toBeLessThan(few * 2.5);
  expect(few).toBeLessThan(8_000 * 20);
});

test("a head that drips in holds its bytes, not an object for each", () => {
  const reader = createAnswerReader();
  const views = (): number => {
    Bun.gc(true);
    return heapStats().objectTypeCounts["Uint8Array"] ?? 0;
  };
  reader.take(bytesOf("HTTP/1.1 200 OK\r\nx: "));
  const before = views();
  for (let n = 0; n < 50_000; n++) reader.take(Uint8Array.of(0x79));
  expect(views() - before).toBeLessThan(5_000);
  expect(reader.take(bytesOf("\r\ncontent-length: 0\r\n\r\n"))).toMatchObject({ status: 200 });
});

/** How many bytes of an endless stream are taken before it ends in an answer or an error. */
function takenOf(start: string, bytes: string, partBytes: number): { taken: number; end: unknown } {
  const reader = createAnswerReader();
  const text = bytes.repeat(Math.ceil(partBytes / bytes.length));
  reader.take(bytesOf(start));
  // Turned so that the pattern goes on across parts.
  for (let taken = 0; taken < 10_000_000; taken += partBytes) {
    const from = taken % bytes.length;
    const part = bytesOf((text + text).slice(from, from + partBytes));
    try {
      const answer = reader.take(part);
      if (answer !== null) return { taken: taken + partBytes, end: answer };
    } catch (error) {
      return { taken: taken + partBytes, end: codeOf(error) };
    }
  }
  throw new Error("there is no end to it");
}

test.each([
  ["head", "HTTP/1.1 200 OK\r\n", "x: y\r\n", 262_144, "ERR_HTTP_HEAD_TOO_LARGE"],
  ["header", "HTTP/1.1 200 OK\r\nx: ", "y", 262_144, "ERR_HTTP_HEAD_TOO_LARGE"],
  ["status line", "HTTP/1.1 200 ", "y", 262_144, "ERR_HTTP_HEAD_TOO_LARGE"],
  ["chain of interim answers", "", "HTTP/1.1 100 x\r\n\r\n", 262_144, "ERR_HTTP_HEAD_TOO_LARGE"],
  ["chunk extension", `${chunked}1;`, "x", 16_384, "ERR_HTTP_MALFORMED_ANSWER"],
  ["trailer", `${chunked}0\r\n`, "x", 16_384, "ERR_HTTP_MALFORMED_ANSWER"],
  ["section of trailers", `${chunked}0\r\n`, "x: y\r\n", 16_384, "ERR_HTTP_MALFORMED_ANSWER"],
])("an endless %s is malformed at its limit", (_what, start, bytes, limit, code) => {
  for (const partBytes of [1_000, 65_536]) {
    const { taken, end } = takenOf(start, bytes, partBytes);
    expect(end).toBe(code);
    expect(taken).toBeGreaterThan(limit - 100 - partBytes);
    expect(taken).toBeLessThanOrEqual(limit + partBytes);
  }
});

test.each([
  ["until the close", "HTTP/1.1 200 OK\r\n\r\n", "x"],
  ["by its length", "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", "x"],
  ["by large chunks", chunked, `2710\r\n${"x".repeat(10_000)}\r\n`],
  ["by small chunks", chunked, "1\r\nx\r\n"],
  ["by small chunks with long extensions", chunked, `1;${"x".repeat(5_000)}\r\nx\r\n`],
])("an endless body, %s, ends after 64 KiB and keeps no connection", (_what, start, bytes) => {
  for (const partBytes of [1_000, 65_536]) {
    const { taken, end } = takenOf(start, bytes, partBytes);
    expect(end).toMatchObject({ status: 200, isReusable: false });
    expect(taken).toBeGreaterThan(maxAnswerBytes);
    expect(taken).toBeLessThanOrEqual(maxAnswerBytes + partBytes);
  }
});
