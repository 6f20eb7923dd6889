import { version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { commandNames, commands, findCommand } from "./commands.ts";
import { didYouMean } from "../suggest.ts";

/** The overview: every command as an example that can be typed, on a screen of 24 lines and 80 columns. */
export function overview(): string {
  const width = Math.max(...commands.map(({ example }) => example.length));
  return [
    `hookline ${version}: a webhook queue in one executable`,
    "",
    ...commands.map(({ example, summary }) => `  ${example.padEnd(width)}  ${summary}`),
    "",
    "hookline help COMMAND says what else a command takes.",
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
