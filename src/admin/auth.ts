import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { Incoming, RequestHeaders } from "./incoming.ts";
import { RequestError } from "./request-error.ts";

/**
 * Who may use a route.
 * - `open`: anyone (health, metrics, public keys).
 * - `operator`: the token's holder; without a configured token, a direct local client.
 * - `token`: the token's holder only, because the route destroys or injects faults.
 */
export type Access = "open" | "operator" | "token";

/** Who sent a request, and how. */
type Peer = Pick<Incoming, "address" | "localPort" | "httpVersion">;

export interface AuthSettings {
  readonly host: string;
  readonly token: string | null;
}

/**
 * A check that returns for a request that may go on, and throws a RequestError for one that may not.
 *
 * A valid token is all that is asked for: a browser adds no bearer token by itself. Any other request must not come
 * from another site's page.
 *
 * Without a token the rules of contract §4 must tell a local client from a proxy on the same machine: a
 * proxy's peer address is loopback too. What gives it away is the Host it was asked for, the headers it
 * adds, and for a default nginx (`proxy_pass` alone rewrites Host and adds no header) HTTP/1.0.
 */
export function createAuthorizer(
  settings: AuthSettings,
): (access: Access, headers: RequestHeaders, incoming: Peer) => void {
  const { host, token } = settings;
  const isLocal = isLoopback(host);
  const expected = token === null ? null : digest(Buffer.from(token, "utf8"));
  return (access, headers, incoming) => {
    if (expected !== null && bearerMatches(headers.get("authorization") ?? "", expected)) return;
    requireOwnSite(access, headers);
    if (access === "open") return;
    if (expected !== null) {
      throw unauthorized("send the configured server.token as `Authorization: Bearer …`");
    }
    if (access === "token") {
      throw new RequestError(
        "token_not_configured",
        "this needs a token always: set server.token (HOOKLINE_TOKEN) and send it as a bearer token",
      );
    }
    const objection = isLocal
      ? objectionToTokenless(host, headers, incoming)
      : "hookline listens beyond this machine and no token is configured";
    if (objection !== null) {
      throw unauthorized(`${objection}; set server.token (HOOKLINE_TOKEN) to use /v1 from here`);
    }
  };
}

/** What an operator must know at start when no token is configured; null when one is. */
export function accessWarning({ host, token }: AuthSettings): string | null {
  if (token !== null) return null;
  return isLoopback(host)
    ? "server.token is not set: every local user, and every local proxy that passes for one, is the operator of /v1"
    : "server.token is not set and server.host is not loopback: /v1 answers 401 to everybody";
}

/** Whether a host name or address (IPv4-mapped IPv6 included) is this machine's loopback. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  if (name === "localhost" || name === "::1") return true;
  return /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/**
 * Refuses what another site's page made a browser send. `none` is what somebody types or opens from a bookmark.
 * Health and metrics may be linked to.
 */
function requireOwnSite(access: Access, headers: RequestHeaders): void {
  const origin = headers.get("origin") ?? null;
  const site = headers.get("sec-fetch-site") ?? null;
  const isForeign = origin !== null && !isOwnOrigin(origin, headers.get("host") ?? "");
  const isLed = access !== "open" && site !== null && site !== "same-origin" && site !== "none";
  if (!isForeign && !isLed) return;
  const name = isForeign ? "Origin" : "Sec-Fetch-Site";
  throw new RequestError(
    "foreign_origin",
    `the ${name} header says that another site's page sent this; hookline answers no cross-origin request`,
  );
}

/** What a proxy adds. */
const proxyHeader = /^(?:forwarded|via|x-real-ip|x-forwarded.*|cf-.*)$/;

/** Why a request without a configured token is no direct local one, where hookline listens on loopback; null when it is. */
function objectionToTokenless(host: string, headers: RequestHeaders, incoming: Peer): string | null {
  if (!isLoopback(incoming.address)) return "the request does not come from this machine";
  if (incoming.httpVersion !== "1.1") return `HTTP/${incoming.httpVersion} is what a proxy speaks`;
  const given = headers.get("host") ?? "";
  if (!isOwnHost(given, host, incoming.localPort)) {
    return "the Host header is not hookline's own address and port";
  }
  const origin = headers.get("origin") ?? null;
  if (origin !== null && origin !== `http://${given}`) {
    return "the Origin header is not http:// and hookline's own address and port";
  }
  for (const name of headers.keys()) {
    if (proxyHeader.test(name)) return `the header ${name} means a proxy`;
  }
  return null;
}

/** Exactly `host:port` or `localhost:port`; the port may be left out where it is HTTP's own. */
function isOwnHost(given: string, host: string, port: number): boolean {
  const own = (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host).toLowerCase();
  const lower = given.toLowerCase();
  if (lower === `${own}:${port}` || lower === `localhost:${port}`) return true;
  return port === 80 && (lower === own || lower === "localhost");
}

function isOwnOrigin(origin: string, host: string): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match !== null && match[1]?.toLowerCase() === host.toLowerCase();
}

/** Hashing both sides makes lengths equal, so that the comparison tells nothing of the token. */
function bearerMatches(authorization: string, expected: Uint8Array): boolean {
  const scheme = /^bearer +/i.exec(authorization)?.[0];
  const given = scheme === undefined ? "" : authorization.slice(scheme.length);
  // A header's characters are its bytes: latin1 gives back what the client sent, UTF-8 or not.
  return given !== "" && timingSafeEqual(digest(Buffer.from(given, "latin1")), expected);
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function unauthorized(message: string): RequestError {
  return new RequestError("unauthorized", message, {
    "www-authenticate": 'Bearer realm="hookline", charset="UTF-8"',
  });
}
