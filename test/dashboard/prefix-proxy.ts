import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

/** A reverse proxy that shows a server's `/` under a prefix, on a port of its own. */
export interface PrefixProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/deep/hooks/`. */
  readonly url: string;
}

/** The browser sees by itself that a connection ended. */
const ignore = (): void => undefined;
const prefix = "/deep/hooks/";

/** Does what nginx does with `proxy_pass http://…/` alone: cuts the prefix, and sends the target's Host with no other header. */
export async function startPrefixProxy(target: string): Promise<PrefixProxy> {
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    if (incoming.url?.startsWith(prefix) !== true) {
      outgoing.writeHead(404).end();
      return;
    }
    const headers = { ...incoming.headers, host: `${hostname}:${port}`, connection: "close" };
    const onward = request(
      { hostname, port, method: incoming.method, path: incoming.url.slice(prefix.length - 1), headers },
      (answer) =>
        void pipeline(answer, outgoing.writeHead(answer.statusCode ?? 502, answer.headers)).catch(ignore),
    );
    onward.on("error", () => void outgoing.writeHead(502).end());
    pipeline(incoming, onward).catch(ignore);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
