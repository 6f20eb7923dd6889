import { Buffer } from "node:buffer";
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import type { Destination } from "./destination.ts";
import { type Answer, type Exchange, type ExchangeRequest, maxAnswerBytes } from "./exchange.ts";
import type { Proxy } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";

/** As much as Bun's fetch takes. */
const maxHeaderBytes = 262_144;

/**
 * Exchanges over node:http and node:https, for Deno, whose fetch can neither set Host nor the TLS server
 * name, and for more TLS receivers than Bun's pool of 64 idle connections holds (runtime-facts §1).
 */
export function createNodeExchange(): Exchange {
  const agentOptions = { keepAlive: true, scheduling: "lifo", maxFreeSockets: 64 } as const;
  const http = new HttpAgent(agentOptions);
  const https = new HttpsAgent(agentOptions);
  /** A plain-HTTP request by absolute URL (RFC 9112 §3.2.2). */
  const requestThrough = (proxy: Proxy, destination: Destination, options: RequestOptions): ClientRequest => {
    const headers = { ...(options.headers as Record<string, string>) };
    if (proxy.authorization !== null) headers["proxy-authorization"] = proxy.authorization;
    const target = { ...options, headers, port: proxy.port, path: destination.urlFor(destination.hostname) };
    if (!proxy.secure) return httpRequest({ ...target, agent: http });
    const servername = proxy.isAddress ? {} : { servername: proxy.hostname };
    return httpsRequest({ ...target, ...servername, agent: https });
  };
  return {
    async post({ destination, address, proxy, headers, body, signal }: ExchangeRequest): Promise<Answer> {
      const options: RequestOptions = {
        method: "POST",
        host: address,
        port: destination.port,
        path: destination.path,
        headers: headerRecord([...headers, ...destination.headers], body),
        maxHeaderSize: maxHeaderBytes,
        signal,
      };
      const secureOptions = destination.secure ? nodeTls(destination) : {};
      if (proxy === null) {
        if (!destination.secure) return send(httpRequest({ ...options, agent: http }), body);
        return send(httpsRequest({ ...options, ...secureOptions, agent: https }), body);
      }
      if (!destination.secure) return send(requestThrough(proxy, destination, options), body);
      const socket = await openTunnel(destination, proxy, address, secureOptions, signal);
      try {
        // The socket is secure already: what is left is plain HTTP on it, once.
        return await send(httpRequest({ ...options, createConnection: () => socket }), body);
      } finally {
        socket.destroy();
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

function send(request: ClientRequest, body: ExchangeRequest["body"]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(answerOf(response));
    });
    request.on("response", (response) => {
      drain(response, () => resolve(answerOf(response)), reject);
    });
    request.end(body);
  });
}

interface NodeTls {
  servername?: string;
  ca?: string;
  cert?: string;
  key?: string;
  minVersion?: "TLSv1.2" | "TLSv1.3";
}

function nodeTls({ serverName, tls }: Destination): NodeTls {
  const options: NodeTls = {};
  if (serverName !== null) options.servername = serverName;
  if (tls === null) return options;
  if (tls.ca !== null) options.ca = tls.ca;
  if (tls.cert !== null) options.cert = tls.cert;
  if (tls.key !== null) options.key = tls.key;
  if (tls.minVersion !== null) options.minVersion = tls.minVersion;
  return options;
}

/**
 * Reads the answer to its end and drops it, at most maxAnswerBytes; the connection is closed after those.
 *
 * Calls back in the same step as the parser does, not a microtask later: bytes after the end of a 204
 * are a broken next answer, and their error must not overtake this one.
 */
function drain(response: IncomingMessage, done: () => void, fail: (error: Error) => void): void {
  const { statusCode } = response;
  if (statusCode === 204 || statusCode === 304) done();
  let read = 0;
  response.on("data", (chunk: Uint8Array) => {
    read += chunk.byteLength;
    if (read <= maxAnswerBytes) return;
    done();
    response.destroy();
  });
  response.on("end", done);
  response.on("error", fail);
  response.on("close", () => {
    if (!response.complete) fail(Object.assign(new Error("the answer broke off"), { code: "ECONNRESET" }));
  });
}

function answerOf(response: IncomingMessage): Answer {
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers["retry-after"] ?? null,
    location: response.headers.location ?? null,
  };
}

/** One record; a name given twice becomes a list. Content-length is set, or node would send chunks. */
function headerRecord(
  entries: ExchangeRequest["headers"],
  body: ExchangeRequest["body"],
): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of entries) {
    const before = record[name];
    record[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  record["content-length"] = String(typeof body === "string" ? Buffer.byteLength(body) : body.byteLength);
  return record;
}
