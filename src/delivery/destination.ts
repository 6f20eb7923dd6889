import type { TlsSettings } from "./endpoint.ts";
import { basicCredentials } from "./basic-credentials.ts";
import { hasHeader, type HeaderEntry } from "./headers.ts";
import { type Host, hostOf, withoutEndDots } from "./host-name.ts";

/** An endpoint's URL taken apart once, so that an attempt costs no parsing. */
export interface Destination extends Host {
  readonly secure: boolean;
  readonly port: number;
  /** Path and query, as the request line carries them. */
  readonly path: string;
  /** Name for SNI and the certificate check; null for IP literals, which TLS checks as addresses. */
  readonly serverName: string | null;
  readonly tls: TlsSettings | null;
  /**
   * What the protocol needs besides the delivery's own headers: `host` as a direct request would send
   * it, `accept` of anything, `accept-encoding: identity` (the answer is never inflated), and Basic credentials from
   * the URL unless `authorization` is configured.
   */
  readonly headers: readonly HeaderEntry[];
}

/**
 * Takes an http(s) URL apart.
 *
 * @param configured The endpoint's configured headers, which win over what the URL implies.
 */
export function createDestination(
  url: URL,
  configured: readonly HeaderEntry[],
  tls: TlsSettings | null = null,
): Destination {
  const secure = url.protocol === "https:";
  const { hostname, isAddress } = hostOf(url);
  const port = portOf(url);
  const path = `${url.pathname}${url.search}`;
  const headers: HeaderEntry[] = [
    [
      "host",
      `${hostname.includes(":") ? `[${hostname}]` : hostname}${url.port === "" ? "" : `:${url.port}`}`,
    ],
  ];
  if (!hasHeader(configured, "accept")) headers.push(["accept", "*/*"]);
  if (!hasHeader(configured, "accept-encoding")) headers.push(["accept-encoding", "identity"]);
  if ((url.username !== "" || url.password !== "") && !hasHeader(configured, "authorization")) {
    headers.push(["authorization", basicCredentials(url.username, url.password)]);
  }
  return {
    secure,
    hostname,
    isAddress,
    port,
    path,
    // A trailing dot makes a name absolute in DNS but stands in no certificate.
    serverName: isAddress ? null : withoutEndDots(hostname),
    tls,
    headers,
  };
}

/** The port that an http(s) URL names, or its scheme's own. */
export function portOf({ protocol, port }: Pick<URL, "protocol" | "port">): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
