import type { After, Exchange } from "./exchange.ts";

/** How a receiver treats whoever comes. */
export interface Mood {
  readonly name: string;
  /** Leaves before the request is whole: when a connection opens, at its first bytes, or when the head is there. */
  readonly leavesAt?: "connection" | "first bytes" | "head";
  act(exchange: Exchange): void;
}

function answer(status: number, more: Record<string, string> = {}, body = "ok"): string {
  const headers = Object.entries({ "content-length": String(body.length), ...more });
  return `HTTP/1.1 ${status} Status\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/** Answers 200, now at once and now after a while, so that several attempts are in flight. */
export const well: Mood = {
  name: "200",
  act(exchange) {
    const delayMs = Math.floor(Math.random() * 4) * 15;
    if (delayMs === 0) exchange.finish(answer(200), 200);
    else exchange.later(delayMs, () => exchange.finish(answer(200), 200));
  },
};

/** The only answer to a delivery that is made to fail. */
export const doom: Mood = { name: "503", act: (exchange) => exchange.finish(answer(503), 503) };

const statuses: readonly Mood[] = [
  [500, {}],
  [502, {}],
  [503, {}],
  [503, { "retry-after": "1" }],
  [429, {}],
  [429, { "retry-after": "1" }],
  [408, {}],
  [425, {}],
  [400, {}],
  [404, {}],
  [307, { location: "http://127.0.0.1:9/" }],
].map(([status, headers]) => ({
  name: `${status as number}${"retry-after" in (headers as object) ? " with Retry-After" : ""}`,
  act: (exchange) =>
    exchange.finish(answer(status as number, headers as Record<string, string>), status as number),
}));

const beforeTheRequest: readonly Mood[] = (["connection", "first bytes", "head"] as const).map((point) => ({
  name: `reset at its ${point}`,
  leavesAt: point,
  act: (exchange) => exchange.leave("reset"),
}));

const whole = answer(200, {}, "0123456789");

/** Some of a 200, then the end: the delivery must be tried again. */
const inTheAnswer: readonly Mood[] = (["reset", "close"] as const).flatMap(
  (how: After & ("reset" | "close")) =>
    [
      ["before an answer", 0],
      ["inside the status line", 11],
      ["inside the head", 22],
      ["inside the body", whole.length - 4],
    ].map(([where, length]) => ({
      name: `${how} ${where as string}`,
      act: (exchange) => {
        if (length === 0) exchange.leave(how);
        else exchange.finish(whole.slice(0, length as number), null, how);
      },
    })),
);

const slow: readonly Mood[] = [
  {
    name: "a slow head",
    act: (exchange) => exchange.later(300, () => exchange.finish(answer(200), 200)),
  },
  {
    name: "a body by the byte",
    act(exchange) {
      exchange.write(whole.slice(0, -4));
      for (const [at, text] of ["6", "7", "8"].entries())
        exchange.later(60 * (at + 1), () => exchange.write(text));
      exchange.later(240, () => exchange.finish("9", 200));
    },
  },
  { name: "no answer", act: () => undefined },
  { name: "a body that never ends", act: (exchange) => exchange.write(whole.slice(0, -4)) },
  { name: "one byte of a status line", act: (exchange) => exchange.write("H") },
];

const strange: readonly Mood[] = [
  {
    name: "a hundred 103 before the 200",
    act(exchange) {
      exchange.write("HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n".repeat(100));
      exchange.finish(answer(200), 200);
    },
  },
  {
    name: "103 without end",
    act(exchange) {
      const more = (): void => {
        exchange.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50));
        exchange.later(20, more);
      };
      more();
    },
  },
  { name: "no HTTP", act: (exchange) => exchange.finish("HELO mail\r\n\r\n", null, "close") },
  {
    name: "more than its length says",
    act: (exchange) =>
      exchange.finish(`${whole}HTTP/1.1 500 Late\r\ncontent-length: 0\r\n\r\n`, 200, "close"),
  },
  {
    name: "chunks",
    act: (exchange) =>
      exchange.finish("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
  },
  {
    name: "chunks without their end",
    act: (exchange) =>
      exchange.finish("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", null, "close"),
  },
  {
    name: "a chunk whose size is no number",
    act: (exchange) =>
      exchange.finish(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        null,
        "close",
      ),
  },
  {
    name: "two lengths that differ",
    act: (exchange) =>
      exchange.finish("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nok", null, "close"),
  },
  {
    name: "200, then a reset",
    act: (exchange) => exchange.finish(answer(200), 200, "reset"),
  },
  { name: "200, then closed", act: (exchange) => exchange.finish(answer(200), 200, "close") },
  { name: "an early 503", leavesAt: "head", act: (exchange) => exchange.finish(answer(503), null, "close") },
];

/** Every mood that a fault can put a receiver into, by what they have in common. */
export const moodFamilies: readonly { readonly name: string; readonly moods: readonly Mood[] }[] = [
  { name: "a status", moods: statuses },
  { name: "gone before the request is whole", moods: beforeTheRequest },
  { name: "gone inside its answer", moods: inTheAnswer },
  { name: "slow", moods: slow },
  { name: "strange answers", moods: strange },
];
