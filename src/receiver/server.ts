import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen, type ListenAddress, type ListenWords } from "../listen.ts";
import type { ReceivedHeaders } from "./verdict.ts";

/** A request as it came, the body byte for byte. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: ReceivedHeaders;
  /** Names and values in turns, as they were written. */
  readonly rawHeaders: readonly string[];
  /** Null when it is larger than a receiver takes; it must be answered all the same. */
  readonly body: Buffer | null;
}

export interface ReceiverAnswer {
  readonly status: number;
  /** Names and values in turns. */
  readonly headers?: readonly string[];
  readonly body?: Buffer;
}

export interface Receiver {
  readonly url: string;
  /** Ends at once: what is not answered yet is cut. */
  close(): Promise<void>;
}

export interface ReceiverOptions extends ListenAddress {
  readonly words: ListenWords;
  /** Told of an exchange that failed here: its connection is cut, the next ones are served. */
  readonly onFault: (error: Error) => void;
  /** Says what a request is answered. */
  readonly answer: (request: ReceivedRequest) => Promise<ReceiverAnswer> | ReceiverAnswer;
}

/** Largest body that is taken: four times what the API takes, for jobs that came straight into the backend. */
export const longestBodyBytes = 4 * 1024 * 1024;
/** A body that is too large is read to this size, so that its sender sees the answer and not a reset. */
const discardLimitBytes = 16 * 1024 * 1024;

/** A receiver of webhooks on this machine. Rejects with a sentence when it cannot listen (listen.ts). */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const server = createServer((message, response) => {
    receive(options, message, response).catch((error: Error) => {
      response.destroy();
      options.onFault(error);
    });
  });
  const port = await listen(server, options, options.words);
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function receive(
  { answer }: ReceiverOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body: Buffer | null;
  try {
    body = await readBody(message);
  } catch {
    // The sender has gone before its body had come: there is nobody to answer.
    return;
  }
  const {
    status,
    headers = [],
    body: answered,
  } = await answer({
    method: message.method ?? "",
    path: message.url ?? "/",
    headers: headersOf(message.rawHeaders),
    rawHeaders: message.rawHeaders,
    body,
  });
  for (let at = 0; at < headers.length; at += 2) response.appendHeader(headers[at]!, headers[at + 1]!);
  if (body === null) response.setHeader("connection", "close");
  response.writeHead(status);
  response.end(answered);
}

/** The whole body; null, once as much as may be has been read away, for one that is too large. */
function readBody(message: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    message.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= longestBodyBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > discardLimitBytes) message.destroy();
    });
    message.on("end", () => resolve(bytes > longestBodyBytes ? null : Buffer.concat(chunks)));
    message.on("error", reject);
    message.on("close", () => reject(new Error("the connection was cut")));
  });
}

function headersOf(rawHeaders: readonly string[]): ReceivedHeaders {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [rawHeaders[at + 1]!]);
    else values.push(rawHeaders[at + 1]!);
  }
  return headers;
}
