import type { CommandEntry } from "./commands.ts";
import { helpBlocks, subcommandsOf } from "./command-words.ts";

/** What the page's first line says beside the name. */
export interface ManPageFacts {
  readonly version: string;
  /** ISO 8601; null in the source, which has no date. */
  readonly date: string | null;
}

/** The manual page hookline(1), in man's macros (man(7)), made of the command table. */
export function manPage(commands: readonly CommandEntry[], { version, date }: ManPageFacts): string {
  const day = date === null ? "" : date.slice(0, 10);
  return [
    `.TH HOOKLINE 1 "${day}" "hookline ${version}" "hookline"`,
    // Set to the left and without hyphens: a command is to be read as it is typed.
    ".ad l",
    ".nh",
    ".SH NAME",
    "hookline \\- a webhook queue in one executable",
    ".SH SYNOPSIS",
    ...commands.flatMap(({ name, synopsis }) => [
      `.B hookline ${escape(name)}`,
      ...(synopsis === "" ? [] : [escape(synopsis)]),
      ".br",
    ]),
    ".SH DESCRIPTION",
    escape(
      "Takes webhook jobs over HTTP, from Redis or from SQS, delivers them as signed HTTP requests, retries them, and keeps what is given up as dead letters.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(commandSection),
    ".SH EXIT STATUS",
    ...row("0", "Done, or drained."),
    ...row("1", "Failed, or the restart intensity was exceeded."),
    ...row("2", "The command line cannot be understood."),
    ...row("78", "The configuration cannot be used."),
    ".SH FILES",
    ...row(
      "./hookline.json",
      "The configuration, where neither --config nor $HOOKLINE_CONFIG names another file.",
    ),
    ...row(
      "/etc/hookline/hookline.json",
      "The configuration of the service that the Debian package installs.",
    ),
    ".SH ENVIRONMENT",
    escape(
      "Each key of the configuration can be set by a variable: HOOKLINE_ and its path in upper case with __ between the parts, as HOOKLINE_SERVER__PORT. A name with _FILE behind it reads the value from that file. `hookline config print` shows what is in force and where it comes from.",
    ),
    "",
  ].join("\n");
}

function commandSection({ name, summary, example, details }: CommandEntry): string[] {
  const lines = [`.SS hookline ${escape(name)}`, `${escape(sentence(summary))} Example:`, ".PP"];
  lines.push(".RS", `.B ${escape(example)}`, ".RE");
  for (const part of subcommandsOf(name)) {
    lines.push(...row(`${part.name} ${part.synopsis}`.trimEnd(), sentence(part.summary)));
  }
  for (const block of helpBlocks(details)) {
    if (block.kind === "row") lines.push(...row(block.head, block.text));
    else lines.push(".PP", escape(block.text));
  }
  return lines;
}

/** A word in bold and its explanation beside it; without one the word stands alone. */
const row = (head: string, text: string): string[] =>
  text === "" ? [".PP", `.B ${escape(head)}`] : [".TP", `.B ${escape(head)}`, escape(text)];

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

/** A backslash, a dash and quotes mean something to roff; so does a dot or an apostrophe that begins a line. */
function escape(text: string): string {
  const safe = text
    // Not every terminal has it.
    .replaceAll("·", "|")
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll('"', "\\(dq")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq");
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}
