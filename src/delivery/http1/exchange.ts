import type { Destination } from "../destination.ts";
import type { Cut } from "../cut.ts";
import type { Answer, AnswerTaker, Exchange, ExchangeRequest } from "../exchange.ts";
import type { Proxy } from "../proxy.ts";
import type { WholeAnswer } from "./answer-reader.ts";
import { type AnswerWaiter, type Connection, createConnection } from "./connection.ts";
import { destinationTls, dial, proxyTls } from "./dial.ts";
import { createIdleConnections } from "./idle.ts";
import { startPost, writePost } from "./request.ts";
import { openTunnel } from "./tunnel.ts";

/** What an exchange with one destination, through one proxy or none, needs every time. */
interface Line {
  readonly proxy: Proxy | null;
  /** What a request begins with: its line, and what this way needs besides the delivery's own headers. */
  readonly start: string;
  /** What connections may be shared by, but for the address. */
  readonly sharing: string;
  /** The address that was used last, and the key of the connections to it. */
  address: string;
  key: string;
}

/** A connection with its place among the idle ones: one object for all exchanges that go over it. */
class Channel implements AnswerWaiter {
  readonly key: string;
  readonly #connection: Connection;
  readonly #keep: (channel: Channel, idleSeconds: number | null) => void;
  #taker: AnswerTaker | null = null;

  constructor(
    connection: Connection,
    key: string,
    keep: (channel: Channel, idleSeconds: number | null) => void,
  ) {
    this.#connection = connection;
    this.key = key;
    this.#keep = keep;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }
  close(): void {
    this.#connection.close();
  }
  send(bytes: string | Uint8Array, cut: Cut, taker: AnswerTaker): void {
    this.#taker = taker;
    this.#connection.send(bytes, cut, this);
  }

  answered(answer: WholeAnswer): void {
    const taker = this.#taker;
    this.#taker = null;
    // First: the taker may begin the next exchange at once.
    this.#keep(this, answer.idleSeconds);
    taker?.answered(answer);
  }
  failed(error: Error): void {
    const taker = this.#taker;
    this.#taker = null;
    taker?.failed(error);
  }
}

/** What webhooks.max_in_flight has as default. */
const defaultMaxIdle = 1024;

/**
 * Exchanges over HTTP/1.1 connections of our own: half the CPU of Bun's fetch, as many connections kept as
 * are in use (fetch keeps 64 a process, and has 256 in flight at most), the same on Bun and Deno.
 *
 * Connections are shared by what leads to the same address, port, server name, TLS settings and proxy.
 *
 * @param maxIdle Most connections that are kept open while nothing is in flight on them.
 * @param keptBytes How much is kept of the beginning of an answer's body; 0 = nothing.
 */
export function createHttp1Exchange(
  maxIdle: () => number = () => defaultMaxIdle,
  keptBytes: () => number = () => 0,
): Exchange {
  const idle = createIdleConnections<Channel>(maxIdle);
  const lines = new WeakMap<Destination, Line>();
  /** Long texts (certificates) of `sharing`, each under a short one. */
  const names = new Map<string, string>();
  let isClosed = false;

  const lineOf = (destination: Destination, proxy: Proxy | null): Line => {
    let line = lines.get(destination);
    if (line?.proxy !== proxy) lines.set(destination, (line = createLine(destination, proxy, names)));
    return line;
  };

  const connect = async (request: ExchangeRequest): Promise<Connection> => {
    const { destination, address, proxy, cut } = request;
    let socket;
    if (proxy === null) {
      const tls = destination.secure ? destinationTls(destination) : null;
      socket = await dial({ address, port: destination.port, tls }, cut);
    } else if (destination.secure) socket = await openTunnel(destination, proxy, address, cut);
    else socket = await dial({ address, port: proxy.port, tls: proxyTls(proxy) }, cut);
    return createConnection(socket, keptBytes);
  };

  /** Where connections to this address by this line wait. */
  const keyOf = (line: Line, address: string): string => {
    if (line.address !== address) {
      line.address = address;
      line.key = address + line.sharing;
    }
    return line.key;
  };
  const keep = (channel: Channel, seconds: number | null): void => {
    if (!channel.isOpen) return;
    if (isClosed) channel.close();
    else idle.keep(channel.key, channel, seconds);
  };

  return {
    postNow(request, taker) {
      const line = lineOf(request.destination, request.proxy);
      let bytes: string | Uint8Array;
      try {
        bytes = writePost(line.start, request.headers, request.body);
      } catch (error) {
        taker.failed(error as Error);
        return true;
      }
      const channel = idle.take(keyOf(line, request.address));
      channel?.send(bytes, request.cut, taker);
      return channel !== null;
    },
    async post(request) {
      const line = lineOf(request.destination, request.proxy);
      const bytes = writePost(line.start, request.headers, request.body);
      const key = keyOf(line, request.address);
      const channel = idle.take(key) ?? new Channel(await connect(request), key, keep);
      return new Promise<Answer>((answered, failed) => {
        channel.send(bytes, request.cut, { answered, failed });
      });
    },
    close() {
      isClosed = true;
      idle.close();
    },
  };
}

function createLine(destination: Destination, proxy: Proxy | null, names: Map<string, string>): Line {
  const { secure, hostname, port, path, serverName, tls } = destination;
  const sharing = JSON.stringify([
    secure,
    port,
    serverName,
    tls,
    proxy,
    proxy !== null && secure && hostname,
  ]);
  let name = names.get(sharing);
  if (name === undefined) names.set(sharing, (name = `#${names.size}`));
  const isForwarded = proxy !== null && !secure;
  const headers = [...destination.headers];
  if (isForwarded && proxy.authorization !== null) headers.push(["proxy-authorization", proxy.authorization]);
  const target = isForwarded ? `http://${hostWithPort(hostname, port)}${path}` : path;
  return { proxy, start: startPost(target, headers), sharing: name, address: "", key: "" };
}

function hostWithPort(hostname: string, port: number): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === 80 ? host : `${host}:${port}`;
}
