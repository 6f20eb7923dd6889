import type { Socket } from "node:net";
import { end, type Mishap, once, reset } from "./mishap.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const tooLarge = "HTTP/1.1 413 x\r\ncontent-length: 3\r\n\r\nbig";
const wholeRequest = "\r\n\r\n{}";
const large = { bodyBytes: 5_000_000, timeoutMs: 20_000 };

/** Answers the first request on a connection and does this at the second. */
const answerThen =
  (next: (socket: Socket) => void) =>
  (socket: Socket, soFar: string): void => {
    if (soFar.split("POST").length > 2) next(socket);
    else socket.write(ok);
  };

/** What receivers do wrong, and aborts on the way to their answer. */
export const receiverMishaps: readonly Mishap[] = [
  {
    what: "an early 413, the rest is read",
    onData: once(tooLarge),
    ...large,
    attempts: 2,
    outcomes: ["http_status 413", "http_status 413"],
    connections: 2,
  },
  {
    what: "an early 413 over TLS, then a close",
    onData: once(tooLarge, end),
    secure: true,
    https: true,
    ...large,
    outcomes: ["http_status 413"],
    connections: 1,
  },
  {
    what: "an early 413, then a close",
    onData: once(tooLarge, end),
    ...large,
    outcomes: ["http_status 413"],
    connections: 1,
  },
  {
    what: "a reset in the middle of the request",
    onData: (socket, soFar) => {
      if (soFar.length > 100_000) reset(socket);
    },
    ...large,
    attempts: 2,
    outcomes: ["reset ECONNRESET", "reset ECONNRESET"],
    connections: 2,
  },
  {
    what: "a reset before the answer",
    onData: reset,
    attempts: 2,
    outcomes: ["reset ECONNRESET", "reset ECONNRESET"],
    connections: 2,
  },
  {
    what: "a reset on a used connection",
    onData: answerThen(reset),
    attempts: 4,
    outcomes: ["delivered 200", "reset ECONNRESET", "delivered 200", "reset ECONNRESET"],
    connections: 2,
  },
  {
    what: "a close on a used connection",
    onData: answerThen(end),
    attempts: 2,
    outcomes: ["delivered 200", "reset ECONNRESET"],
    connections: 1,
  },
  {
    what: "half a head on a used connection",
    onData: answerThen((socket) => void socket.end("HTTP/1.1 2")),
    attempts: 2,
    outcomes: ["delivered 200", "reset ECONNRESET"],
    connections: 1,
  },
  {
    what: "a reset of a body until the close",
    onData: once("HTTP/1.1 200 OK\r\n\r\nabc", (socket) => setTimeout(reset, 20, socket)),
    outcomes: ["reset ECONNRESET"],
    connections: 1,
  },
  {
    what: "a 204 whose body comes late",
    onData: (socket) => {
      socket.write("HTTP/1.1 204 x\r\ncontent-length: 3\r\n\r\n");
      setTimeout(() => socket.destroyed || socket.write("abc"), 1);
    },
    attempts: 3,
    outcomes: ["delivered 204", "delivered 204", "delivered 204"],
    connections: 3,
  },
  {
    what: "a close at once",
    onOpen: end,
    attempts: 3,
    outcomes: ["reset ECONNRESET", "reset ECONNRESET", "reset ECONNRESET"],
    connections: 3,
  },
  {
    what: "a reset at once",
    onOpen: reset,
    attempts: 3,
    // It may come before our side knows that it is connected.
    outcomes: Array.from({ length: 3 }, () => "reset ECONNRESET|connect ECONNRESET"),
    connections: 3,
  },
  {
    what: "a close right after the handshake",
    onOpen: (socket) => void socket.destroy(),
    secure: true,
    https: true,
    attempts: 3,
    outcomes: ["reset ECONNRESET", "reset ECONNRESET", "reset ECONNRESET"],
    connections: 3,
  },
  {
    what: "another protocol's greeting",
    onOpen: (socket) => void socket.write("220 mail ESMTP\r\n"),
    outcomes: ["protocol ERR_HTTP_MALFORMED_ANSWER"],
    connections: 1,
  },
  {
    what: "a reset in the handshake",
    onData: reset,
    https: true,
    attempts: 2,
    outcomes: ["connect ECONNRESET", "connect ECONNRESET"],
    connections: 2,
  },
  {
    what: "a close in the handshake",
    onData: end,
    https: true,
    attempts: 2,
    outcomes: ["connect ECONNRESET", "connect ECONNRESET"],
    connections: 2,
  },
  {
    what: "garbage in the handshake",
    onData: once("HTTP/1.1 400 x\r\n\r\n"),
    https: true,
    outcomes: ["tls"],
    connections: 1,
  },
  { what: "an abort before the answer", abortAt: wholeRequest, outcomes: ["aborted"], connections: 1 },
  {
    what: "an abort in the answer",
    onData: once("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
    abortAt: wholeRequest,
    outcomes: ["aborted"],
    connections: 1,
  },
  {
    what: "an abort in the middle of the request",
    abortAt: "x".repeat(50_000),
    ...large,
    outcomes: ["aborted"],
    connections: 1,
  },
  {
    what: "an abort in the handshake",
    https: true,
    abortAt: "\x16\x03",
    outcomes: ["aborted"],
    connections: 1,
  },
  {
    what: "the deadline in the handshake",
    https: true,
    timeoutMs: 100,
    outcomes: ["timeout"],
    connections: 1,
  },
];
