import type { Destination } from "../destination.ts";
import type { Answer, Exchange, ExchangeRequest } from "../exchange.ts";
import type { Proxy } from "../proxy.ts";
import type { WholeAnswer } from "./answer-reader.ts";
import { type Connection, createConnection } from "./connection.ts";
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
 */
export function createHttp1Exchange(maxIdle = defaultMaxIdle): Exchange {
  const idle = createIdleConnections(maxIdle);
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
    return createConnection(socket);
  };

  return {
    async post(request): Promise<Answer> {
      const { destination, address, proxy, headers, body, cut } = request;
      const line = lineOf(destination, proxy);
      const key = address + line.sharing;
      const bytes = writePost(line.start, headers, body);
      const connection = idle.take(key) ?? (await connect(request));
      const answer: WholeAnswer = await connection.exchange(bytes, cut);
      if (connection.isOpen) {
        if (isClosed) connection.close();
        else idle.keep(key, connection, answer.idleSeconds);
      }
      return answer;
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
  return { proxy, start: startPost(target, headers), sharing: name };
}

function hostWithPort(hostname: string, port: number): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === 80 ? host : `${host}:${port}`;
}
