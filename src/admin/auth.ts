import type { RequestHeaders } from "./incoming.ts";
import { isLoopback, objectionToTokenless, type Peer } from "./local-client.ts";
import { RequestError } from "./request-error.ts";
import { localClient, type Caller, type Scope, type Tokens, type TokenSet } from "./tokens.ts";

/**
 * Who may use a route.
 * - `open`: anyone (health, metrics, public keys).
 * - `any`: the holder of any token.
 * - `read`, `enqueue`, `operate`: the holder of a token of this scope, or of `operate`.
 * - `token`: as `operate`, but never without a token, because the route destroys, injects faults or hands out work.
 *
 * Without a configured token a direct local client passes for `operate`.
 */
export type Access = "open" | "any" | Scope | "token";

export interface AuthSettings {
  readonly host: string;
  readonly tokens: Pick<Tokens, "current">;
}

/** What a route asks of who uses it. */
export interface Right {
  readonly access: Access;
  /** The route can be asked for a dry run, which is read: who may not operate gets to the handler, which refuses. */
  readonly dryRun?: boolean | undefined;
  /** The request may come from any site: what it gets is in every hookline. */
  readonly fromAnywhere?: boolean | undefined;
}

/**
 * A check that gives the caller of a request that may go on, and throws a RequestError for one that may not.
 *
 * A valid token is all that is asked for: a browser adds no bearer token by itself. Any other request must not come
 * from another site's page.
 */
export function createAuthorizer({
  host,
  tokens,
}: AuthSettings): (right: Right, headers: RequestHeaders, peer: Peer) => Caller {
  const isLocal = isLoopback(host);
  return (right, headers, peer) => {
    const known = tokens.current();
    const holder = known.holderOf(headers.get("authorization") ?? "");
    if (holder === null && right.fromAnywhere !== true) requireOwnSite(right.access, headers);
    if (right.access === "open") return holder ?? nobody;
    if (holder !== null) {
      requireScope(right, holder);
      return holder;
    }
    if (!known.isEmpty) {
      throw unauthorized("send one of the configured tokens as `Authorization: Bearer …`");
    }
    if (right.access === "token") {
      throw new RequestError(
        "token_not_configured",
        "this needs a token always: set server.token (HOOKLINE_TOKEN) and send it as a bearer token",
      );
    }
    const objection = isLocal
      ? objectionToTokenless(host, headers, peer)
      : "hookline listens beyond this machine and no token is configured";
    if (objection !== null) {
      throw unauthorized(`${objection}; set server.token (HOOKLINE_TOKEN) to use /v1 from here`);
    }
    return localClient;
  };
}

/** Who asks for what is open to all. */
const nobody: Caller = { name: null, scope: "enqueue", apps: new Set(), queues: new Set() };

function requireScope({ access, dryRun }: Right, { name, scope }: Caller): void {
  const needed = access === "token" ? "operate" : access;
  if (needed === "any" || scope === "operate" || scope === needed) return;
  if (dryRun === true && scope === "read") return;
  throw new RequestError(
    "forbidden",
    `this needs a token of scope ${needed === "operate" ? "operate" : `${needed} or operate`}; ${name ?? "this one"} has scope ${scope}`,
  );
}

/** @throws RequestError `forbidden` unless the caller may change things: for what is no dry run. */
export function requireOperate(caller: Caller): void {
  requireScope({ access: "operate" }, caller);
}

/** What an operator must know at start when no token is configured; null when one is. */
export function accessWarning(host: string, tokens: TokenSet): string | null {
  if (!tokens.isEmpty) return null;
  return isLoopback(host)
    ? "server.token is not set: every local user, and every local proxy that passes for one, is the operator of /v1"
    : "server.token is not set and server.host is not loopback: /v1 answers 401 to everybody";
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

function isOwnOrigin(origin: string, host: string): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match !== null && match[1]?.toLowerCase() === host.toLowerCase();
}

function unauthorized(message: string): RequestError {
  return new RequestError("unauthorized", message, {
    "www-authenticate": 'Bearer realm="hookline", charset="UTF-8"',
  });
}
