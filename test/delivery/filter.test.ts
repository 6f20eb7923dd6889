import { describe, expect, test } from "bun:test";
import { compileFilter, compileTypePatterns } from "../../src/delivery/filter.ts";

describe("compileFilter", () => {
  test.each([
    [{ channel_prefix: "private-" }, "private-a", true],
    [{ channel_prefix: "private-" }, "public", false],
    [{ channel_name_starts_with: "private-" }, "private-a", true],
    [{ channel_name_starts_with: "private-" }, "a-private-", false],
    [{ channel_suffix: "-eu" }, "a-eu", true],
    [{ channel_suffix: "-eu" }, "a-eu-", false],
    [{ channel_name_ends_with: "-eu" }, "a-eu", true],
    [{ channel_name_ends_with: "-eu" }, "a-us", false],
    [{ channel_pattern: "^room-\\d+$" }, "room-42", true],
    [{ channel_pattern: "^room-\\d+$" }, "room-x", false],
    [{ channel_pattern: "oo" }, "room", true],
    [{ channel_prefix: "a", channel_suffix: "z" }, "a-z", true],
    [{ channel_prefix: "a", channel_suffix: "z" }, "a-y", false],
    [{ channel_prefix: "a", channel_suffix: "z" }, "b-z", false],
    [{ channel_prefix: "a", channel_name_starts_with: "ab" }, "abc", true],
    [{ channel_prefix: "a", channel_name_starts_with: "ab" }, "acb", false],
    [{ channel_prefix: "a", channel_pattern: "c$" }, "abc", true],
    [{ channel_prefix: "a", channel_pattern: "c$" }, "abd", false],
  ])("%j on %s: %p", (filter, channel, expected) => {
    expect(compileFilter(filter)?.(channel)).toBe(expected);
  });

  test("no condition is no filter", () => expect(compileFilter({})).toBeNull());

  test("a pattern sees 256 characters of the channel, a suffix all of it", () => {
    const long = `${"a".repeat(256)}z`;
    expect(compileFilter({ channel_pattern: "z" })?.(long)).toBe(false);
    expect(compileFilter({ channel_pattern: "^a{256}$" })?.(long)).toBe(true);
    expect(compileFilter({ channel_suffix: "z" })?.(long)).toBe(true);
  });

  test("a pattern answers the same each time", () => {
    const accepts = compileFilter({ channel_pattern: "a" });
    expect([accepts?.("a"), accepts?.("a"), accepts?.("a")]).toEqual([true, true, true]);
  });

  test("a pattern that is none is told so", () => {
    expect(() => compileFilter({ channel_pattern: "(" })).toThrow(SyntaxError);
  });
});

describe("compileTypePatterns", () => {
  test.each([
    ["*", "anything", true],
    ["*", "a.b.c", true],
    ["order.*", "order.created", true],
    ["order.*", "order.item.added", true],
    ["order.*", "order", false],
    ["order.*", "orders.created", false],
    ["*.created", "order.created", true],
    ["*.created", "order.item.created", false],
    ["*.created", "created", false],
    ["a.*.c", "a.b.c", true],
    ["a.*.c", "a.b.d", false],
    ["a.*.*", "a.b", false],
    ["a.*.*", "a.b.c.d", true],
  ])("%s on %s: %p", (pattern, type, expected) => {
    expect(compileTypePatterns([pattern])?.(type)).toBe(expected);
  });

  test("plain types make no patterns, a * inside a segment neither", () => {
    expect(compileTypePatterns(["a", "b.c", "a*", "order.cre*"])).toBeNull();
  });
});
