import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { type Cut, cutOff } from "../cut.ts";
import type { Destination } from "../destination.ts";
import type { Proxy } from "../proxy.ts";
import { maxHeadBytes, readAnswerHead } from "./answer-head.ts";
import { destinationTls, dial, proxyTls, secure } from "./dial.ts";

/**
 * A TLS connection to the destination through a proxy's CONNECT tunnel (RFC 9110 §9.3.6).
 *
 * Rejects with code ERR_PROXY_TUNNEL when the proxy refuses, with the certificate's code when the
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

/** Resolves when the proxy has granted the tunnel; the socket is without listeners then. */
function askForTunnel(socket: Socket, request: string, cut: Cut): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const done = (): void => {
      cut.whenCut(null);
      for (const event of ["end", "close"]) socket.off(event, closed);
      socket.off("error", fail);
      socket.off("data", take);
    };
    const fail = (error: Error): void => {
      done();
      socket.on("error", () => undefined);
      reject(error);
    };
    const refuse = (what: string): void =>
      fail(Object.assign(new Error(`the proxy ${what}`), { code: "ERR_PROXY_TUNNEL" }));
    const abort = (): void => fail(cutOff());
    const closed = (): void => refuse("closed the connection");
    const take = (part: Uint8Array): void => {
      answer += Buffer.from(part).toString("latin1");
      const end = /\r?\n\r?\n/.exec(answer);
      if (end === null) {
        if (answer.length > maxHeadBytes) refuse("sends endless headers");
        return;
      }
      let status: number;
      try {
        ({ status } = readAnswerHead(answer));
      } catch {
        return refuse("does not speak HTTP/1.1");
      }
      if (status < 200 || status > 299) return refuse(`answered ${status}`);
      // TLS begins with our own greeting: nobody else may have spoken.
      if (answer.length > end.index + end[0].length) return refuse("sent more than its answer");
      done();
      resolve();
    };
    socket.on("data", take);
    socket.on("error", fail);
    for (const event of ["end", "close"]) socket.on(event, closed);
    if (cut.isCut) return abort();
    cut.whenCut(abort);
    socket.write(request);
  });
}
