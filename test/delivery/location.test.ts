import { describe, expect, test } from "bun:test";
import { createMasker } from "../../src/secrets/masker.ts";
import { codeOf } from "../../src/delivery/classify.ts";
import { shownLocation } from "../../src/delivery/location.ts";

const secret = "hdrTok3n-Ab.9";
const mask = createMasker([secret]);
const from = { secure: true, headers: [["host", "own.test:8443"]], hostname: "own.test" } as const;
const shown = (location: string | null): string | null => shownLocation(location, from, mask);

describe("what an outcome shows of a Location", () => {
  test.each([
    [null, null],
    ["https://elsewhere.test/secret?token=1", "https://elsewhere.test"],
    ["HTTP://Elsewhere.TEST:81?x", "http://Elsewhere.TEST:81"],
    ["//other.test#x", "https://other.test"],
    ["http://[::1]:80/", "http://[::1]:80"],
    ["https://user:password@host.test/", "https://host.test"],
    ["https://a@b@host.test", "https://host.test"],
    ["/path", "https://own.test:8443"],
    ["?query", "https://own.test:8443"],
    ["", "https://own.test:8443"],
    ["path/to", "https://own.test:8443"],
  ])("%p: %p", (location, expected) => {
    expect(shown(location)).toBe(expected);
  });

  test.each([
    ["a scheme of another kind", "mailto:somebody@host.test"],
    ["a scheme without slashes", "https:host.test/"],
    ["no host", "https:///path"],
    ["half an address", "http://["],
    ["a port that is none", "http://host.test:port/"],
    ["backslashes, which some readers take for slashes", "https:\\\\host.test/"],
    ["a host behind slashes and backslashes", "/\\host.test/"],
    ["a host with escapes", "https://h%6Fst.test/"],
    ["a host with a tab, which a URL parser drops", "https://ho\tst.test/"],
    ["a host with letters beyond ASCII", "https://h\u00f6st.test/"],
  ])("nothing of %s", (_what, location) => {
    expect(shown(location)).toBeNull();
  });

  test("a host that is too long is cut; one without an end is nothing", () => {
    for (const letters of [300, 8_000]) {
      const host = shown(`https://${"a".repeat(letters)}.test/`)?.slice("https://".length);
      expect(host).toBe(`${"a".repeat(252)}…`);
    }
    expect(shown(`https://${"a".repeat(250_000)}.test/`)).toBeNull();
    expect(shown(`https://${"user".repeat(5_000)}@host.test/`)).toBeNull();
    expect(shown(`https://host.test/${"path".repeat(5_000)}`)).toBe("https://host.test");
    expect(shown(`/${"path".repeat(5_000)}`)).toBe("https://own.test:8443");
  });
});

test.each([
  ["ECONNRESET", "ECONNRESET"],
  ["x".repeat(64), "x".repeat(64)],
  ["x".repeat(65), "unknown"],
  ["", "unknown"],
  ["Un\u001bhandled", "unknown"],
  [7, "unknown"],
])("a code %j is kept as %j", (given, kept) => {
  expect(codeOf(given)).toBe(kept);
});

describe("a secret that comes back", () => {
  /** Letters and digits of the secret that stand in the text, whatever their case, in a row. */
  const longestPart = (text: string | null): number => {
    const lower = (text ?? "").toLowerCase();
    for (let length = secret.length; length > 0; length -= 1) {
      for (let at = 0; at + length <= secret.length; at += 1) {
        if (lower.includes(secret.slice(at, at + length).toLowerCase())) return length;
      }
    }
    return 0;
  };
  const percent = (text: string): string =>
    text.replaceAll(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);

  test.each([
    ["as a host", `https://${secret}/`],
    ["in a host", `https://${secret}.example.test/`],
    ["as user info", `https://${secret}@host.test/`],
    ["as a scheme", `${secret}://host.test/`],
    ["as a host in percent signs", `https://${percent(secret)}.test/`],
    ["as a host of its own protocol", `//${secret}/`],
    ["in a path", `/${secret}`],
    ["torn by a tab", `https://${secret.slice(0, 5)}\t${secret.slice(5)}.test/`],
  ])("%s", (_how, location) => {
    expect(longestPart(shown(location))).toBeLessThan(4);
  });

  test("where the host is cut, wherever it begins", () => {
    for (let before = 235; before <= 253; before += 1) {
      const location = `https://${"1".repeat(before)}${secret}${"1".repeat(1_000)}/`;
      expect([before, longestPart(shown(location))]).toEqual([before, 1]);
    }
  });
});
