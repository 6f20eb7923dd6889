import { Buffer } from "node:buffer";
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import type { Destination } from "./destination.ts";
import { type Answer, type Exchange, type ExchangeRequest, maxAnswerBytes } from "./exchange.ts";

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
  return {
    post({ destination, address, headers, body, signal }: ExchangeRequest): Promise<Answer> {
      const options: RequestOptions = {
        method: "POST",
        host: address,
        port: destination.port,
        path: destination.path,
        headers: headerRecord([...headers, ...destination.headers], body),
        agent: destination.secure ? https : http,
        maxHeaderSize: maxHeaderBytes,
        signal,
      };
      if (destination.secure) Object.assign(options, nodeTls(destination));
      return new Promise((resolve, reject) => {
        const request = (destination.secure ? httpsRequest : httpRequest)(options);
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
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

function nodeTls({ serverName, tls }: Destination): RequestOptions {
  const options: RequestOptions = {};
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
