import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { generatedPages, proseOf, readPages, root } from "./pages.ts";

const pages = readPages();

/** The anchors that GitHub makes of the headings of a text. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("every link inside the project leads to a file, and to a heading that is there", () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? page.path : relative(root, join(root, dirname(page.path), file));
      if (!existsSync(join(root, path))) broken.push(`${page.path}: ${target}: there is no ${path}`);
      else if (anchor !== undefined && path.endsWith(".md")) {
        const text = pages.find((one) => one.path === path)?.text ?? "";
        if (!anchorsOf(text).has(anchor)) broken.push(`${page.path}: ${target}: ${path} has no such heading`);
      }
    }
  }
  expect(broken).toEqual([]);
});

test("README leads to every page", () => {
  const readme = pages[0]?.text ?? "";
  const missing = pages.slice(1).filter(({ path }) => !readme.includes(`](${path})`));
  expect(missing.map(({ path }) => path)).toEqual([]);
});

test("README has at most 180 lines, a page written by hand at most 250", () => {
  const lines = pages
    .filter(({ name }) => !generatedPages.includes(name))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }));
  expect(lines.filter((one) => one.lines > (one.path === "README.md" ? 180 : 250))).toEqual([]);
});

test("README's sentences have fewer than 30 words", () => {
  const long = sentencesOf(proseOf(pages[0] as (typeof pages)[number])).filter(
    (sentence) => sentence.split(/\s+/).length >= 30,
  );
  expect(long).toEqual([]);
});

/** Sentences of Markdown; each cell of a table, item of a list and heading is a text of its own. */
function sentencesOf(text: string): string[] {
  return text
    .replaceAll(/`[^`]*`/g, "code")
    .split(/\n(?=[#|-]|\d+\. |\n)|\|/)
    .flatMap((part) => part.replaceAll(/\s+/g, " ").split(/(?<=[.?!:]\**) /))
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== "");
}
