import { describe, expect, test } from "bun:test";
import { elementSpans, memberSpan, memberText } from "../../src/jobs/spans.ts";
import { createOddJson, createRandom } from "./odd-json.ts";

describe("memberText", () => {
  test.each([
    ['{"payload":12345678901234567890}', "12345678901234567890"],
    ['{"payload": 1.0 }', "1.0"],
    ['{"payload":1e400,"a":1}', "1e400"],
    ['{"payload":"a\\u00e9\\"\\\\"}', '"a\\u00e9\\"\\\\"'],
    ['{"payload":{"b":1, "a":2}}', '{"b":1, "a":2}'],
    ['{"payload":1,"payload":2}', "2"],
    ['{"payload":1,"\\u0070ayload":[ 2 ]}', "[ 2 ]"],
    [' \n{\t"payload"\r\n:\n{ } }', "{ }"],
    ['{"a":"payload","payload":null}', "null"],
    ['{"a":{"payload":1},"payload":2}', "2"],
    ['{"a":"\\\\","payload":3}', "3"],
    ['{"a":"\\\\\\"","payload":4}', "4"],
    ['{"a":"}]","payload":"{["}', '"{["'],
    ['{"payloae":1,"payload":5,"payload2":6}', "5"],
    ['{"__proto__":{"payload":1},"payload":7}', "7"],
  ])("%s", (text, expected) => {
    expect(memberText(text, "payload")).toBe(expected);
    expect(JSON.parse(memberText(text, "payload") as string)).toEqual(
      (JSON.parse(text) as { payload: unknown }).payload,
    );
  });

  test.each(["{}", "{ }", '{"a":1}', '{"a":{"payload":1}}', '{"a":"payload"}', '{"PAYLOAD":1}'])(
    "there is no payload in %s",
    (text) => expect(memberText(text, "payload")).toBeNull(),
  );

  test("an empty key and a key with quotes are found", () => {
    expect(memberText('{"":1,"\\"":2}', "")).toBe("1");
    expect(memberText('{"":1,"\\"":2}', '"')).toBe("2");
  });

  test("an object inside a text is found by where it begins", () => {
    const text = '{"a":{"x":1},"b":{"x":2}}';
    expect(memberText(text, "x", memberSpan(text, "b")?.start)).toBe("2");
  });
});

test("elementSpans cuts each element as it is spelled", () => {
  const text = ' [ 1.0 ,"a]",{"b":[1,2]} ,[],null]';
  expect(elementSpans(text).map(({ start, end }) => text.slice(start, end))).toEqual([
    "1.0",
    '"a]"',
    '{"b":[1,2]}',
    "[]",
    "null",
  ]);
  expect(elementSpans("[ ]")).toEqual([]);
});

test("a million nested arrays cost no stack", () => {
  const deep = "[".repeat(1_000_000) + "]".repeat(1_000_000);
  expect(memberText(`{"a":${deep},"payload":1}`, "payload")).toBe("1");
  expect(memberText(`{"payload":${deep}}`, "payload")).toBe(deep);
});

test("a long run of escapes takes no more than linear time", () => {
  // A quadratic scan of this would take minutes, and the test would run into its timeout.
  const quotes = '\\"'.repeat(500_000);
  const slashes = "\\\\".repeat(500_000);
  expect(memberText(`{"a":"${quotes}","b":"${slashes}","payload":1}`, "payload")).toBe("1");
});

test("on 20,000 odd objects and arrays, every value is cut as it was spelled", () => {
  const json = createOddJson(createRandom(20_261_121));
  let members = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const object = json.object(3);
    const parsed = JSON.parse(object.text) as Record<string, unknown>;
    expect(new Set(Object.keys(parsed))).toEqual(new Set(object.members.keys()));
    for (const [key, text] of object.members) {
      if (memberText(object.text, key) !== text) throw new Error(`${key} of ${object.text}`);
      members += 1;
    }
    const array = json.array(3);
    const elements = elementSpans(array.text).map(({ start, end }) => array.text.slice(start, end));
    if (JSON.stringify(elements) !== JSON.stringify(array.elements)) throw new Error(array.text);
  }
  expect(members).toBeGreaterThan(20_000);
});
