import { describe, expect, test } from "bun:test";
import { compileChannelPattern } from "../../src/delivery/channel-pattern.ts";

describe("compileChannelPattern", () => {
  // Finding: `(x+x+)+y|!` blocked the process for 0.4 s and then lost the event as filtered out.
  test.each([
    ["(x+x+)+y|!", `${"x".repeat(60)}!`, true],
    ["(x+x+)+y", "x".repeat(256), false],
    ["^(a|aa)+$", `${"a".repeat(255)}b`, false],
    ["(.*)(.*)(.*)(.*)(.*)(.*)x", "a".repeat(256), false],
  ])("%s answers, and soon, where a backtracking engine does not", (pattern, channel, expected) => {
    const matches = compileChannelPattern(pattern);
    const startedAt = performance.now();
    for (let count = 0; count < 10; count += 1) expect(matches(channel)).toBe(expected);
    // Backtracking takes 0.4 s for the first of them, and more than a lifetime for the others.
    expect(performance.now() - startedAt).toBeLessThan(3_500);
  });

  test.each([
    "^room-\\d+$",
    "room",
    "^(private|presence)-.+$",
    "^[a-z]{2,5}-[^-]*-eu$",
    "\\/a\\.b",
    "[^]-",
    "^\\u0070rivate",
    "(?<kind>private)-",
    "[(?=]x|\\(\\?=",
    "a{",
    "(?:)",
  ])("%s means what it means to JavaScript", (pattern) => {
    const matches = compileChannelPattern(pattern);
    const names = ["room-42", "room-x", "private-a", "presence-", "ab--eu", "/a.b", "=x", "(?=", "a{", ""];
    for (const name of names) expect([name, matches(name)]).toEqual([name, new RegExp(pattern).test(name)]);
  });

  test.each([
    ["a(?=b)", 'has no lookaround: "(?="'],
    ["a(?!b)", 'has no lookaround: "(?!"'],
    ["(?<=a)b", 'has no lookaround: "(?<="'],
    ["(?<!a)b", 'has no lookaround: "(?<!"'],
    ["(a)\\1", 'has no backreferences: "\\1"'],
    ["(?<n>a)\\k<n>", 'has no backreferences: "\\k"'],
    ["(", "missing closing ): `(`"],
    ["a{1001}", "invalid repeat count: `{1001}`"],
  ])("%s is refused", (pattern, reason) => {
    expect(() => compileChannelPattern(pattern)).toThrow(SyntaxError);
    expect(() => compileChannelPattern(pattern)).toThrow(reason);
  });
});
