import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import type { Outcome } from "../../../src/delivery/outcome.ts";
import type { Transport } from "../../../src/delivery/transport.ts";
import { type BareServer, startBareServer } from "../../support/bare-server.ts";
import { attempt, httpEndpoint, transportOver } from "../attempts.ts";

/**
 * An attempt over a connection that is open goes another way through the source than the one that opened it
 * (delivery/http.ts): whatever the receiver does, both must come to the same.
 */

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Requests that a connection has brought so far; each has the body {}. */
const requestsIn = (soFar: string): number => soFar.split("\r\n\r\n{}").length - 1;

let server: BareServer;
let transport: Transport;
/** What the receiver does with the n-th request of a connection, from 1; ok where it does nothing of its own. */
let misbehave: (socket: Socket, n: number) => boolean;

beforeEach(async () => {
  const answered = new WeakMap<Socket, number>();
  server = await startBareServer({
    onData(socket, soFar) {
      for (let n = (answered.get(socket) ?? 0) + 1; n <= requestsIn(soFar); n += 1) {
        answered.set(socket, n);
        if (!misbehave(socket, n)) socket.write(ok);
      }
    },
  });
  transport = transportOver(createHttp1Exchange());
});
afterEach(async () => {
  await transport.close();
  await server.close();
});

const send = (more: Parameters<typeof attempt>[2] = {}): Promise<Outcome> =>
  attempt(transport, httpEndpoint(`http://127.0.0.1:${server.port}/`), more);

const plain = ({ durationMs, ...rest }: Outcome): unknown => {
  expect(durationMs).toBeGreaterThanOrEqual(0);
  return rest;
};

describe("the same over an open connection as over a new one", () => {
  const write = (text: string) => (socket: Socket) => void socket.write(text);
  const cases: [string, (socket: Socket) => void, number?][] = [
    ["200", write(ok)],
    ["204", write("HTTP/1.1 204 No Content\r\n\r\n")],
    ["200 of HTTP/1.0", write("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n")],
    ["an interim answer first", write(`HTTP/1.1 103 Early Hints\r\n\r\n${ok}`)],
    ["chunks", write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")],
    ["429 with Retry-After", write("HTTP/1.1 429 x\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n")],
    ["503", write("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n")],
    ["302", write("HTTP/1.1 302 x\r\nlocation: https://a.test/secret\r\ncontent-length: 0\r\n\r\n")],
    ["a Location that is no URL", write("HTTP/1.1 302 x\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n")],
    ["a second answer behind the first", write(`${ok}HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n`)],
    ["two lengths", write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok")],
    ["another protocol", write("SSH-2.0-x\r\n\r\n")],
    ["a close before the answer", (socket) => void socket.end()],
    ["a reset before the answer", (socket) => void socket.resetAndDestroy()],
    ["a close in the head", (socket) => void socket.end("HTTP/1.1 200 OK\r\ncont")],
    ["a close in the body", (socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")],
    ["an end that only the close tells", (socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nok")],
    ["silence", () => undefined, 60],
    ["silence after half a head", write("HTTP/1.1 200 O"), 60],
  ];
  test.each(cases)("%s", async (_what, act, timeoutMs = 5_000) => {
    misbehave = (socket) => {
      act(socket);
      return true;
    };
    const overNew = await send({ timeoutMs });
    const connections = server.connections;
    await transport.close();
    transport = transportOver(createHttp1Exchange());
    misbehave = (socket, n) => {
      if (n > 1) act(socket);
      return n > 1;
    };
    expect(plain(await send())).toEqual({ kind: "delivered", status: 200 });
    expect(plain(await send({ timeoutMs }))).toEqual(plain(overNew));
    expect(server.connections).toBe(connections + 1);
    // Whatever it was, the next attempt is answered as if nothing had been.
    misbehave = () => false;
    expect(plain(await send())).toEqual({ kind: "delivered", status: 200 });
  });

  test("a header that cannot be sent: nothing is, and the connection serves the next", async () => {
    misbehave = () => false;
    const headers = [["x-bad", "a\nb"]] as const;
    const overNew = await send({ headers });
    expect(overNew).toMatchObject({ kind: "protocol", code: "ERR_INVALID_CHAR" });
    await send();
    expect(plain(await send({ headers }))).toEqual(plain(overNew));
    await send();
    expect([server.connections, requestsIn(server.received(1))]).toEqual([1, 2]);
  });
});

test("an answer may come in any two parts", async () => {
  const whole = "HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 22:00:00 GMT\r\nContent-Length: 2\r\n\r\nok";
  let at = 0;
  misbehave = (socket, n) => {
    if (n === 1) return false;
    const cut = at;
    socket.write(whole.slice(0, cut));
    // In a turn of its own, or the two parts would go as one.
    setTimeout(() => socket.write(whole.slice(cut)), 1);
    return true;
  };
  await send();
  for (at = 1; at < whole.length; at += 1) {
    expect(plain(await send())).toEqual({ kind: "delivered", status: 200 });
  }
  expect(server.connections).toBe(1);
});

describe("an attempt that is cut off", () => {
  test("over an open connection is aborted at once, its connection is gone, and the next one gets its own answer", async () => {
    const controller = new AbortController();
    misbehave = (_socket, n) => {
      if (n === 2) controller.abort();
      return n === 2;
    };
    await send();
    const cutOff = await send({ signal: controller.signal });
    expect(cutOff.kind).toBe("aborted");
    misbehave = () => false;
    expect(plain(await send())).toEqual({ kind: "delivered", status: 200 });
    expect(server.connections).toBe(2);
  });

  test("after it has ended takes nothing from the attempt that has the connection by then", async () => {
    const controller = new AbortController();
    misbehave = (_socket, n) => {
      // The second is cut off when it is long over, while the third waits for its answer.
      if (n === 3) controller.abort();
      return false;
    };
    await send();
    expect(plain(await send({ signal: controller.signal }))).toEqual({ kind: "delivered", status: 200 });
    expect(plain(await send())).toEqual({ kind: "delivered", status: 200 });
    expect(controller.signal.aborted).toBe(true);
    expect(server.connections).toBe(1);
  });

  test("before it began sends nothing", async () => {
    misbehave = () => false;
    await send();
    expect(plain(await send({ signal: AbortSignal.abort() }))).toEqual({ kind: "aborted" });
    await send();
    expect([server.connections, requestsIn(server.received(1))]).toEqual([1, 2]);
  });
});
