import type { Socket } from "node:net";
import { type Cut, cutOff } from "../cut.ts";
import type { Destination } from "../destination.ts";
import type { Proxy } from "../proxy.ts";
import { destinationTls, dial, proxyTls, secure } from "./dial.ts";
import { createHeadReader } from "./head-reader.ts";

/**
 * A TLS connection to the destination through a proxy's CONNECT tunnel (RFC 9110 §9.3.6).
 *
 * Rejects with code ERR_PROXY_TUNNEL when the proxy refuses, its status behind it where it gave one
 * (ERR_PROXY_TUNNEL_407), with the certificate's code when the
 * destination is not who it says, and at once when the attempt is cut off; no socket is left open then.
 *
 * @param address The proxy's address.
 */
export async function openTunnel(
  destination: Destination,
  proxy: Proxy,
  address: string,
  cut: Cut,
): Promise<Socket> {
  const { hostname, port } = destination;
  const socket = await dial({ address, port: proxy.port, tls: proxyTls(proxy) }, cut);
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const credentials = proxy.authorization === null ? "" : `proxy-authorization: ${proxy.authorization}\r\n`;
  try {
    await askForTunnel(
      socket,
      `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`,
      cut,
    );
    return await secure(socket, { ...destinationTls(destination), host: hostname }, cut);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Resolves when the proxy has granted the tunnel; nobody listens to the socket's data then. */
function askForTunnel(socket: Socket, request: string, cut: Cut): Promise<void> {
  return new Promise((resolve, reject) => {
    const heads = createHeadReader();
    const done = (): void => {
      cut.whenCut(null);
      for (const event of ["end", "close"]) socket.off(event, closed);
      socket.off("data", take);
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    const refuse = (what: string, status?: number): void => {
      const code = status === undefined ? "ERR_PROXY_TUNNEL" : `ERR_PROXY_TUNNEL_${status}`;
      fail(Object.assign(new Error(`the proxy ${what}`), { code }));
    };
    const abort = (): void => fail(cutOff());
    const closed = (): void => refuse("closed the connection");
    const take = (part: Uint8Array): void => {
      let end: number;
      try {
        end = heads.take(part);
      } catch {
        return refuse("does not speak HTTP/1.1");
      }
      const { head } = heads;
      if (head === null) return;
      // Whatever body a 2xx announces, there is none (RFC 9110 §9.3.6).
      if (head.status < 200 || head.status > 299) return refuse(`answered ${head.status}`, head.status);
      // TLS begins with our own greeting: nobody else may have spoken.
      if (end < part.length) return refuse("sent more than its answer");
      done();
      resolve();
    };
    socket.on("data", take);
    for (const event of ["end", "close"]) socket.on(event, closed);
    if (cut.isCut) return abort();
    cut.whenCut(abort);
    socket.write(request);
  });
}
