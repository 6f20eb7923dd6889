import { expect, test } from "bun:test";
import { createAnswerReader } from "../../../src/delivery/http1/answer-reader.ts";
import { byteByByte, bytesOf, ok } from "./answers.ts";

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

/** What is kept of an answer that comes as a whole, and of one that comes byte by byte. */
function kept(answer: string, most: number): (string | null | undefined)[] {
  return [[bytesOf(answer)], [...byteByByte(bytesOf(answer))]].map((parts) => {
    const reader = createAnswerReader(() => most);
    const answers = parts.map((part) => reader.take(part)).filter((one) => one !== null);
    return (answers[0] ?? reader.end())?.body;
  });
}

test("the beginning of a body is kept, however its length is told", () => {
  expect(kept(ok("content-length: 9\r\n", "no such x"), 100)).toEqual(["no such x", "no such x"]);
  expect(kept(ok("content-length: 9\r\n", "no such x"), 4)).toEqual(["no s", "no s"]);
  const chunks = "3\r\nno \r\n6\r\nsuch x\r\n0\r\n\r\n";
  expect(kept(ok("transfer-encoding: chunked\r\n", chunks), 7)).toEqual(["no such", "no such"]);
  expect(kept(ok("", "until it closes"), 7)).toEqual(["until i", "until i"]);
  expect(kept(ok("content-length: 0\r\n"), 7)).toEqual(["", ""]);
  expect(kept(ok("content-length: 9\r\n", "no such x"), 0)).toEqual([null, null]);
});

test("it is read as UTF-8, and no character is cut in two", () => {
  const text = utf8("größer 😀");
  expect(kept(ok(`content-length: ${text.length}\r\n`, text), 100)).toEqual(["größer 😀", "größer 😀"]);
  expect(kept(ok(`content-length: ${text.length}\r\n`, text), 3)).toEqual(["gr", "gr"]);
});

test("an answer that is the one before keeps the same, and as much as is wanted now", () => {
  let most = 100;
  const reader = createAnswerReader(() => most);
  const bytes = bytesOf(ok("content-length: 4\r\n", "same"));
  const read = () => reader.take(bytes)?.body;
  expect([read(), read()]).toEqual(["same", "same"]);
  most = 2;
  expect([read(), read()]).toEqual(["sa", "sa"]);
  most = 0;
  expect([read(), read()]).toEqual([null, null]);
});
