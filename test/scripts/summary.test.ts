import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hookline-summary-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const script = join(import.meta.dir, "..", "..", "scripts", "summary.ts");

/** Runs scripts/summary.ts; returns its exit code and its lines. */
function summarize(
  junit: string | null,
  exitCode: number,
  failedSteps: number,
  transcripts: Record<string, string> = {},
): { code: number; lines: string[] } {
  const work = mkdtempSync(join(directory, "run-"));
  const file = join(work, "junit.xml");
  if (junit !== null) writeFileSync(file, junit);
  mkdirSync(join(work, "transcript"));
  for (const [name, text] of Object.entries(transcripts)) writeFileSync(join(work, "transcript", name), text);
  const args = [script, file, String(exitCode), String(failedSteps), join(work, "transcript")];
  const { exitCode: code, stdout } = Bun.spawnSync([process.execPath, ...args]);
  return { code, lines: stdout.toString().trim().split("\n") };
}

function junit(tests: number, failures: number, skipped: number): string {
  const skip = '<testcase name="later" classname="" file="a.test.ts" line="1"><skipped /></testcase>';
  return `<?xml version="1.0"?><testsuites name="bun test" tests="${tests}" assertions="9" failures="${failures}" skipped="${skipped}">${skipped > 0 ? skip : ""}</testsuites>`;
}

test("a run in which all is well ends with its counts and 0; a skip is named", () => {
  const { code, lines } = summarize(junit(12, 0, 1), 0, 0);
  expect(code).toBe(0);
  expect(lines).toContain("skipped: a.test.ts: later");
  expect(lines.at(-1)).toBe("11 passed, 0 failed");
});

test("failures, failed checks, and an error outside of any test all count", () => {
  expect(summarize(junit(12, 2, 0), 1, 1)).toMatchObject({ code: 1 });
  expect(summarize(junit(12, 2, 0), 1, 1).lines.at(-1)).toBe("10 passed, 3 failed");
  expect(summarize(junit(12, 0, 0), 1, 0).lines.at(-1)).toBe("12 passed, 1 failed");
});

test("a run without its JUnit file, or without any test, has failed", () => {
  expect(summarize(null, 0, 0).lines.at(-1)).toBe("0 passed, 1 failed");
  expect(summarize(null, 0, 0).code).toBe(1);
  expect(summarize(junit(0, 0, 0), 0, 0).code).toBe(1);
});

test("a secret in what an executable wrote fails the run", () => {
  expect(summarize(junit(1, 0, 0), 0, 0, { a: "all is well" }).lines.at(-1)).toBe("2 passed, 0 failed");
  const found = summarize(junit(1, 0, 0), 0, 0, { a: "fine", b: "the secret is app-secret, they say" });
  expect(found.code).toBe(1);
  expect(found.lines.at(-1)).toBe("1 passed, 1 failed");
});
