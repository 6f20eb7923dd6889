/**
 * The last word of scripts/test: counts from the JUnit file, the search of all output for secrets, and
 * the line `N passed, N failed`. Exit code 0 only when nothing failed and everything was there to be counted.
 *
 * usage: bun scripts/summary.ts JUNIT_FILE TEST_EXIT_CODE FAILED_STEPS TRANSCRIPT_DIRECTORY
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findSecrets } from "../test/support/secrets.ts";

const [junitFile = "", exitCode = "1", failedSteps = "0", transcriptDirectory = ""] = process.argv.slice(2);

/** The totals of a JUnit file; null when there is none, which means that the run was cut short. */
function readTotals(file: string): { tests: number; failures: number; skipped: number } | null {
  if (!existsSync(file)) return null;
  const head = /<testsuites\b[^>]*>/.exec(readFileSync(file, "utf8"))?.[0];
  if (head === undefined) return null;
  const attribute = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  return { tests: attribute("tests"), failures: attribute("failures"), skipped: attribute("skipped") };
}

/** Names of skipped tests, so that a skip is seen and not only counted. */
function readSkips(file: string): string[] {
  if (!existsSync(file)) return [];
  const cases = readFileSync(file, "utf8").matchAll(
    /<testcase name="([^"]*)"[^>]*file="([^"]*)"[^>]*>\s*<skipped/g,
  );
  return [...cases].map((match) => `${match[2]}: ${match[1]}`);
}

let passed = 0;
let failed = Number(failedSteps);
const totals = readTotals(junitFile);
if (totals === null) {
  console.log("no JUnit file: the test run was cut short");
  failed += 1;
} else {
  passed = totals.tests - totals.failures - totals.skipped;
  failed += totals.failures;
  for (const name of readSkips(junitFile)) console.log(`skipped: ${name}`);
  if (Number(exitCode) !== 0 && totals.failures === 0) {
    console.log(`bun test ended with ${exitCode}: an error outside of any test, see above`);
    failed += 1;
  }
}

const transcripts = existsSync(transcriptDirectory) ? readdirSync(transcriptDirectory) : [];
const leaks = transcripts.flatMap((name) =>
  findSecrets(readFileSync(join(transcriptDirectory, name), "utf8")),
);
for (const leak of leaks) console.log(`a secret in the output of the e2e run: ${leak}`);
if (transcripts.length > 0) {
  console.log(`${transcripts.length} transcripts of executables searched for secrets`);
  if (leaks.length === 0) passed += 1;
  else failed += 1;
}

if ((totals?.skipped ?? 0) > 0) console.log(`${totals?.skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
