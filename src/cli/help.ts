import { version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { commandNames, commands, findCommand, type CommandEntry } from "./commands.ts";
import { findSubcommand, subcommandLines, subcommandNames } from "./subcommands.ts";
import { didYouMean } from "../suggest.ts";
import { topicNames } from "../docs/topics.ts";
import { wrapped } from "../docs/wrapped.ts";
import { printPage } from "./help-page.ts";

/**
 * The overview, on a screen of 24 lines and 80 columns: every command as an example that can be typed, but those that
 * share a line.
 */
export function overview(): string {
  const shown = commands.filter(({ sharesLine }) => sharesLine === undefined);
  const shared = Map.groupBy(
    commands.filter(({ sharesLine, name }) => sharesLine !== undefined && name !== "help"),
    ({ sharesLine }) => sharesLine as string,
  );
  const rows = [
    ...shown.map(({ example, summary }) => [example, summary] as const),
    ...[...shared].map(
      ([text, some]) => [`hookline ${some.map(({ name }) => name).join("|")}`, text] as const,
    ),
  ];
  const width = Math.max(...shown.map(({ example }) => example.length));
  return [
    `hookline ${version}: a webhook queue in one executable`,
    "",
    ...rows.map(([example, text]) => `  ${example.padEnd(width)}  ${text}`),
    "",
    "hookline help COMMAND says what else a command takes. help also prints a page:",
    ...topicLines(),
    "",
  ].join("\n");
}

/** The names of the pages, in lines of at most 80 characters. */
function topicLines(): string[] {
  return wrapped(`  ${topicNames.join(" ")}`, 80, "  ");
}

/** `hookline help [COMMAND [SUBCOMMAND] | [page] TOPIC]`. */
export const help: RunCommand = async (args, io) => {
  const [name, word] = parseArguments(args, { positionals: ["COMMAND", "SUBCOMMAND"] }).positionals;
  if (name === undefined) {
    io.stdout.write(overview());
    return 0;
  }
  if (name === "page") return printPage(word, io);
  const entry = findCommand(name);
  if (entry === undefined) {
    if (word === undefined && topicNames.includes(name)) return printPage(name, io);
    const known = [...commandNames, ...topicNames];
    throw new UsageError(`no command and no page "${name}"${didYouMean(name, known)}`);
  }
  io.stdout.write(word === undefined ? commandText(entry) : subcommandText(entry, word));
  return 0;
};

function commandText({ name, synopsis, summary, example, details }: CommandEntry): string {
  const parts = [
    `usage: hookline ${name} ${synopsis}`.trimEnd() + `\n${summary}\n`,
    `example: ${example}\n`,
    subcommandLines(name),
    details === "" ? "" : `${details}\n`,
    topicNames.includes(name) ? `The page of this name: hookline help page ${name}\n` : "",
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function subcommandText({ name, details }: CommandEntry, word: string): string {
  const entry = findSubcommand(name, word);
  const names = subcommandNames(name);
  if (entry !== undefined) {
    const usage = `usage: hookline ${name} ${word} ${entry.synopsis}`.trimEnd();
    return `${usage}\n${entry.summary}\n\n${details}\n`;
  }
  if (names.length === 0) throw new UsageError(`${name} has no subcommands: hookline help ${name}`);
  throw new UsageError(`${name}: no subcommand "${word}"${didYouMean(word, names)}`);
}
