import { showInLine } from "../terminal.ts";

/** Rows with their columns aligned, one a line; controls in a cell are escaped, so that no cell makes a row of its own. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(showInLine));
  const widths = (shown[0] ?? []).map((_, column) =>
    Math.max(...shown.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return shown.map((row) => `${line(row).trimEnd()}\n`).join("");
}
