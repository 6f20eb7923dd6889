import type { Incoming, RequestHeaders } from "./incoming.ts";

/** Who sent a request, and how. */
export type Peer = Pick<Incoming, "address" | "localPort" | "httpVersion">;

/** Whether a host name or address (IPv4-mapped IPv6 included) is this machine's loopback. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  if (name === "localhost" || name === "::1") return true;
  return /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** What a proxy adds. */
const proxyHeader = /^(?:forwarded|via|x-real-ip|x-forwarded.*|cf-.*)$/;

/**
 * Why a request without a configured token is no direct local one, where hookline listens on loopback; null when it is.
 *
 * The rules of contract §4 must tell a local client from a proxy on the same machine: a proxy's peer address is
 * loopback too. What gives it away is the Host it was asked for, the headers it adds, and for a default nginx
 * (`proxy_pass` alone rewrites Host and adds no header) HTTP/1.0.
 */
export function objectionToTokenless(host: string, headers: RequestHeaders, peer: Peer): string | null {
  if (!isLoopback(peer.address)) return "the request does not come from this machine";
  if (peer.httpVersion !== "1.1") return `HTTP/${peer.httpVersion} is what a proxy speaks`;
  const given = headers.get("host") ?? "";
  if (!isOwnHost(given, host, peer.localPort)) {
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
