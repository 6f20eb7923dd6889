import { expect, test } from "bun:test";
import { createBucketMap } from "../../src/stored/bucket-map.ts";

test("a change gives another map, and the old one stays as it was", () => {
  const empty = createBucketMap<number>();
  const one = empty.with([
    ["a", 1],
    ["b", 2],
  ]);
  const other = one.with([
    ["a", null],
    ["b", 3],
    ["c", 4],
    ["none", null],
  ]);
  expect([empty.size, one.size, other.size]).toEqual([0, 2, 2]);
  expect([one.get("a"), one.get("b"), one.get("c")]).toEqual([1, 2, undefined]);
  expect([other.get("a"), other.get("b"), other.get("c")]).toEqual([undefined, 3, 4]);
  expect(new Set(other.values())).toEqual(new Set([3, 4]));
});

test("it holds what a Map holds, whatever is done", () => {
  const expected = new Map<string, number>();
  let map = createBucketMap<number>();
  for (let n = 0; n < 5_000; n += 1) {
    const key = `key-${(n * 7919) % 1_300}`;
    const value = n % 5 === 0 ? null : n;
    map = map.with([[key, value]]);
    if (value === null) expected.delete(key);
    else expected.set(key, value);
  }
  expect(map.size).toBe(expected.size);
  for (const [key, value] of expected) expect(map.get(key)).toBe(value);
  expect(new Set(map.values())).toEqual(new Set(expected.values()));
});
