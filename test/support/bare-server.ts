import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

/** A server on bare sockets, for peers that break the protocol at a chosen byte. */
export interface BareServer extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  readonly openConnections: number;
  /** All bytes of the n-th connection (from 1) so far, one character a byte. */
  received(n: number): string;
  close(): Promise<void>;
}

export interface BareServerOptions {
  /** Called for each connection, `n` from 1. */
  readonly onOpen?: (socket: Socket, n: number) => void;
  /** Called with each part that arrives, and all that the connection has sent so far. */
  readonly onData?: (socket: Socket, soFar: string, n: number) => void;
  readonly tls?: TlsOptions;
  /** Default 127.0.0.1. */
  readonly host?: string;
}

/** Starts one on a free port; it says nothing by itself. */
export async function startBareServer(options: BareServerOptions = {}): Promise<BareServer> {
  const sockets = new Set<Socket>();
  const texts: string[] = [];
  let connections = 0;
  const accept = (socket: Socket): void => {
    const n = ++connections;
    texts[n] = "";
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (part: Uint8Array) => {
      texts[n] += Buffer.from(part).toString("latin1");
      options.onData?.(socket, texts[n] ?? "", n);
    });
    options.onOpen?.(socket, n);
  };
  const server: Server =
    options.tls === undefined ? createTcpServer(accept) : createTlsServer(options.tls, accept);
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, options.host ?? "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    port: address.port,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    received: (n) => texts[n] ?? "",
    close,
    [Symbol.asyncDispose]: close,
  };
}
