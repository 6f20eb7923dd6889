import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { commandWords, helpBlocks } from "../../src/cli/command-words.ts";
import { commands } from "../../src/cli/commands.ts";
import { manPage } from "../../src/cli/man-page.ts";

const page = manPage(commands, { version: "1.2.3", date: "2026-11-30T01:02:03Z" });

/** man's own rendering, as plain text; throws when man warns. */
function render(device: string): string {
  const { stdout, stderr, status } = spawnSync("man", ["--warnings", "-l", `-T${device}`, "-"], {
    input: page,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", MANWIDTH: "80", MAN_KEEP_FORMATTING: "" },
  });
  if (status !== 0 || stderr !== "") throw new Error(`man -T${device}: exit ${status}\n${stderr}`);
  // What is bold is printed twice, with a backspace between.
  // oxlint-disable-next-line no-control-regex -- the backspace is what is looked for.
  return stdout.replaceAll(/.\x08/g, "");
}

test.skipIf(Bun.which("man") === null)("man reads the page without a warning, on any terminal", () => {
  for (const device of ["utf8", "ascii"]) {
    const text = render(device);
    expect(text).toContain("hookline 1.2.3");
    for (const { name } of commands) expect(text).toContain(`\n   hookline ${name}\n`);
    expect(text).toContain("EXIT STATUS");
  }
});

test("every command and every flag is on the page", () => {
  const plain = page.replaceAll("\\-", "-");
  for (const entry of commands) {
    expect(plain).toContain(`\n.SS hookline ${entry.name}\n`);
    for (const { name } of commandWords(entry).flags) expect(plain).toContain(name);
  }
});

test("a text that would be a request of roff is none", () => {
  const odd = manPage(
    [
      {
        name: "odd",
        synopsis: "",
        summary: "x",
        example: "hookline odd",
        details: ".SH not a heading\n\n'tis \\fBnot bold",
        load: () => Promise.reject(new Error("not run")),
      },
    ],
    { version: "1", date: null },
  );
  expect(odd).toContain("\n\\&.SH not a heading\n");
  expect(odd).toContain("\n\\(aqtis \\efBnot bold\n");
});

test("details are paragraphs and rows", () => {
  const details = `  --set PATH=VALUE set one key
  --config FILE    a file
                   that is read

check    says whether
print    shows

A paragraph over
two lines.`;
  expect(helpBlocks(details)).toEqual([
    { kind: "row", head: "--set PATH=VALUE", text: "set one key" },
    { kind: "row", head: "--config FILE", text: "a file that is read" },
    { kind: "row", head: "check", text: "says whether" },
    { kind: "row", head: "print", text: "shows" },
    { kind: "paragraph", text: "A paragraph over two lines." },
  ]);
});
