import { Buffer } from "node:buffer";
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
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
      if (destination.serverName !== null) options.servername = destination.serverName;
      return new Promise((resolve, reject) => {
        const request = (destination.secure ? httpsRequest : httpRequest)(options);
        request.on("error", reject);
        request.on("upgrade", (response, socket) => {
          socket.destroy();
          resolve(answerOf(response));
        });
        request.on("response", (response) => {
          drain(response).then(() => resolve(answerOf(response)), reject);
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

/** Reads the answer to its end and drops it, at most maxAnswerBytes; the connection is closed after those. */
function drain(response: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    let read = 0;
    response.on("data", (chunk: Uint8Array) => {
      read += chunk.byteLength;
      if (read <= maxAnswerBytes) return;
      resolve();
      response.destroy();
    });
    response.on("end", resolve);
    response.on("error", reject);
    response.on("close", () => {
      if (!response.complete)
        reject(Object.assign(new Error("the answer broke off"), { code: "ECONNRESET" }));
    });
    // These have no body; bytes that follow nevertheless are a broken next answer, not this one's.
    if (response.statusCode === 204 || response.statusCode === 304) resolve();
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
