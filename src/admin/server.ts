import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { listen, type ListenWords } from "../listen.ts";
import type { AdminApp } from "./app.ts";
import { describeIncoming } from "./incoming.ts";
import { problemReply, type ProblemDeps } from "./problem.ts";
import type { Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { refuseUnreadable } from "./unreadable.ts";

/**
 * The listening socket of the admin API, on node:http under Bun and Deno alike.
 *
 * Bun.serve does not tell a request's HTTP version, and without it a default nginx in front of hookline
 * cannot be told from a local client (admin/auth.ts). node:http tells, and costs about a tenth of the
 * request rate on Bun 1.4.5 (51,000 against 59,000 small POSTs a second on two shared cores).
 */
export interface AdminServer {
  /** As in `http://127.0.0.1:9640`. */
  readonly url: string;
  /** The real port, also where 0 was asked for. */
  readonly port: number;
  /**
   * Refuses new connections at once, lets answers under way finish, and cuts what is left after
   * `deadlineMs`: a peer that never finishes its request must not hold the shutdown.
   */
  stop(deadlineMs: number): Promise<void>;
}

export interface AdminServerOptions extends ProblemDeps {
  readonly app: AdminApp;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

const words: ListenWords = {
  host: "server.host",
  setHost: "set server.host (HOOKLINE_HOST)",
  port: "server.port",
  setPort: "set server.port (HOOKLINE_PORT)",
};
/** How long an idle kept-alive connection stays; above the 60 s at which common load balancers let go. */
const keepAliveTimeoutMs = 65_000;
/** What a chunk of a refused body counts at least: many small ones cost as much as few large ones. */
const leastChunkBytes = 1_024;
/** A refused body is read to this size, so that its sender sees the answer and not a reset. */
const discardLimitBytes = 16 * 1024 * 1024;

/**
 * Listens, or throws a HooklineError (`port_in_use`, `port_denied`, `host_unavailable`) that names the
 * setting to change.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const phase = { stopping: false };
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: keepAliveTimeoutMs,
      // Refused below, with a body that says so.
      requireHostHeader: false,
    },
    (message, response) => void serve(options, phase, message, response),
  );
  server.on("clientError", (error, socket) => refuseUnreadable(error, socket as Socket));
  // Without a listener node:http closes the connection without a word.
  server.on("connect", (_message, socket) => refuseUnreadable(new Error("CONNECT"), socket as Socket));
  const port = await listen(server, options, words);
  const name = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${name}:${port}`,
    port,
    stop(deadlineMs) {
      phase.stopping = true;
      return stop(server, deadlineMs);
    },
  };
}

async function serve(
  options: AdminServerOptions,
  phase: { readonly stopping: boolean },
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const refusal = refusalOf(message);
    const reply =
      refusal === null ? await options.app.answer(describeIncoming(message)) : problemReply(options, refusal);
    write(message, response, reply, phase.stopping);
  } catch (error) {
    options.log.error("an admin answer could not be written", { error });
    response.destroy();
  }
}

/** Why a request is not for the routes at all; null when it is. */
function refusalOf({ headers, httpVersion, url = "" }: IncomingMessage): RequestError | null {
  const close = { connection: "close" };
  // RFC 9112 §3.2: a request of HTTP/1.1 without Host is answered 400.
  if (headers.host === undefined && httpVersion === "1.1") {
    return new RequestError("bad_http", "the Host header is missing", close);
  }
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && coding.toLowerCase() !== "chunked") {
    return new RequestError("bad_http", "Transfer-Encoding: no other than chunked is read", close);
  }
  // The absolute form is for proxies, and would put another authority beside the Host header.
  if (!url.startsWith("/")) {
    return new RequestError("bad_request_target", "the request target must begin with /");
  }
  return null;
}

function write(
  message: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply,
  isLast: boolean,
): void {
  const unread = !message.complete && hasBody(message);
  response.writeHead(status, {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    ...headers,
    ...(body === null ? {} : { "content-length": Buffer.byteLength(body) }),
    ...(unread || isLast ? { connection: "close" } : {}),
  });
  response.end(body ?? undefined);
  if (unread) discard(message);
}

function hasBody(message: IncomingMessage): boolean {
  const length = message.headers["content-length"];
  return message.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/** Reads a refused body away, up to a limit, then cuts the connection. */
function discard(message: IncomingMessage): void {
  let left = discardLimitBytes;
  message.on("data", (chunk: Buffer) => {
    left -= Math.max(chunk.length, leastChunkBytes);
    if (left < 0) message.destroy();
  });
  message.on("error", () => message.destroy());
  message.resume();
}

function stop(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
