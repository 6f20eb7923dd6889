import { describe, expect, test } from "bun:test";
import { describeSyntaxError } from "../../src/config/json-excerpt.ts";
import { readJson } from "../../src/config/json-text.ts";

describe("readJson", () => {
  test.each([
    "null",
    " true ",
    "-0.5e-3",
    '"\\u00e9\\n\\"\\/"',
    "[]",
    "{}",
    '{"a":[1,{"b":[[]]},"c"],"":{}}',
    '\n{\t"a"\r:\n1 }\n',
  ])("reads %j as JSON.parse does", (text) => {
    const reading = readJson(text);
    expect(reading).toMatchObject({ ok: true, duplicates: [] });
    expect(JSON.stringify((reading as { value: unknown }).value)).toBe(JSON.stringify(JSON.parse(text)));
  });

  test.each([
    ["", 0, "the text ends where a value should stand"],
    ["{", 1, "expected a key in double quotes"],
    ['{"a"', 4, 'expected ":" after the key'],
    ['{"a":1', 6, '"}" is missing at the end'],
    ['{"a":1 "b":2}', 7, 'expected "," or "}"'],
    ['{"a":1,}', 7, 'a comma before "}"'],
    ["[1,]", 3, 'a comma before "]"'],
    ["{'a':1}", 1, "expected a key in double quotes"],
    ["{a:1}", 1, "expected a key in double quotes"],
    ['{"a":01}', 5, "expected a value"],
    ['{"a":1.}', 5, "expected a value"],
    ['{"a":NaN}', 5, "expected a value"],
    ['{"a":"b\nc"}', 7, "a line break or control character inside a string: write \\n"],
    ['{"a":"b', 5, "this string never ends"],
    ['{"a":"\\x"}', 6, 'an unknown escape: after \\ stands one of " \\ / b f n r t u'],
    ['{"a":1 // one', 7, "comments are not allowed in JSON"],
    ['{"a":1} {"b":2}', 8, "something stands after the end of the JSON value"],
    ["[".repeat(200), 101, "more than 100 levels deep"],
  ])("%j breaks off at %i: %s", (text, offset, message) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(readJson(text)).toEqual({ ok: false, offset, message });
  });

  test("keys that stand twice are named, and __proto__ is a key like any other", () => {
    const reading = readJson('{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}],"__proto__":{"x":1}}');
    expect(reading).toMatchObject({
      duplicates: [
        ["a", "b"],
        ["c", "0", "d"],
      ],
    });
    expect(Object.keys((reading as { value: object }).value)).toEqual(["a", "c", "__proto__"]);
  });
});

describe("describeSyntaxError", () => {
  test("counts lines and columns from 1", () => {
    expect(describeSyntaxError('{\n  "server": 1,\n  x\n}', 19, "expected a value")).toBe(
      "line 3, column 3: expected a value in: ***",
    );
  });

  test.each([
    '{"secret": hunter2-secret}',
    '{"secret": "hunter2-secret" "key"}',
    '{"secret": "hunter2-secret',
    '{"secret": "x"hunter2-secret"}',
    '{"hunter2-secret" "a"}',
    '{"headers": {"hunter2-secret": {{}}',
    "{'secret': 'hunter2-secret'}",
    '{"token": 48151623 42hunter2-secret}',
  ])("shows no secret of %j", (line) => {
    const shown = describeSyntaxError(line, 5, "broken");
    expect(shown).not.toContain("hunter2");
    expect(shown).not.toContain("48151623");
  });

  test("is short, however long the line", () => {
    expect(describeSyntaxError(`{"apps": ${"[".repeat(5000)}`, 3, "broken").length).toBeLessThan(200);
  });
});

describe("what is to be reported is found behind texts that look like it", () => {
  test.each([
    ['{"a:b":":","c":"\\":\\\\"}', []],
    ['{"a\\"":1,"a":{"b":":"}}', []],
    ['{"a":1,"\\u0061":2}', [["a"]]],
    ['{"__proto__":1,"__proto__":2}', [["__proto__"]]],
    ['[{"a":1},{"a":1},{"a":[{"b":1,"b":2}]}]', [["2", "a", "0", "b"]]],
    ['{"1":":","0":1,"1":{}}', [["1"]]],
  ])("%s", (text, duplicates) => {
    expect(readJson(text)).toMatchObject({ ok: true, value: JSON.parse(text), duplicates });
  });

  test("a value that is nested too deeply and is JSON", () => {
    expect(readJson(`${"[".repeat(150)}${"]".repeat(150)}`)).toMatchObject({ ok: false, offset: 101 });
    expect(readJson(`${"[".repeat(100)}${"]".repeat(100)}`)).toMatchObject({ ok: true });
  });
});
