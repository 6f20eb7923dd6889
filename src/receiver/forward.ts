import { Buffer } from "node:buffer";
import { connect as connectPlain, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { createAnswerGatherer, type WholeAnswer } from "./forward-answer.ts";
import type { ReceivedRequest, ReceiverAnswer } from "./server.ts";

/** What a forwarded request was answered, and what went wrong when nothing was. */
export interface Forwarded extends ReceiverAnswer {
  /** Why the receiver beyond gave no answer; null when it gave one. */
  readonly fault: string | null;
}

/** Longer than webhooks.request_timeout_ms is by default: the sender's own end comes first. */
const timeoutMs = 30_000;

/** Headers that belong to one connection (RFC 9110 §7.6.1), and those that the new one has of its own. */
const hopHeaders = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Sends a request on over a connection of its own: the method, the headers but those of the connection, and the body,
 * byte for byte.
 *
 * Written onto the socket, because Bun's node:http adds headers (accept, accept-encoding). A target without a path
 * takes the request's own path and query; one with a path is used as it stands. Never rejects: no answer is 502, none
 * in time 504.
 */
export function forward(target: URL, request: ReceivedRequest): Promise<Forwarded> {
  return new Promise((resolve) => {
    const socket = connectTo(target);
    const gatherer = createAnswerGatherer(request.method !== "HEAD");
    const end = (answer: Forwarded): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const succeed = (answer: WholeAnswer | null): void => {
      if (answer !== null) end({ ...answer, headers: passedOn(answer.headers), fault: null });
    };
    const fail = (error: Error): void => end({ status: 502, fault: faultText(error) });
    const timer = setTimeout(
      () => end({ status: 504, fault: `no answer within ${timeoutMs} ms` }),
      timeoutMs,
    );
    socket.on("error", fail);
    socket.on("data", (part: Buffer) => {
      try {
        succeed(gatherer.take(part));
      } catch (error) {
        fail(error as Error);
      }
    });
    socket.on("end", () => succeed(gatherer.end()));
    socket.on("close", () => fail(new Error("it closed the connection before it had answered")));
    socket.write(
      Buffer.concat([Buffer.from(headOf(target, request), "latin1"), request.body ?? Buffer.alloc(0)]),
    );
  });
}

function connectTo(target: URL): ReturnType<typeof connectPlain> {
  const host = target.hostname.replace(/^\[|\]$/g, "");
  if (target.protocol === "http:") return connectPlain({ host, port: Number(target.port || 80) });
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port: Number(target.port || 443), ...servername });
}

function headOf(target: URL, { method, path, rawHeaders, body }: ReceivedRequest): string {
  const isBare = target.pathname === "/" && target.search === "";
  const own = ["Host", target.host, "Connection", "close", "Content-Length", String(body?.length ?? 0)];
  const headers = [...passedOn(rawHeaders), ...own];
  let head = `${method} ${isBare ? path : `${target.pathname}${target.search}`} HTTP/1.1\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n`;
}

/** The headers that go on, in their order, several of one name kept. */
function passedOn(headers: readonly string[]): string[] {
  const passed: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (!hopHeaders.has(headers[at]!.toLowerCase())) passed.push(headers[at]!, headers[at + 1]!);
  }
  return passed;
}

function faultText(error: Error): string {
  const { code } = error as { code?: string };
  return code === "ECONNREFUSED" ? "nothing listens there" : error.message || code || "it failed";
}
