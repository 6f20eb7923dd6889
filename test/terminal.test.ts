import { describe, expect, test } from "bun:test";
import { formatTable } from "../src/cli/table.ts";
import { createLogger } from "../src/log.ts";
import { showInLine, showLines } from "../src/terminal.ts";

/** Every character that a terminal obeys or that turns the direction of writing. */
const controls = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, at) => 0x7f + at),
  0x061c,
  0x200e,
  0x200f,
  ...Array.from({ length: 7 }, (_, at) => 0x2028 + at),
  ...Array.from({ length: 4 }, (_, at) => 0x2066 + at),
].map((code) => String.fromCharCode(code));

describe("showInLine", () => {
  test("escapes every control as JSON does, and nothing else", () => {
    for (const control of controls) {
      const shown = showInLine(`a${control}b`);
      expect(shown).toMatch(/^a\\u[0-9a-f]{4}b$/);
      expect(JSON.parse(`"${shown}"`)).toBe(`a${control}b`);
    }
    const plain = "Grüße, 日本語, עברית, 🎉 \\u001b \u00a0";
    expect(showInLine(plain)).toBe(plain);
  });

  test("of lines, line feeds and tabs stay", () => {
    const kept = controls.filter((control) => showLines(control) === control);
    expect(kept).toEqual(["\t", "\n"]);
  });

  test("JSON stays the same JSON", () => {
    const value = { [controls.join("")]: controls };
    expect(JSON.parse(showLines(JSON.stringify(value, null, 2)))).toEqual(value);
    expect(JSON.parse(showInLine(JSON.stringify(value)))).toEqual(value);
  });
});

test("no cell of a table makes a row of its own, and columns stay aligned", () => {
  const hostile = `x${controls.join("")}\r\nFAKE  row`;
  const lines = formatTable([
    ["A", "B"],
    [hostile, "1"],
    ["y", hostile],
  ]).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines.join("")).not.toMatch(/[\p{Cc}\u2028-\u202e]/u);
  expect(lines[0]!.indexOf("B")).toBe(lines[1]!.lastIndexOf("1"));
});

describe("a log line", () => {
  const hostile = `\u001b[31mx\r\n{"time":"FAKE"}${controls.join("")}`;
  const write = (format: "json" | "pretty", level: "warn" | "error" = "warn"): string => {
    let written = "";
    const log = createLogger({
      level: "debug",
      format,
      write: (line) => void (written += line),
      mask: (text) => text.replaceAll("hunter22", "***"),
      now: () => 0,
    });
    const nested = { level: "hunter22", [hostile]: [hostile] };
    log[level](hostile, { endpoint: hostile, nested, error: new Error(hostile) });
    return written;
  };

  test.each(["json", "pretty"] as const)("of format %s is one line without a control", (format) => {
    const written = write(format);
    expect(written.endsWith("\n")).toBe(true);
    expect(written.slice(0, -1)).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
  });

  test("in JSON is what was logged", () => {
    expect(JSON.parse(write("json"))).toMatchObject({ msg: hostile, endpoint: hostile });
  });

  test("masks what stands under a name of its own, level and time included", () => {
    expect(write("json") + write("pretty")).not.toContain("hunter22");
  });

  test("has a stack where it is an error, and none at warn", () => {
    expect(JSON.parse(write("json")).error).not.toHaveProperty("stack");
    expect(JSON.parse(write("json", "error")).error.stack).toContain("terminal.test.ts");
  });
});
