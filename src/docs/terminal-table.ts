import { shownInline, wrapped } from "./wrapped.ts";

/** Whether a line of Markdown belongs to a table. */
export const isTableRow = (line: string): boolean => line.startsWith("|");

/**
 * A table of Markdown as a terminal shows it: in columns where it fits into the width; else row by row, each with its
 * first cell on a line and the others, after the names of their columns, below.
 */
export function terminalTable(rows: readonly string[], width: number): string[] {
  const [head = [], , ...body] = rows.map(cellsOf);
  const all = head.every((cell) => cell === "") ? body : [head, ...body];
  const widths = head.map((_, column) => Math.max(...all.map((cells) => (cells[column] ?? "").length)));
  const total = widths.reduce((sum, one) => sum + one + 2, -2);
  if (total <= width) {
    return all.map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
  return body.flatMap(([first = "", ...others]) => [
    ...wrapped(first, width),
    ...others.flatMap((cell, at) => {
      if (cell === "") return [];
      const name = others.length === 1 ? "" : (head[at + 1] ?? "");
      return wrapped(`    ${name === "" ? cell : `${name}: ${cell}`}`, width, "    ");
    }),
    "",
  ]);
}

/** The cells of a row; a `\|` is part of its cell. */
const cellsOf = (row: string): string[] =>
  row
    .replace(/^\|/, "")
    .replace(/\|\s*$/, "")
    .split(/(?<!\\)\|/)
    .map((cell) => shownInline(cell.trim()));
