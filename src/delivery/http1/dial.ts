import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { type Cut, cutOff } from "../cut.ts";
import type { Destination } from "../destination.ts";
import { withoutEndDots } from "../host-name.ts";
import type { Proxy } from "../proxy.ts";

/** Where a connection leads: one address, and whom TLS expects there. */
export interface Dialled {
  /** IPv4 or IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  /** Null = no TLS. */
  readonly tls: ConnectionOptions | null;
}

/**
 * Connects, with TLS up and its certificate checked when this resolves.
 *
 * Rejects with the runtime's own error, on which `isSent` is false (classify.ts), and at once when the attempt is
 * cut off; no socket is left open then.
 */
export function dial({ address, port, tls }: Dialled, cut: Cut): Promise<Socket> {
  const socket =
    tls === null
      ? connectPlain({ host: address, port, noDelay: true })
      : connectTls({ ...tls, host: address, port });
  return whenConnected(socket, tls === null ? "connect" : "secureConnect", cut);
}

/** TLS over a socket that is open already: the far end of a tunnel. */
export function secure(socket: Socket, tls: ConnectionOptions, cut: Cut): Promise<Socket> {
  return whenConnected(connectTls({ ...tls, socket }), "secureConnect", cut);
}

function whenConnected(socket: Socket, event: string, cut: Cut): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      cut.whenCut(null);
      socket.off("error", fail);
      socket.off("close", closed);
    };
    const fail = (error: Error): void => {
      done();
      socket.destroy();
      reject(Object.assign(error, { isSent: false }));
    };
    const abort = (): void => fail(cutOff());
    // Unheard, an error would end the process: one may come after the socket's end, or between two listeners.
    socket.on("error", () => undefined);
    const closed = (): void =>
      fail(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
    socket.once(event, () => {
      // Its end is told by another event.
      if (socket.destroyed) return;
      done();
      if ("setNoDelay" in socket) socket.setNoDelay(true);
      resolve(socket);
    });
    socket.on("error", fail);
    socket.on("close", closed);
    if (cut.isCut) abort();
    else cut.whenCut(abort);
  });
}

/** Said, or NODE_TLS_REJECT_UNAUTHORIZED of the environment would switch the check off. */
const common: ConnectionOptions = { ALPNProtocols: ["http/1.1"], rejectUnauthorized: true };

/** What TLS needs for a destination, its address left open. */
export function destinationTls({ serverName, tls }: Destination): ConnectionOptions {
  const options: ConnectionOptions = { ...common };
  if (serverName !== null) options.servername = serverName;
  if (tls === null) return options;
  if (tls.ca !== null) options.ca = tls.ca;
  if (tls.cert !== null) options.cert = tls.cert;
  if (tls.key !== null) options.key = tls.key;
  if (tls.minVersion !== null) options.minVersion = tls.minVersion;
  return options;
}

/** What TLS needs for a proxy that is itself spoken to over it; null for a plain one. */
export function proxyTls({ secure: isSecure, isAddress, hostname }: Proxy): ConnectionOptions | null {
  if (!isSecure) return null;
  return { ...common, ...(isAddress ? {} : { servername: withoutEndDots(hostname) }) };
}
