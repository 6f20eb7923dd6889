/**
 * Prints the test files that wait for time, one a line.
 *
 * A file waits for time when it, or a file of test/ that it imports, directly or through others, calls a timer:
 * setTimeout, setInterval, sleep, until or within, or takes the machine's own clock (systemClock). The rule lists
 * a file too many rather than one too few.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const timer = /(?<![A-Za-z_.])(?:setTimeout|setInterval|(?:Bun\.)?sleep|until|within) *\(|\bsystemClock\b/;
const imported = /^(?!import type ).*\bfrom "(\.[^"]+)"/gm;

const texts = new Map<string, string>();

function textOf(file: string): string {
  const known = texts.get(file);
  if (known !== undefined) return known;
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  texts.set(file, text);
  return text;
}

function waitsForTime(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = textOf(file);
  if (timer.test(text)) return true;
  for (const [, path = ""] of text.matchAll(imported)) {
    const next = join(dirname(file), path);
    if (next.startsWith("test/") && waitsForTime(next, seen)) return true;
  }
  return false;
}

const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(".")].sort();
for (const file of files) if (waitsForTime(file)) console.log(file);
