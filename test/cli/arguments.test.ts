import { expect, test } from "bun:test";
import { parseArguments, parseCount } from "../../src/cli/arguments.ts";

const shape = { values: ["url"], switches: ["json"], positionals: ["QUEUE", "ID..."], required: 1 } as const;

test("flags stand anywhere, with a space or an equals sign", () => {
  const parsed = parseArguments(["--url=http://a", "q", "--json", "1", "2"], shape);
  expect(parsed.values).toEqual({ url: "http://a" });
  expect([...parsed.switches]).toEqual(["json"]);
  expect(parsed.positionals).toEqual(["q", "1", "2"]);
  expect(parseArguments(["q", "--url", "http://b"], shape).values).toEqual({ url: "http://b" });
});

test("a lone dash and everything after two dashes are positionals", () => {
  expect(parseArguments(["q", "-", "--", "--json"], shape).positionals).toEqual(["q", "-", "--json"]);
});

test("what does not fit is named", () => {
  const messageOf = (args: string[], other?: object): string => {
    try {
      parseArguments(args, { ...shape, ...other });
    } catch (error) {
      return (error as Error).message;
    }
    return "no error";
  };
  expect(messageOf([])).toBe("QUEUE is missing");
  expect(messageOf(["q", "--jsno"])).toBe('unknown option --jsno (did you mean "--json"?)');
  expect(messageOf(["q", "--zzzzzz"])).toBe("unknown option --zzzzzz");
  expect(messageOf(["q", "-x"])).toBe("unknown option -x");
  expect(messageOf(["q", "--url"])).toBe("--url needs a value");
  expect(messageOf(["q", "--json=1"])).toBe("--json takes no value");
  expect(messageOf(["q", "extra"], { positionals: ["QUEUE"] })).toBe('unexpected argument "extra"');
});

test("a count is a whole number of at least its least", () => {
  expect(parseCount("--max", "7", 1)).toBe(7);
  for (const text of ["0", "-1", "1.5", "x", "", "1e3", "99999999999999999999"]) {
    expect(() => parseCount("--max", text, 1)).toThrow(`got "${text}"`);
  }
});
