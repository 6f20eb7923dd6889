import { connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

/** A forward proxy on 127.0.0.1: CONNECT tunnels and absolute-form requests (RFC 9110 §9.3.6, RFC 9112 §3.2.2). */
export interface Proxy {
  readonly port: number;
  /** Request lines it got, in order, as `CONNECT a.test:443 HTTP/1.1`. */
  readonly lines: readonly string[];
  /** Complete heads, in order. */
  readonly heads: readonly string[];
  readonly connections: number;
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** What the proxy takes a name for; default 127.0.0.1. */
  readonly resolve?: (host: string) => string;
  /** `user:password` that must be given, else 407. */
  readonly credentials?: string;
  /** Answer instead of forwarding. */
  readonly refuse?: string;
  readonly tls?: TlsOptions;
  /** What a granted CONNECT is answered with. */
  readonly grant?: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
}

/** Starts one. Absolute-form requests are forwarded one per connection, as they stand. */
export async function startProxy(options: ProxyOptions = {}): Promise<Proxy> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const wanted =
    options.credentials === undefined
      ? null
      : `proxy-authorization: basic ${Buffer.from(options.credentials).toString("base64")}`.toLowerCase();

  const onHead = (socket: Socket, head: string, rest: Buffer): void => {
    heads.push(head);
    if (options.refuse !== undefined) return void socket.end(options.refuse);
    if (wanted !== null && !head.toLowerCase().includes(wanted)) {
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    }
    const [method = "", target = ""] = head.split(" ");
    const url = method === "CONNECT" ? new URL(`http://${target}`) : new URL(target);
    const name = url.hostname.replace(/^\[|\]$/g, "");
    const host = options.resolve?.(name) ?? "127.0.0.1";
    const upstream = connect(Number(url.port === "" ? 80 : url.port), host, () => {
      if (method === "CONNECT") {
        socket.write(options.grant ?? "HTTP/1.1 200 Connection established\r\n\r\n");
        if (rest.length > 0) upstream.write(rest);
      } else {
        upstream.write(Buffer.concat([Buffer.from(head, "latin1"), rest]));
      }
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    sockets.add(upstream);
    upstream.on("error", () => socket.destroy());
    // A reset does not pass through a pipe.
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => {
      sockets.delete(upstream);
      socket.end();
    });
  };

  const onConnection = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    let pending: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      pending = Buffer.concat([pending, chunk]);
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      onHead(socket, pending.toString("latin1", 0, end + 4), pending.subarray(end + 4));
    };
    socket.on("data", onData);
  };

  const server: Server =
    options.tls === undefined ? createTcpServer(onConnection) : createTlsServer(options.tls, onConnection);
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, options.host ?? "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    port: address.port,
    heads,
    get lines() {
      return heads.map((head) => head.slice(0, head.indexOf("\r\n")));
    },
    get connections() {
      return connections;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
