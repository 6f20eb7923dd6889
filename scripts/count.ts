/**
 * Counts lines of code, comments and blank ones, by folder and in all.
 *
 * usage: scripts/count [--files] [FOLDER...]     (src when none is given)
 * --files lists every file, the longest first, and the median length.
 *
 * A line with code on it is code, whatever comment stands behind it. The formatter puts a block comment on
 * lines of its own, which is what this relies on. Text inside a template literal (Lua) is code.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

interface Lines {
  code: number;
  comments: number;
  blank: number;
}

const root = resolve(import.meta.dir, "..");

/** The lines of one TypeScript text, told apart. */
export function countLines(text: string): Lines {
  const lines: Lines = { code: 0, comments: 0, blank: 0 };
  let inComment = false;
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const trimmed = line.trim();
    if (inComment || trimmed.startsWith("/*")) {
      lines.comments += 1;
      inComment = !trimmed.includes("*/");
    } else if (trimmed === "") {
      lines.blank += 1;
    } else if (trimmed.startsWith("//")) {
      lines.comments += 1;
    } else {
      lines.code += 1;
    }
  }
  return lines;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** The folder below the counted one that a file is listed under: its first part, or its first three in queue/drivers. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts.slice(0, Math.min(parts.length - 1, path.includes("/queue/drivers/") ? 4 : 2)).join("/");
}

const total = (lines: Lines): number => lines.code + lines.comments + lines.blank;

function print(rows: readonly (readonly [string, Lines & { files: number }])[]): void {
  console.log(["files", "code", "comments", "blank", "lines"].map((head) => head.padStart(9)).join(""));
  for (const [name, lines] of rows) {
    const figures = [lines.files, lines.code, lines.comments, lines.blank, total(lines)];
    console.log(`${figures.map((figure) => String(figure).padStart(9)).join("")}  ${name}`);
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { files: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const folders = positionals.length > 0 ? positionals.map((folder) => resolve(folder)) : [join(root, "src")];
  const counted = folders
    .flatMap(filesOf)
    .map((file) => ({ path: relative(root, file), lines: countLines(readFileSync(file, "utf8")) }));
  const rooms = new Map<string, Lines & { files: number }>();
  const sum = { code: 0, comments: 0, blank: 0, files: 0 };
  for (const { path, lines } of counted) {
    const room = rooms.get(roomOf(path)) ?? { code: 0, comments: 0, blank: 0, files: 0 };
    rooms.set(roomOf(path), room);
    for (const into of [room, sum]) {
      into.files += 1;
      into.code += lines.code;
      into.comments += lines.comments;
      into.blank += lines.blank;
    }
  }
  if (values.files) {
    const byLength = counted.toSorted((a, b) => total(b.lines) - total(a.lines));
    for (const { path, lines } of byLength) console.log(`${String(total(lines)).padStart(6)}  ${path}`);
    const middle = byLength[Math.floor(byLength.length / 2)];
    console.log(`median ${middle === undefined ? 0 : total(middle.lines)} lines`);
  }
  print([...[...rooms].toSorted(([a], [b]) => a.localeCompare(b)), ["in all", sum]]);
}
