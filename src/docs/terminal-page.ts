import { shownInline, wrapped } from "./wrapped.ts";
import { isTableRow, terminalTable } from "./terminal-table.ts";

/**
 * A page of docs/ as a terminal shows it: paragraphs as wide as the terminal, tables in columns where they fit.
 *
 * Code stays as it is, with an indent, so that a command can be copied. No colours: they are controls, and what leaves
 * a command has none.
 *
 * @param columns Of the terminal. A line of text is at most 100 characters long, which is easier to read.
 */
export function terminalPage(markdown: string, columns: number): string {
  const width = Math.min(columns, 100);
  const lines = markdown.trimEnd().split("\n");
  const out: string[] = [];
  let index = 0;
  /** Takes lines while they belong to one block. */
  const take = (belongs: (line: string) => boolean): string[] => {
    const start = index;
    while (index < lines.length && belongs(lines[index] as string)) index += 1;
    return lines.slice(start, index);
  };
  while (index < lines.length) {
    const line = lines[index] as string;
    const heading = /^(#+) (.*)$/.exec(line);
    if (line === "") {
      out.push("");
      index += 1;
    } else if (line.startsWith("```")) {
      index += 1;
      out.push(...take((one) => !one.startsWith("```")).map((one) => `    ${one}`.trimEnd()));
      index += 1;
    } else if (line.startsWith("    ")) {
      out.push(...take((one) => one.startsWith("    ")));
    } else if (heading !== null) {
      out.push(...headingLines(heading[1] as string, shownInline(heading[2] as string)));
      index += 1;
    } else if (isTableRow(line)) {
      out.push(...terminalTable(take(isTableRow), width));
    } else {
      index += 1;
      const more = take(isContinued).map((one) => one.trim());
      out.push(...wrapped([line, ...more].join(" "), width, " ".repeat(listMark(line).length)));
    }
  }
  return `${out.join("\n")}\n`;
}

function headingLines(marks: string, text: string): string[] {
  if (marks.length > 2) return [text];
  return [text, (marks.length === 1 ? "=" : "-").repeat(text.length)];
}

/** Whether a line goes on with the paragraph or the item of a list before it. */
function isContinued(line: string): boolean {
  return line !== "" && !/^(#+ |```|\||    )/.test(line) && listMark(line) === "";
}

/** `- ` or `1. ` at the beginning of a line; empty where there is none. */
const listMark = (line: string): string => /^ *(-|\d+\.) /.exec(line)?.[0] ?? "";
