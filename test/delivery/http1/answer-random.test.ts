import { expect, test } from "bun:test";
import { createAnswerReader } from "../../../src/delivery/http1/answer-reader.ts";
import { createRandom } from "../../jobs/odd-json.ts";
import { bytesOf, codeOf, readParts } from "./answers.ts";

const total = process.env["HOOKLINE_LONG"] === "1" ? 50_000 : 3_000;
const seed = Number(process.env["HOOKLINE_SEED"] ?? 20_270_112);

type Random = () => number;
const upTo = (random: Random, most: number): number => Math.floor(random() * (most + 1));
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

/** A valid answer as bytes, and what is to be read in it. */
interface Made {
  readonly text: string;
  readonly status: number;
  readonly retryAfter: string | null;
  readonly isKept: boolean;
  /** Ended by the sender's close only. */
  readonly untilClose: boolean;
}

const indifferent = [
  "server: x",
  "set-cookie: a=b; path=/",
  "x-header:y",
  "content-type: text/html;charset=utf-8",
  "via: 1.1 caf\xe9",
  "x-empty:",
  "x-folded: a\r\n b",
  "x-content-length: 7",
];

/** Any case that a header's name may be written in. */
function named(random: Random, name: string): string {
  return name.replaceAll(/[a-z]/g, (letter) => (random() < 0.3 ? letter.toUpperCase() : letter));
}

function makeBody(random: Random): string {
  const pieces = ["\r\n", "0\r\n\r\n", "HTTP/1.1 500 x\r\n\r\n", "\n\n", "abc", "\xff\x00", ":"];
  return Array.from({ length: upTo(random, 12) }, () => pick(random, pieces)).join("");
}

function chunk(random: Random, body: string): string {
  let text = "";
  for (let at = 0; at < body.length;) {
    const size = 1 + upTo(random, 9);
    const data = body.slice(at, at + size);
    text += `${data.length.toString(16)}${pick(random, ["", ";x=y", " "])}\r\n${data}\r\n`;
    at += size;
  }
  return `${text}0\r\n${pick(random, ["", "x-sum: 1\r\n", "a: b\r\nc: d\r\n"])}\r\n`;
}

function makeAnswer(random: Random): Made {
  const eol = random() < 0.1 ? "\n" : "\r\n";
  const lines = indifferent.filter(() => random() < 0.3);
  const status = pick(random, [200, 200, 201, 204, 304, 400, 410, 429, 500, 503]);
  const retryAfter = random() < 0.3 ? String(upTo(random, 100)) : null;
  if (retryAfter !== null) lines.push(`${named(random, "retry-after")}: ${retryAfter}`);
  let isKept = true;
  if (random() < 0.1) {
    isKept = false;
    lines.push(`${named(random, "connection")}: ${pick(random, ["close", "Close", "x, close"])}`);
  }
  let body = "";
  let untilClose = false;
  const how = random();
  if (status === 204 || status === 304) {
    if (how < 0.5) lines.push("content-length: 0");
  } else if (how < 0.5) {
    body = makeBody(random);
    lines.push(`${named(random, "content-length")}: ${body.length}`);
  } else if (how < 0.9) {
    body = chunk(random, makeBody(random));
    lines.push(`${named(random, "transfer-encoding")}: ${pick(random, ["chunked", "gzip, Chunked"])}`);
  } else {
    body = makeBody(random);
    untilClose = true;
    isKept = false;
  }
  lines.sort(() => random() - 0.5);
  const interim = random() < 0.1 ? `HTTP/1.1 103 x${eol}link: y${eol}${eol}` : "";
  const head = [`HTTP/1.1 ${status} x`, ...lines].join(eol);
  return { text: `${interim}${head}${eol}${eol}${body}`, status, retryAfter, isKept, untilClose };
}

/** The bytes in parts of 1 to some 40 bytes, or in one. */
function cutUp(random: Random, bytes: Uint8Array): Uint8Array[] {
  const most = pick(random, [0, 2, 40, bytes.length]);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + upTo(random, most);
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

test(`valid answers, one after the other on one connection, are each read to their end (seed ${seed})`, () => {
  const random = createRandom(seed);
  let read = 0;
  for (let i = 0; i < total; i++) {
    const reader = createAnswerReader();
    let isOpen = true;
    for (let n = 0; n < 6 && isOpen; n++) {
      const made = makeAnswer(random);
      const parts = cutUp(random, bytesOf(made.text));
      const answers = parts.map((part) => reader.take(part));
      if (made.untilClose) answers.push(reader.end());
      const { status, retryAfter, isKept } = made;
      const expected = {
        status,
        retryAfter,
        location: null,
        idleSeconds: null,
        isReusable: isKept,
        body: null,
      };
      const shown = { i, n, text: made.text };
      expect({ ...shown, answer: answers.pop() }).toEqual({ ...shown, answer: expected });
      expect(answers.filter((answer) => answer !== null)).toEqual([]);
      isOpen = isKept;
      read += 1;
    }
  }
  expect(read).toBeGreaterThan(total * 2);
}, 240_000);

test(`a valid answer with bytes behind it keeps no connection (seed ${seed})`, () => {
  const random = createRandom(seed + 1);
  let cut = 0;
  for (let i = 0; i < total; i++) {
    const made = makeAnswer(random);
    if (made.untilClose) continue;
    const whole = createAnswerReader().take(bytesOf(`${made.text}${pick(random, ["\r", "H", made.text])}`));
    expect(whole).toMatchObject({ status: made.status, isReusable: false });
    cut += 1;
  }
  expect(cut).toBeGreaterThan(total / 2);
}, 240_000);

/** A few bytes changed, left out, put in, doubled or cut off. */
function mutate(random: Random, text: string): string {
  const odd = [
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "0",
    "f",
    "-",
    "\x00",
    "\xff",
    "HTTP/1.1 100 x\r\n\r\n",
  ];
  let mutated = text;
  for (let n = 1 + upTo(random, 3); n > 0; n--) {
    const at = upTo(random, mutated.length);
    const to = Math.min(mutated.length, at + upTo(random, 8));
    const middle = pick(random, [
      () => pick(random, odd),
      () => "",
      () => pick(random, odd) + mutated.slice(at, to),
      () => mutated.slice(at, to).repeat(2),
    ])();
    mutated = random() < 0.05 ? mutated.slice(0, at) : mutated.slice(0, at) + middle + mutated.slice(to);
  }
  return mutated;
}

test(`a mutated answer is read the same however it is cut, and throws nothing but what it may (seed ${seed})`, () => {
  const random = createRandom(seed + 2);
  const seen = { answers: 0, malformed: 0, incomplete: 0 };
  for (let i = 0; i < total * 3; i++) {
    const text = mutate(random, makeAnswer(random).text);
    const bytes = bytesOf(text);
    const closes = random() < 0.5;
    const expected = readParts([bytes], closes);
    expect({ i, text, read: readParts(cutUp(random, bytes), closes) }).toEqual({ i, text, read: expected });
    if (expected === "incomplete") seen.incomplete += 1;
    else if ("code" in expected) seen.malformed += 1;
    else seen.answers += 1;
  }
  // All three come up often, or the generator proves nothing.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(total / 10);
}, 240_000);

test(`bytes that are no answer at all are malformed or wait for more (seed ${seed})`, () => {
  const random = createRandom(seed + 3);
  for (let i = 0; i < total; i++) {
    const bytes = Uint8Array.from({ length: upTo(random, 60) }, () => upTo(random, 255));
    const reader = createAnswerReader();
    try {
      expect(reader.take(bytes)).toBeNull();
      expect(bytes.length).toBeLessThan(5);
    } catch (error) {
      if (bytes.length < 5) expect([...bytes].filter((byte) => byte === 10)).not.toEqual([]);
      expect(codeOf(error)).toBe("ERR_HTTP_MALFORMED_ANSWER");
    }
  }
}, 240_000);
