import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** Pages that a script makes; no limit of length holds for them. */
export const generatedPages: readonly string[] = ["settings", "api", "metrics"];

/** A text of the documentation: README.md, or a page of docs/. */
export interface Page {
  /** As it is said in a failure: `docs/redis.md`. */
  readonly path: string;
  /** The topic; empty for README. */
  readonly name: string;
  readonly text: string;
}

/** README, and every page of docs/. */
export function readPages(): Page[] {
  const names = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3));
  return [
    { path: "README.md", name: "", text: readFileSync(join(root, "README.md"), "utf8") },
    ...names.map((name) => {
      const path = `docs/${name}.md`;
      return { path, name, text: readFileSync(join(root, path), "utf8") };
    }),
  ];
}

/** A block of code between two lines of three backticks. */
export interface Block {
  readonly path: string;
  /** Of the first line of its code, from 1. */
  readonly line: number;
  /** What stands behind the backticks: `sh`, `json`, … */
  readonly language: string;
  readonly code: string;
}

/** The blocks of code of a page, in their order. */
export function blocksOf({ path, text }: Page): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; language: string; lines: string[] } | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (open === null) open = { line: index + 2, language: line.slice(3).trim(), lines: [] };
    else {
      const { language, lines, line: first } = open;
      blocks.push({ path, line: first, language, code: `${lines.join("\n")}\n` });
      open = null;
    }
  }
  if (open !== null) throw new Error(`${path}:${open.line}: a block of code has no end`);
  return blocks;
}

/** A page without its blocks of code. */
export function proseOf({ text }: Page): string {
  return text.replaceAll(/^```.*?^```$/gms, "");
}
