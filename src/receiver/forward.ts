import { Buffer } from "node:buffer";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { ReceivedRequest, ReceiverAnswer } from "./server.ts";

/** What a forwarded request was answered, and what went wrong when nothing was. */
export interface Forwarded extends ReceiverAnswer {
  /** Why the receiver beyond gave no answer; null when it gave one. */
  readonly fault: string | null;
}

/** Longer than webhooks.request_timeout_ms is by default: the sender's own end comes first. */
const timeoutMs = 30_000;
const longestAnswerBytes = 4 * 1024 * 1024;

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
 * Sends a request on: the method, the headers but those of the connection, and the body byte for byte.
 *
 * A target without a path takes the request's own path and query; one with a path is used as it stands. Never
 * rejects: no answer is 502, none in time 504.
 */
export function forward(
  target: URL,
  { method, path, rawHeaders, body }: ReceivedRequest,
): Promise<Forwarded> {
  const isBare = target.pathname === "/" && target.search === "";
  const request = target.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const outgoing = request({
      protocol: target.protocol,
      hostname: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port === "" ? (target.protocol === "https:" ? 443 : 80) : Number(target.port),
      method,
      path: isBare ? path : `${target.pathname}${target.search}`,
      headers: { ...passedOn(rawHeaders), host: target.host, "content-length": body?.length ?? 0 },
      agent: false,
    });
    const fail = (status: number, fault: string): void => {
      clearTimeout(timer);
      resolve({ status, fault });
      outgoing.destroy();
    };
    const timer = setTimeout(() => fail(504, `no answer within ${timeoutMs} ms`), timeoutMs);
    outgoing.on("error", (error) => fail(502, faultText(error)));
    outgoing.on("response", (incoming) => {
      readAnswer(incoming).then(
        (answer) => {
          clearTimeout(timer);
          resolve({ ...answer, fault: null });
        },
        (error: Error) => fail(502, faultText(error)),
      );
    });
    outgoing.end(body ?? undefined);
  });
}

async function readAnswer(incoming: IncomingMessage): Promise<ReceiverAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestAnswerBytes) throw new Error(`its answer is larger than ${longestAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  const headers = Object.entries(passedOn(incoming.rawHeaders)).flatMap(([name, values]) =>
    values.flatMap((value) => [name, value]),
  );
  return { status: incoming.statusCode ?? 502, headers, body: Buffer.concat(chunks) };
}

/** The headers that go on, several of one name kept. */
function passedOn(rawHeaders: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (!hopHeaders.has(name.toLowerCase())) (headers[name] ??= []).push(rawHeaders[at + 1]!);
  }
  return headers;
}

function faultText(error: Error): string {
  const { code } = error as { code?: string };
  return code === "ECONNREFUSED" ? "nothing listens there" : error.message || code || "it failed";
}
