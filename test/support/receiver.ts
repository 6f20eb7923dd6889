import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { type Parsed, parseRequest } from "./receiver-parse.ts";

/**
 * A scriptable receiver: a real HTTP/1.1 server on 127.0.0.1, written on bare sockets so that it can
 * also misbehave in every way a receiver can.
 *
 *     await using receiver = await startReceiver();
 *     receiver.behave((request, n) => (n % 5 === 0 ? answer(500) : answer(200)));
 *     const first = await receiver.waitFor(1);
 *     expect(first.text).toBe(...);
 */
export interface Receiver extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or https with `tls`. No trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Every request so far in order of arrival; stays empty with `record: false`. */
  readonly requests: readonly ReceivedRequest[];
  /** Requests so far, recorded or not. */
  readonly count: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** From now on: one behaviour for all, or one chosen per request (`n` counts from 1). */
  behave(behaviour: Behaviour | BehaviourChooser): void;
  /** The n-th request (from 1), or an error after `timeoutMs` (10 s). Needs recording. */
  waitFor(n: number, timeoutMs?: number): Promise<ReceivedRequest>;
  /** Resolves when `n` requests have arrived, recorded or not. */
  waitForCount(n: number, timeoutMs?: number): Promise<void>;
  /** Forgets the recorded requests and starts counting from 0. */
  clear(): void;
  /** Cuts every connection and stops listening. */
  close(): Promise<void>;
}

export interface ReceivedRequest extends Parsed {
  /** The body as UTF-8 text. */
  readonly text: string;
  /** When its last byte arrived, in ms of performance.now(). */
  readonly at: number;
  /** Which connection it came on, counted from 1. */
  readonly connection: number;
}

/** What the receiver does with one request. */
export type Behaviour =
  | {
      readonly do: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | Uint8Array;
      readonly delayMs: number;
      /** Close (FIN) or reset the connection right after the answer, without having announced it. */
      readonly after: "keep" | "close" | "reset";
    }
  /** These bytes as they are, then the connection is kept, closed or reset. */
  | { readonly do: "raw"; readonly bytes: string | Uint8Array; readonly after: "keep" | "close" | "reset" }
  /** Never answers. "body": head and part of the body come, the rest never does. */
  | { readonly do: "hang"; readonly where: "head" | "body" }
  /** A 200 whose body comes a byte at a time, for ever. */
  | { readonly do: "drip"; readonly everyMs: number }
  /** A 200 whose body never ends, as fast as the socket takes it. */
  | { readonly do: "endless" };

export type BehaviourChooser = (request: ReceivedRequest, n: number) => Behaviour;

interface AnswerOptions {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  delayMs?: number;
  after?: "keep" | "close" | "reset";
}

/** An ordinary answer; the body (default "ok") is sent with a content-length unless a header says otherwise. */
export function answer(status: number, options: AnswerOptions = {}): Behaviour {
  const { headers = {}, body = "ok", delayMs = 0, after = "keep" } = options;
  return { do: "answer", status, headers, body, delayMs, after };
}

/** A redirect to `location`. */
export function redirect(status: number, location: string): Behaviour {
  return answer(status, { headers: { location } });
}

/** Bytes that need not be HTTP at all. */
export function raw(bytes: string | Uint8Array, after: "keep" | "close" | "reset" = "close"): Behaviour {
  return { do: "raw", bytes, after };
}

/** No answer: before the head, or in the middle of the body. */
export function hang(where: "head" | "body" = "head"): Behaviour {
  return { do: "hang", where };
}

/** The connection is reset (RST) or closed (FIN) before any byte of an answer. */
export function cut(how: "reset" | "close" = "reset"): Behaviour {
  return { do: "raw", bytes: "", after: how };
}

export interface ReceiverOptions {
  behaviour?: Behaviour | BehaviourChooser;
  /** Serve TLS with these node:tls options (test/support/certificates.ts makes them). */
  tls?: TlsOptions;
  /** False: count requests but keep none of them, for tests with very many. */
  record?: boolean;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: a free one. */
  port?: number;
}

/** Starts a receiver on a free port; it answers 200 "ok" until told otherwise. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const record = options.record ?? true;
  const host = options.host ?? "127.0.0.1";
  let choose = chooser(options.behaviour ?? answer(200));
  let requests: ReceivedRequest[] = [];
  let count = 0;
  let connections = 0;
  const sockets = new Set<Socket>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let waiters: { n: number; wake: () => void }[] = [];

  const onRequest = (socket: Socket, parsed: Parsed, connection: number): void => {
    count += 1;
    const request: ReceivedRequest = {
      ...parsed,
      text: parsed.body.toString("utf8"),
      at: performance.now(),
      connection,
    };
    if (record) requests.push(request);
    act(socket, choose(request, count), timers);
    if (waiters.length > 0) {
      for (const waiter of waiters) if (waiter.n <= count) waiter.wake();
      waiters = waiters.filter((waiter) => waiter.n > count);
    }
  };

  const onConnection = (socket: Socket): void => {
    connections += 1;
    const connection = connections;
    let pending: Buffer = Buffer.alloc(0);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    // A client that goes away mid-answer is what many of these tests are about.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      // A TLS client hello at a plain port: what servers answer to it.
      if (pending[0] === 0x16) {
        socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        return;
      }
      for (;;) {
        const result = parseRequest(pending);
        if (result === null) return;
        pending = pending.subarray(result.consumed);
        onRequest(socket, result.request, connection);
        if (pending.length === 0) return;
      }
    });
  };

  const server: Server =
    options.tls === undefined ? createTcpServer(onConnection) : createTlsServer(options.tls, onConnection);
  // A handshake that the client breaks off is expected in the TLS tests.
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the receiver has no port");
  const hostInUrl = host.includes(":") ? `[${host}]` : host;

  const waitForCount = async (n: number, timeoutMs = 60_000): Promise<void> => {
    if (count >= n) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters = waiters.filter((waiter) => waiter !== mine);
        reject(new Error(`request ${n} did not arrive within ${timeoutMs} ms; ${count} did`));
      }, timeoutMs);
      const mine = {
        n,
        wake: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      waiters.push(mine);
    });
  };

  const close = async (): Promise<void> => {
    for (const timer of timers) clearTimeout(timer);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  return {
    url: `${options.tls === undefined ? "http" : "https"}://${hostInUrl}:${address.port}`,
    port: address.port,
    get requests() {
      return requests;
    },
    get count() {
      return count;
    },
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    behave(behaviour) {
      choose = chooser(behaviour);
    },
    waitForCount,
    async waitFor(n, timeoutMs) {
      await waitForCount(n, timeoutMs);
      const request = requests[n - 1];
      if (request === undefined) throw new Error(`request ${n} was not recorded`);
      return request;
    },
    clear() {
      requests = [];
      count = 0;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function chooser(behaviour: Behaviour | BehaviourChooser): BehaviourChooser {
  return typeof behaviour === "function" ? behaviour : () => behaviour;
}

function act(socket: Socket, behaviour: Behaviour, timers: Set<ReturnType<typeof setTimeout>>): void {
  const later = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!socket.destroyed) action();
    }, ms);
    timers.add(timer);
  };
  switch (behaviour.do) {
    case "answer": {
      const send = (): void => finish(socket, answerBytes(behaviour), behaviour.after);
      if (behaviour.delayMs > 0) later(behaviour.delayMs, send);
      else send();
      return;
    }
    case "raw":
      return finish(socket, behaviour.bytes, behaviour.after);
    case "hang":
      if (behaviour.where === "body") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart");
      return;
    case "drip": {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
      const drip = (): void => {
        socket.write("x");
        later(behaviour.everyMs, drip);
      };
      return drip();
    }
    case "endless": {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      const chunk = Buffer.from(`10000\r\n${"x".repeat(0x10000)}\r\n`);
      const pump = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on("drain", pump);
      return pump();
    }
  }
}

function finish(socket: Socket, bytes: string | Uint8Array, after: "keep" | "close" | "reset"): void {
  if (after === "keep") {
    if (bytes.length > 0) socket.write(bytes);
  } else if (after === "close") {
    socket.end(bytes);
  } else if (bytes.length === 0) {
    socket.resetAndDestroy();
  } else {
    socket.write(bytes, () => socket.resetAndDestroy());
  }
}

function answerBytes(behaviour: Extract<Behaviour, { do: "answer" }>): string | Uint8Array {
  const { status, headers, body } = behaviour;
  let head = `HTTP/1.1 ${status} Status\r\n`;
  let hasLength = false;
  for (const name in headers) {
    head += `${name}: ${headers[name]}\r\n`;
    const lower = name.toLowerCase();
    hasLength ||= lower === "content-length" || lower === "transfer-encoding";
  }
  if (!hasLength)
    head += `content-length: ${typeof body === "string" ? Buffer.byteLength(body) : body.length}\r\n`;
  head += "\r\n";
  return typeof body === "string" ? head + body : Buffer.concat([Buffer.from(head), body]);
}
