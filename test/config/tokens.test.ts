import { expect, test } from "bun:test";
import { issuesOf, load } from "./support.ts";

const one = (over: Record<string, unknown> = {}) => ({
  name: "shop",
  token: "token-of-the-shop-1",
  scope: "enqueue",
  ...over,
});
const refused: [what: string, server: unknown, path: string, text: string][] = [
  [
    "two of one name",
    { tokens: [one(), one({ token: "another-token-12345" })] },
    "tokens.1.name",
    "tokens.0",
  ],
  ["two of one value", { tokens: [one(), one({ name: "web" })] }, "tokens.1.token", "same token"],
  [
    "the value of server.token",
    { token: "token-of-the-shop-1", tokens: [one()] },
    "tokens.0.token",
    "server.token",
  ],
  [
    "the name of server.token",
    { token: "another-token-12345", tokens: [one({ name: "default" })] },
    "tokens.0.name",
    "server.token",
  ],
  ["no scope", { tokens: [{ name: "shop", token: "token-of-the-shop-1" }] }, "tokens.0.scope", "missing"],
  ["an unknown scope", { tokens: [one({ scope: "admin" })] }, "tokens.0.scope", "one of"],
  ["a token with a space", { tokens: [one({ token: "a b" })] }, "tokens.0.token", "visible ASCII"],
  ["a name with a space", { tokens: [one({ name: "a b" })] }, "tokens.0.name", "a name of"],
  ["no app at all", { tokens: [one({ apps: [] })] }, "tokens.0.apps", "at least one"],
  ["a queue that is not there", { tokens: [one({ queues: ["orders"] })] }, "tokens.0.queues.0", "webhooks"],
  ["an unknown key", { tokens: [one({ app: "x" })] }, "tokens.0.app", "apps"],
];

test.each(refused)("%s is refused, and no token is quoted", async (_what, server, path, text) => {
  const issues = await issuesOf({ server });
  expect(issues).toHaveLength(1);
  expect(issues[0]).toStartWith(`server.${path}`);
  expect(issues[0]).toContain(text);
  expect(issues[0]).not.toContain("token-of-the-shop-1");
});

test("a name default is free while server.token is not set", async () => {
  expect(await issuesOf({ server: { tokens: [one({ name: "default" })] } })).toEqual([]);
});

test("the environment gives them as JSON, and what is shown hides them", async () => {
  const loaded = await load(null, { env: { HOOKLINE_TOKENS: JSON.stringify([one()]) } });
  expect(loaded.config.server.tokens).toEqual([
    { ...one(), scope: "enqueue", apps: null, queues: null },
  ] as never);
  const shown = JSON.stringify(loaded.entries());
  expect(shown).toContain("shop");
  expect(shown).not.toContain("token-of-the-shop-1");
  expect(loaded.sourceOf("server.tokens.0.name")).toBe("env HOOKLINE_TOKENS");
});

test("a short token is warned of, and crash needs one that may operate", async () => {
  const loaded = await load({
    server: { tokens: [one({ token: "short" })] },
    supervisor: { allow_crash: true },
  });
  expect(loaded.warnings.slice(0, 2)).toEqual([
    "supervisor.allow_crash has no effect without a token that may operate: crash and stall need one",
    "server.tokens.0.token has fewer than 16 characters: take a longer, random one",
  ]);
});
