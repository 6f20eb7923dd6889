import { version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { commandNames, commands, findCommand } from "./commands.ts";
import { didYouMean } from "../suggest.ts";

/** The overview: every command with one example each, on a screen of 24 lines and 80 columns. */
export function overview(): string {
  return [
    `hookline ${version}: a webhook queue in one executable`,
    "",
    ...commands.map((entry) => `  ${entry.name.padEnd(9)}${entry.summary}`),
    "",
    "Examples:",
    ...commands.map((entry) => `  ${entry.example}`),
    "Exit codes: 0 done, 1 failed, 2 usage, 78 configuration.",
    "",
  ].join("\n");
}

/** `hookline help [COMMAND]`. */
export const help: RunCommand = (args, io) => {
  const name = parseArguments(args, { positionals: ["COMMAND"] }).positionals[0];
  if (name === undefined) {
    io.stdout.write(overview());
    return Promise.resolve(0);
  }
  const entry = findCommand(name);
  if (entry === undefined) throw new UsageError(`no command "${name}"${didYouMean(name, commandNames)}`);
  io.stdout.write(
    `usage: hookline ${entry.name} ${entry.synopsis}`.trimEnd() +
      `\n${entry.summary}\n\nexample: ${entry.example}\n${entry.details === "" ? "" : `\n${entry.details}\n`}`,
  );
  return Promise.resolve(0);
};
