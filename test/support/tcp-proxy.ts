import type { Buffer } from "node:buffer";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** What to do with bytes on their way; `cut` ends the connection, both ways, at once; `half` after half of them. */
export type ProxyVerdict = "pass" | "cut" | "half";

/** A TCP proxy between a driver and its server, to cut connections at a chosen byte. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Asked for each chunk from the client before it is passed on; the default passes all. */
  onRequest: (chunk: Buffer) => ProxyVerdict;
  /** Asked for each chunk from the server. */
  onReply: (chunk: Buffer) => ProxyVerdict;
  /** How long what passes takes, each way. */
  delayMs: number;
  /** Connections taken so far. */
  readonly connections: number;
  close(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1 to the port given. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(target, "127.0.0.1");
    const pair = [client, upstream];
    const cut = (): void => {
      for (const socket of pair) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    const pass = (from: Socket, to: Socket, ask: (chunk: Buffer) => ProxyVerdict): void => {
      from.on("data", (chunk: Buffer) => {
        const verdict = ask(chunk);
        if (verdict === "pass" && proxy.delayMs > 0) setTimeout(() => to.write(chunk), proxy.delayMs);
        else if (verdict === "pass") to.write(chunk);
        else if (verdict === "half") to.write(chunk.subarray(0, Math.floor(chunk.length / 2)), cut);
        else cut();
      });
    };
    pass(client, upstream, (chunk) => proxy.onRequest(chunk));
    pass(upstream, client, (chunk) => proxy.onReply(chunk));
    for (const socket of pair) {
      sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", cut);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    onRequest: () => "pass",
    onReply: () => "pass",
    delayMs: 0,
    get connections() {
      return connections;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return proxy;
}
