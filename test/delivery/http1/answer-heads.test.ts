import { describe, expect, test } from "bun:test";
import {
  byteByByte,
  bytesOf,
  malformed,
  ok,
  once,
  readParts,
  type Row,
  testRows,
  tooLarge,
  whole,
} from "./answers.ts";

const tables: Record<string, readonly Row[]> = {
  "status lines": [
    ["a reason", ok("content-length: 2\r\n", "ok"), whole(200)],
    ["no reason", "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", whole(200)],
    ["not even a space", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", whole(200)],
    ["a reason in Latin-1", "HTTP/1.1 404 caf\xe9\r\ncontent-length: 0\r\n\r\n", whole(404)],
    ["a status above 599", "HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n", whole(999)],
    ["four digits", "HTTP/1.1 2000 x\r\n\r\n", malformed],
    ["two digits", "HTTP/1.1 20 x\r\n\r\n", malformed],
    ["a status below 100", "HTTP/1.1 099 x\r\n\r\n", malformed],
    ["two spaces", "HTTP/1.1  200 x\r\n\r\n", malformed],
    ["HTTP/2 in text", "HTTP/2 200\r\n\r\n", malformed],
    ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", malformed],
    ["lower case", "http/1.1 200 OK\r\n\r\n", malformed],
    ["an empty line before it", "\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", malformed],
    ["a line of another protocol, without an empty one", "SSH-2.0-OpenSSH_9.2p1\r\n", malformed],
    ["a mail server's greeting", "220 mail ESMTP\r\n", malformed],
    ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", malformed],
    ["four bytes of it", "HTTP", "incomplete"],
    ["nothing, and a close", "", "incomplete", "closes"],
  ],
  "line ends and headers": [
    ["line feeds alone", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", whole(200)],
    ["both kinds", "HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\nok", whole(200)],
    ["no headers at all", "HTTP/1.1 204 x\r\n\r\n", whole(204)],
    ["no empty line yet", "HTTP/1.1 204 x\r\na: b\r\n", "incomplete"],
    ["a close before the empty line", "HTTP/1.1 204 x\r\na: b\r\n", "incomplete", "closes"],
    ["two carriage returns at the end", "HTTP/1.1 204 x\r\na: b\r\n\r\r\n", malformed],
    ["a carriage return in a name", "HTTP/1.1 204 x\r\na\r: b\r\n\r\n", whole(204)],
    ["empty values", ok("content-length: 0\r\nx:\r\nlocation:\r\n"), whole(200, { location: "" })],
    [
      "no space after the colon",
      ok("content-length:2\r\nretry-after:7\r\n", "ok"),
      whole(200, { retryAfter: "7" }),
    ],
    [
      "tabs and spaces around values",
      ok("retry-after:\t 7 \t\r\ncontent-length: 0\r\n"),
      whole(200, { retryAfter: "7" }),
    ],
    [
      "colons in values",
      ok("location: http://a:1/\r\ncontent-length: 0\r\n"),
      whole(200, { location: "http://a:1/" }),
    ],
    [
      "the first of two values",
      ok("retry-after: 1\r\nRetry-After: 2\r\ncontent-length: 0\r\n"),
      whole(200, { retryAfter: "1" }),
    ],
    [
      "names of the same lengths as those that are read",
      ok(
        "x-header: a\r\nset-cookie: b\r\nx-eleven-ab: c\r\nx-fourteen-abc: d\r\nx-seventeen-abcde: e\r\ncontent-length: 0\r\n",
      ),
      whole(200),
    ],
    [
      "a name that begins as one that is read",
      ok("content-length-x: 9\r\ncontent-length: 0\r\n"),
      whole(200),
    ],
    ["a line without a colon", ok("content-length: 0\r\nnonsense\r\n"), malformed],
    ["a colon in the next line only", ok("nonsense\r\ncontent-length: 0\r\n"), malformed],
    ["a line that begins with its colon", ok(": x\r\ncontent-length: 0\r\n"), malformed],
    ["a space before the colon", ok("content-length : 0\r\n"), malformed],
    ["a tab before the colon", ok("x\t: 0\r\ncontent-length: 0\r\n"), malformed],
  ],
  "folded headers (RFC 9112 §5.2)": [
    ["one that nobody reads", ok("x: a\r\n b\r\n\tcontent-length: 9\r\ncontent-length: 0\r\n"), whole(200)],
    ["one as long as one that is read", ok("set-cookie: a\r\n b\r\ncontent-length: 0\r\n"), whole(200)],
    ["the length", ok("content-length: 1\r\n 0\r\n"), malformed],
    ["the coding", ok("transfer-encoding: gzip,\r\n chunked\r\n"), malformed],
    ["the connection's", ok("connection: keep-alive,\r\n close\r\ncontent-length: 0\r\n"), malformed],
    ["the first line", "HTTP/1.1 200 OK\r\n x: y\r\ncontent-length: 0\r\n\r\n", malformed],
  ],
  "connections that are kept or not": [
    ["close", ok("connection: close\r\ncontent-length: 0\r\n"), once(200)],
    ["close in a list", ok("Connection: Keep-Alive , CLOSE\r\ncontent-length: 0\r\n"), once(200)],
    [
      "close in a second header",
      ok("connection: keep-alive\r\nconnection: close\r\ncontent-length: 0\r\n"),
      once(200),
    ],
    ["another word that holds close", ok("connection: x-close, closed\r\ncontent-length: 0\r\n"), whole(200)],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", once(200)],
    [
      "HTTP/1.0 that keeps it",
      "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok",
      whole(200),
    ],
    [
      "HTTP/1.0 that says both",
      "HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 0\r\n\r\n",
      once(200),
    ],
    ["HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\nok", "incomplete"],
    ["HTTP/1.0 until the close", "HTTP/1.0 200 OK\r\n\r\nok", once(200), "closes"],
    ["HTTP/1.1 until the close", ok("retry-after: 3\r\n", "ok"), once(200, { retryAfter: "3" }), "closes"],
    ["HTTP/1.1 without a body until the close", ok(""), once(200), "closes"],
    [
      "the seconds it is kept",
      ok("keep-alive: timeout=5, max=100\r\ncontent-length: 0\r\n"),
      whole(200, { idleSeconds: 5 }),
    ],
    [
      "the seconds, quoted, second, any case",
      ok('Keep-Alive: max=1,TimeOut = "15"\r\ncontent-length: 0\r\n'),
      whole(200, { idleSeconds: 15 }),
    ],
    ["no seconds", ok("keep-alive: max=100\r\ncontent-length: 0\r\n"), whole(200)],
    [
      "seconds that are none",
      ok("keep-alive: timeout=soon, x-timeout=5\r\ncontent-length: 0\r\n"),
      whole(200),
    ],
  ],
};

testRows(tables);

describe("heads at their limit of 256 KiB", () => {
  const limit = 262_144;
  const filled = (length: number): string => {
    const rest = ok("content-length: 0\r\nx: \r\n");
    return ok(`content-length: 0\r\nx: ${"y".repeat(length - rest.length)}\r\n`);
  };
  const interim = "HTTP/1.1 100 x\r\n\r\n";

  test.each([
    ["exactly", filled(limit), whole(200)],
    ["one byte more", filled(limit + 1), tooLarge],
    ["with an interim answer, exactly", interim + filled(limit - interim.length), whole(200)],
    ["with an interim answer, one byte more", interim + filled(limit - interim.length + 1), tooLarge],
    ["many interim answers", interim.repeat(Math.ceil(limit / interim.length) + 1), tooLarge],
    ["without an end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(limit)}`, tooLarge],
  ])("%s", (_what, text, expected) => {
    const bytes = bytesOf(text);
    expect(readParts([bytes])).toEqual(expected);
    expect(readParts(byteByByte(bytes))).toEqual(expected);
    for (const at of [1, limit - 1, limit, limit + 1]) {
      expect(readParts([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected);
    }
  });
});
