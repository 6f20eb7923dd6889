import { expect, test } from "bun:test";
import { commands } from "../../src/cli/commands.ts";
import { overview } from "../../src/cli/help.ts";

test("the overview fits a screen of 24 lines and 80 columns, the prompt included", () => {
  const lines = overview().trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(23);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});

test("every command is in the overview with an example that runs it", () => {
  for (const entry of commands) {
    expect(entry.example.startsWith(`hookline ${entry.name}`)).toBe(true);
    if (entry.sharesLine !== undefined) {
      expect(overview()).toMatch(new RegExp(`^.*hookline (\\S+\\|)?${entry.name}\\b`, "m"));
      continue;
    }
    expect(overview()).toMatch(
      new RegExp(`^  ${RegExp.escape(entry.example)} +${RegExp.escape(entry.summary)}$`, "m"),
    );
  }
});
