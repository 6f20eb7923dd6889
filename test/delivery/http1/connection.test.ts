import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { Cut } from "../../../src/delivery/cut.ts";
import { classify } from "../../../src/delivery/classify.ts";
import { type Connection, createConnection } from "../../../src/delivery/http1/connection.ts";

const answer = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

/** A socket that does nothing by itself. */
class FakeSocket extends EventEmitter {
  readonly written: unknown[] = [];
  writableLength = 0;
  destroyed = false;
  write(bytes: unknown): void {
    this.written.push(bytes);
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function connected(): { socket: FakeSocket; connection: Connection } {
  const socket = new FakeSocket();
  return { socket, connection: createConnection(socket as unknown as Socket) };
}

/** What an exchange ends in, as a value. */
function exchange(connection: Connection, cut = new Cut()): Promise<unknown> {
  return new Promise((ended) => {
    connection.send("POST", cut, { answered: ended, failed: ended });
  });
}

test("one exchange follows the other, over the same socket", async () => {
  const { socket, connection } = connected();
  for (let n = 1; n <= 3; n++) {
    const pending = exchange(connection);
    socket.emit("data", answer);
    expect(await pending).toMatchObject({ status: 200 });
    expect([connection.isOpen, socket.written.length]).toEqual([true, n]);
  }
});

test("an answer that comes before the request is all sent closes the connection", async () => {
  const { socket, connection } = connected();
  const pending = exchange(connection);
  socket.writableLength = 1;
  socket.emit("data", answer);
  expect(await pending).toMatchObject({ status: 200 });
  expect([connection.isOpen, socket.destroyed]).toEqual([false, true]);
});

test.each(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "ECONNRESET", "EPIPE"])(
  "%s after the request was sent is a reset: the receiver may have seen it",
  async (code) => {
    const { socket, connection } = connected();
    const pending = exchange(connection);
    socket.emit("error", Object.assign(new Error("lost"), { code }));
    expect(classify(await pending)).toEqual({ kind: "reset", code });
    expect([connection.isOpen, socket.destroyed]).toEqual([false, true]);
  },
);

test("ETIMEDOUT before anything was sent is a connect failure", () => {
  expect(classify({ code: "ETIMEDOUT" })).toEqual({ kind: "connect", code: "ETIMEDOUT" });
});

test("what was aborted before it began is not sent, and ends at once", async () => {
  const { socket, connection } = connected();
  const cut = new Cut();
  cut.cut();
  expect(await exchange(connection, cut)).toMatchObject({ name: "AbortError" });
  expect(socket.written).toEqual([]);
  expect([connection.isOpen, socket.destroyed]).toEqual([false, true]);
});

test.each([
  ["close", []],
  ["end", []],
  ["error", [Object.assign(new Error("lost"), { code: "EPIPE" })]],
  ["data", [answer]],
])(
  "nothing is sent over a connection that has seen %s since it was made, and the attempt ends",
  async (event, args) => {
    const { socket, connection } = connected();
    socket.emit(event, ...args);
    expect(classify(await exchange(connection))).toEqual({ kind: "reset", code: "ECONNRESET" });
    expect(socket.written).toEqual([]);
  },
);

test("an abort ends the exchange at once, and what comes after it is nobody's", async () => {
  const { socket, connection } = connected();
  const cut = new Cut();
  const pending = exchange(connection, cut);
  cut.cut();
  expect(socket.destroyed).toBe(true);
  socket.emit("data", answer);
  socket.emit("error", new Error("late"));
  socket.emit("close");
  expect(await pending).toMatchObject({ name: "AbortError" });
});

test("an abort after the answer leaves the connection to the next exchange", async () => {
  const { socket, connection } = connected();
  const first = new Cut();
  const pending = exchange(connection, first);
  socket.emit("data", answer);
  await pending;
  const next = exchange(connection);
  first.cut();
  expect(connection.isOpen).toBe(true);
  socket.emit("data", answer);
  expect(await next).toMatchObject({ status: 200 });
});
