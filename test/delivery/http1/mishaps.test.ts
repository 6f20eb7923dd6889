import { beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { certificates } from "../../support/certificates.ts";
import { proxyMishaps } from "./proxy-mishaps.ts";
import { receiverMishaps } from "./receiver-mishaps.ts";

const root = resolve(import.meta.dir, "../../..");
const mishaps = [...receiverMishaps, ...proxyMishaps];
const program = resolve(root, "test/support/http1-mishaps.ts");

describe.each([
  ["Bun", [process.execPath, program]],
  ["Deno", [resolve(root, "node_modules/.bin/deno"), "run", "-A", program]],
])("on %s", (_runtime, command) => {
  let seen: { results: Record<string, unknown>; uncaught: string[] };
  let exitCode: number;

  beforeAll(async () => {
    const child = Bun.spawn([...command, JSON.stringify(certificates())], { cwd: root, stdout: "pipe" });
    // A program that does not end by itself is one that something was left open in.
    const timer = setTimeout(() => child.kill("SIGKILL"), 25_000);
    const output = await new Response(child.stdout).text();
    exitCode = await child.exited;
    clearTimeout(timer);
    seen = JSON.parse(output) as typeof seen;
  }, 120_000);

  test.each(mishaps.map((mishap) => [mishap.what, mishap] as const))(
    "%s",
    (what, { outcomes, connections }) => {
      const expected = outcomes.map((outcome) => expect.stringMatching(new RegExp(`^(?:${outcome})$`)));
      expect(seen.results[what]).toEqual({ outcomes: expected, connections, isClosed: true });
    },
  );

  test("nothing was left to be caught, and nothing kept the program from ending", () => {
    expect(seen.uncaught).toEqual([]);
    expect(exitCode).toBe(0);
  });
});
