import type { CommandEntry } from "./commands.ts";
import { findSubcommand, subcommandNames, type SubcommandEntry } from "./subcommands.ts";

/** A flag of a command, read from its help. */
export interface CommandFlag {
  /** With the two dashes. */
  readonly name: string;
  /** The name of its value, as FILE; null when it takes none. */
  readonly value: string | null;
  /** What the help says of it, in one line; empty when it says nothing. */
  readonly text: string;
}

/** A line of a command's help that explains a word: the word with its arguments, and the explanation. */
export interface HelpRow {
  readonly head: string;
  readonly text: string;
}

/** What can stand behind a command: read from the same text that `hookline help` prints, so that there is one list. */
export interface CommandWords {
  readonly subcommands: readonly string[];
  readonly flags: readonly CommandFlag[];
  /** An argument of it is the name of a file. */
  readonly takesFile: boolean;
  /** An argument of it is the name of a command. */
  readonly takesCommand: boolean;
}

const flagPattern = /--([a-z][a-z0-9-]*)(?:[ =]([A-Z][A-Z_]*(?:=[A-Z]+)?)\b)?/g;

/** The words of one command. */
export function commandWords(entry: CommandEntry): CommandWords {
  const names = subcommandNames(entry.name);
  const synopses = [entry, ...subcommandsOf(entry.name)].map(({ synopsis }) => synopsis);
  const text = `${synopses.join("\n")}\n${entry.details}`;
  const argumentsOnly = text.replaceAll(flagPattern, "");
  return {
    subcommands: names.length > 0 ? names : readAlternatives(entry.synopsis),
    flags: readFlags(text, helpBlocks(entry.details)),
    takesFile: /\bFILE\b/.test(argumentsOnly),
    takesCommand: /\[COMMAND\b/.test(argumentsOnly),
  };
}

/** The subcommands of a command with their names, in the order of help. */
export function subcommandsOf(command: string): (SubcommandEntry & { readonly name: string })[] {
  return subcommandNames(command).flatMap((name) => {
    const entry = findSubcommand(command, name);
    return entry === undefined ? [] : [{ name, ...entry }];
  });
}

/** The words of a synopsis that is nothing but a choice of them, as `bash|zsh|fish`. */
function readAlternatives(synopsis: string): string[] {
  return /^[a-z]+(\|[a-z]+)+$/.test(synopsis) ? synopsis.split("|") : [];
}

function readFlags(text: string, blocks: readonly HelpBlock[]): CommandFlag[] {
  const rows = blocks.flatMap((block) => (block.kind === "row" ? [block] : []));
  const values = new Map<string, string | null>();
  for (const [, name = "", value] of text.matchAll(flagPattern)) {
    values.set(`--${name}`, value ?? values.get(`--${name}`) ?? null);
  }
  return [...values].map(([name, value]) => {
    const row = rows.find(({ head }) => head === name || head.startsWith(`${name} `));
    return { name, value, text: row?.text ?? "" };
  });
}

/** A piece of a command's details: a paragraph, or a word with its explanation. */
export type HelpBlock =
  | ({ readonly kind: "row" } & HelpRow)
  | { readonly kind: "paragraph"; readonly text: string };

/** A flag and its text, which a long flag pushes up to one space beside it; an indented word; a word that stands apart. */
const rowPatterns = [
  /^ {2}(--[a-z0-9-]+(?: [A-Z=]+)?) +([^ ,].*)$/,
  /^ {2}(\S.*?)(?: {2,}(.*))?$/,
  /^(\S+) {3,}(\S.*)$/,
];

/**
 * The details of a command as blocks.
 *
 * A row is a line that is indented by two spaces, or of which the first word stands apart by three; lines that are indented
 * further go on with it. Everything else is paragraphs, which an empty line ends.
 */
export function helpBlocks(details: string): HelpBlock[] {
  const blocks: HelpBlock[] = [];
  let isOpen = false;
  for (const line of details.split("\n")) {
    const last = blocks.at(-1);
    const row = rowPatterns.map((pattern) => pattern.exec(line)).find((match) => match !== null) ?? null;
    if (line.trim() === "") {
      isOpen = false;
    } else if (isOpen && last !== undefined && /^ {4,}/.test(line)) {
      blocks[blocks.length - 1] = { ...last, text: `${last.text} ${line.trim()}`.trim() };
    } else if (row !== null) {
      blocks.push({ kind: "row", head: row[1] ?? "", text: row[2] ?? "" });
      isOpen = true;
    } else if (isOpen && last?.kind === "paragraph") {
      blocks[blocks.length - 1] = { ...last, text: `${last.text} ${line.trim()}` };
    } else {
      blocks.push({ kind: "paragraph", text: line.trim() });
      isOpen = true;
    }
  }
  return blocks;
}
