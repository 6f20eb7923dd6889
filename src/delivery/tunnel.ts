import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Destination } from "./destination.ts";
import type { Proxy } from "./proxy.ts";

/**
 * A TLS connection to the destination through a proxy's CONNECT tunnel (RFC 9110 §9.3.6), for one exchange.
 *
 * Rejects with code ERR_PROXY_TUNNEL when the proxy refuses, with the certificate's code when the
 * destination is not who it says, and at once when the signal aborts; no socket is left open then.
 *
 * @param address The proxy's address.
 * @param tls     The destination's TLS settings.
 */
export async function openTunnel(
  destination: Destination,
  proxy: Proxy,
  address: string,
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const plain = await connectThrough(destination, proxy, address, signal);
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      plain.destroy();
      reject(new DOMException("aborted", "AbortError"));
    };
    const socket = connectTls({ ...tls, socket: plain, host: destination.hostname }, () => {
      signal.removeEventListener("abort", abort);
      resolve(socket);
    });
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", (error) => {
      signal.removeEventListener("abort", abort);
      plain.destroy();
      reject(error);
    });
  });
}

/** The socket behind a CONNECT that the proxy has granted. */
function connectThrough(
  { hostname, port }: Destination,
  proxy: Proxy,
  address: string,
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const headers: Record<string, string> = { host: authority };
  if (proxy.authorization !== null) headers["proxy-authorization"] = proxy.authorization;
  const options: RequestOptions = {
    method: "CONNECT",
    host: address,
    port: proxy.port,
    path: authority,
    headers,
    agent: false,
    signal,
  };
  if (proxy.secure && !proxy.isAddress) options.servername = proxy.hostname;
  return new Promise((resolve, reject) => {
    const request = proxy.secure ? httpsRequest(options) : httpRequest(options);
    const answered = (response: IncomingMessage, socket: Socket): void => {
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode <= 299) return resolve(socket);
      socket.destroy();
      reject(Object.assign(new Error(`the proxy answered ${statusCode}`), { code: "ERR_PROXY_TUNNEL" }));
    };
    request.on("connect", answered);
    request.on("response", (response) => answered(response, response.socket));
    request.on("error", reject);
    request.end();
  });
}
