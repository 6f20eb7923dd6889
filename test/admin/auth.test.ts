import { describe, expect, test } from "bun:test";
import { accessWarning, createAuthorizer, type Access } from "../../src/admin/auth.ts";
import { isLoopback } from "../../src/admin/local-client.ts";
import { createTokens } from "../../src/admin/tokens.ts";
import type { Incoming } from "../../src/admin/incoming.ts";
import { RequestError } from "../../src/admin/request-error.ts";

const token = "correct horse battery stäple";

type Peer = Pick<Incoming, "address" | "localPort" | "httpVersion">;

interface Case {
  name: string;
  host?: string;
  token?: string;
  access?: Access;
  headers?: Record<string, string>;
  peer?: Partial<Peer>;
  /** null = let through, else the error's code. */
  refused: string | null;
}

function ask(one: Case): string | null {
  const host = one.host ?? "127.0.0.1";
  const authorize = createAuthorizer({
    host,
    tokens: createTokens({ token: one.token ?? null, tokens: [] }),
  });
  const incoming: Peer = {
    address: "127.0.0.1",
    localPort: 9640,
    httpVersion: "1.1",
    ...one.peer,
  };
  try {
    authorize(
      { access: one.access ?? "operate" },
      new Headers({ host: "127.0.0.1:9640", ...one.headers }),
      incoming,
    );
    return null;
  } catch (error) {
    if (error instanceof RequestError) return error.code;
    throw error;
  }
}

/** What a client sends so that its header's bytes are the token's UTF-8. */
const utf8Header = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const bearer = { authorization: `Bearer ${utf8Header(token)}` };

const tokenless: Case[] = [
  { name: "a direct local client may", refused: null },
  { name: "Host may be localhost", headers: { host: "localhost:9640" }, refused: null },
  { name: "Host ignores case", headers: { host: "LOCALHOST:9640" }, refused: null },
  { name: "an IPv4-mapped loopback peer is loopback", peer: { address: "::ffff:127.0.0.1" }, refused: null },
  { name: "all of 127/8 is loopback", peer: { address: "127.8.9.1" }, refused: null },
  {
    name: "IPv6 loopback may",
    host: "::1",
    headers: { host: "[::1]:9640" },
    peer: { address: "::1" },
    refused: null,
  },
  {
    name: "on port 80 Host needs no port",
    headers: { host: "localhost" },
    peer: { localPort: 80 },
    refused: null,
  },
  { name: "bound to every address", host: "0.0.0.0", refused: "unauthorized" },
  { name: "bound to every IPv6 address", host: "::", refused: "unauthorized" },
  { name: "bound to a name", host: "hookline.internal", refused: "unauthorized" },
  { name: "a name that only begins like loopback", host: "127.0.0.1.evil.test", refused: "unauthorized" },
  { name: "a peer from elsewhere", peer: { address: "10.0.0.7" }, refused: "unauthorized" },
  { name: "a peer that is gone", peer: { address: "" }, refused: "unauthorized" },
  { name: "HTTP/1.0", peer: { httpVersion: "1.0" }, refused: "unauthorized" },
  { name: "another Host (DNS rebinding)", headers: { host: "evil.test:9640" }, refused: "unauthorized" },
  { name: "Host without the port", headers: { host: "127.0.0.1" }, refused: "unauthorized" },
  { name: "Host with another port", headers: { host: "127.0.0.1:80" }, refused: "unauthorized" },
  { name: "two Hosts", headers: { host: "127.0.0.1:9640, evil.test" }, refused: "unauthorized" },
  { name: "another loopback Host", headers: { host: "127.0.0.2:9640" }, refused: "unauthorized" },
  { name: "Host with a trailing dot", headers: { host: "localhost.:9640" }, refused: "unauthorized" },
  {
    name: "an own Origin (the page that hookline serves)",
    headers: { origin: "http://127.0.0.1:9640" },
    refused: null,
  },
  { name: "an own Origin over TLS", headers: { origin: "https://127.0.0.1:9640" }, refused: "unauthorized" },
  { name: "Sec-Fetch-Site same-origin", headers: { "sec-fetch-site": "same-origin" }, refused: null },
  { name: "Sec-Fetch-Site none", headers: { "sec-fetch-site": "none" }, refused: null },
  ...["cross-site", "same-site", "", "x"].map((site): Case => ({
    name: `Sec-Fetch-Site "${site}"`,
    headers: { "sec-fetch-site": site },
    refused: "foreign_origin",
  })),
  {
    name: "an open route that another site links to",
    access: "open",
    headers: { "sec-fetch-site": "cross-site" },
    refused: null,
  },
  { name: "a foreign Origin", headers: { origin: "http://evil.test" }, refused: "foreign_origin" },
  { name: "Origin null", headers: { origin: "null" }, refused: "foreign_origin" },
  ...[
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Anything",
    "X-Real-IP",
    "CF-Connecting-IP",
    "CF-Ray",
  ].map((header): Case => ({
    name: `the header ${header}`,
    headers: { [header]: "x" },
    refused: "unauthorized",
  })),
  { name: "an empty X-Forwarded-For", headers: { "x-forwarded-for": "" }, refused: "unauthorized" },
  { name: "a token that nobody configured", headers: bearer, refused: null },
  { name: "a route that needs a token always", access: "token", refused: "token_not_configured" },
  { name: "an open route through a proxy", access: "open", headers: { via: "1.0 x" }, refused: null },
  {
    name: "an open route from elsewhere",
    host: "0.0.0.0",
    access: "open",
    peer: { address: "9.9.9.9" },
    refused: null,
  },
  {
    name: "an open route from a foreign Origin",
    access: "open",
    headers: { origin: "http://evil.test" },
    refused: "foreign_origin",
  },
];

const withToken: Case[] = [
  { name: "the token", headers: bearer, refused: null },
  {
    name: "the scheme in lower case",
    headers: { authorization: bearer.authorization.replace("B", "b") },
    refused: null,
  },
  { name: "the token for what needs it always", access: "token", headers: bearer, refused: null },
  {
    name: "the token through a proxy",
    headers: { ...bearer, via: "1.0 x", "x-forwarded-for": "1" },
    refused: null,
  },
  {
    name: "the token from elsewhere over HTTP/1.0",
    host: "0.0.0.0",
    headers: { ...bearer, host: "hooks.example" },
    peer: { address: "203.0.113.9", httpVersion: "1.0" },
    refused: null,
  },
  {
    name: "the token with an own Origin",
    headers: { ...bearer, host: "hooks.example", origin: "https://hooks.example" },
    refused: null,
  },
  { name: "no token, though local", refused: "unauthorized" },
  { name: "a wrong token", headers: { authorization: "Bearer wrong" }, refused: "unauthorized" },
  {
    name: "the token's beginning",
    headers: { authorization: "Bearer correct horse" },
    refused: "unauthorized",
  },
  {
    name: "the token and more",
    headers: { authorization: `${bearer.authorization}x` },
    refused: "unauthorized",
  },
  {
    name: "another scheme",
    headers: { authorization: `Basic ${utf8Header(token)}` },
    refused: "unauthorized",
  },
  { name: "the bare token", headers: { authorization: utf8Header(token) }, refused: "unauthorized" },
  { name: "an empty token", headers: { authorization: "Bearer " }, refused: "unauthorized" },
  {
    name: "the token twice",
    headers: { authorization: `${bearer.authorization}, ${bearer.authorization}` },
    refused: "unauthorized",
  },
  {
    name: "the token from a foreign Origin, which no browser adds by itself",
    headers: { ...bearer, origin: "http://evil.test", "sec-fetch-site": "cross-site" },
    refused: null,
  },
  {
    name: "a wrong token from a foreign Origin",
    headers: { authorization: "Bearer wrong", origin: "http://127.0.0.1:8080" },
    refused: "foreign_origin",
  },
  {
    name: "no token from a page of the same site",
    headers: { "sec-fetch-site": "same-site" },
    refused: "foreign_origin",
  },
  { name: "no token for what needs it always", access: "token", refused: "unauthorized" },
];

describe("without a configured token", () => {
  for (const one of tokenless) {
    test(`${one.name}: ${one.refused ?? "let through"}`, () => expect(ask(one)).toBe(one.refused));
  }
});

describe("with a configured token", () => {
  for (const one of withToken) {
    test(`${one.name}: ${one.refused ?? "let through"}`, () => {
      expect(ask({ token, ...one })).toBe(one.refused);
    });
  }
});

test("loopback is told by the whole address", () => {
  for (const host of ["127.0.0.1", "127.255.0.1", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"]) {
    expect({ host, is: isLoopback(host) }).toEqual({ host, is: true });
  }
  for (const host of [
    "",
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "1127.0.0.1",
    "127.0.0.1.x",
    "x.localhost",
    "10.0.0.1",
  ]) {
    expect({ host, is: isLoopback(host) }).toEqual({ host, is: false });
  }
});

test("a missing token is warned of, in the words of what it means", () => {
  const none = createTokens({ token: null, tokens: [] }).current();
  expect(accessWarning("127.0.0.1", none)).toContain("every local user");
  expect(accessWarning("0.0.0.0", none)).toContain("401");
  expect(accessWarning("127.0.0.1", createTokens({ token, tokens: [] }).current())).toBeNull();
});
