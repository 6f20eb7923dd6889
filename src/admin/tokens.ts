import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { defaultTokenName, type TokenConfig } from "../config/schema-tokens.ts";

/** What a token's holder may do: every GET and dry runs · jobs and events only · everything. */
export type Scope = TokenConfig["scope"];

/** Who sends a request, and what it may name. */
export interface Caller {
  /** The token's name; null for a local client without one. */
  readonly name: string | null;
  readonly scope: Scope;
  /** Ids of the apps that it may name, `-` for the named endpoints; null = all. */
  readonly apps: ReadonlySet<string> | null;
  /** Names of the queues that it may name; null = all. */
  readonly queues: ReadonlySet<string> | null;
}

/** Who needs no token: a direct local client, where none is configured. */
export const localClient: Caller = { name: null, scope: "operate", apps: null, queues: null };

/** The configured tokens. */
export interface TokenSet {
  /** None is configured: direct local clients may operate. */
  readonly isEmpty: boolean;
  /** Who holds the token of an Authorization header; null for a header that holds none of them. */
  holderOf(authorization: string): Caller | null;
}

/** The part of the configuration that says who may use /v1. */
export interface TokenSettings {
  readonly token: string | null;
  readonly tokens: readonly TokenConfig[];
}

/**
 * The tokens of a checked configuration; `server.token` is the one named "default", of scope operate.
 *
 * What is sent is held against each of them, whichever fits: how long the answer takes says nothing of any.
 */
export function createTokenSet({ token, tokens }: TokenSettings): TokenSet {
  const limits = { scope: "operate", apps: null, queues: null } as const;
  const all = [...(token === null ? [] : [{ name: defaultTokenName, token, ...limits }]), ...tokens].map(
    (one) => ({
      expected: digest(Buffer.from(one.token, "utf8")),
      holder: {
        name: one.name,
        scope: one.scope,
        apps: one.apps === null ? null : new Set(one.apps),
        queues: one.queues === null ? null : new Set(one.queues),
      },
    }),
  );
  return {
    isEmpty: all.length === 0,
    holderOf(authorization) {
      const scheme = /^bearer +/i.exec(authorization)?.[0];
      const given = scheme === undefined ? "" : authorization.slice(scheme.length);
      if (given === "") return null;
      // A header's characters are its bytes: latin1 gives back what the client sent, UTF-8 or not.
      const sent = digest(Buffer.from(given, "latin1"));
      let found: Caller | null = null;
      for (const { expected, holder } of all) if (timingSafeEqual(sent, expected)) found = holder;
      return found;
    },
  };
}

/** The tokens in force, which a reload exchanges. */
export interface Tokens {
  current(): TokenSet;
  /** From now on only these are good. */
  replace(settings: TokenSettings): void;
}

export function createTokens(settings: TokenSettings): Tokens {
  let current = createTokenSet(settings);
  return {
    current: () => current,
    replace(next) {
      current = createTokenSet(next);
    },
  };
}

/** Hashing both sides makes lengths equal, so that the comparison tells nothing of the token. */
function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
