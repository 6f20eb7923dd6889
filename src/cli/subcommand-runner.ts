import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import type { RunCommand } from "./command.ts";

/**
 * A command whose first word says what it does.
 *
 * @param fallback The subcommand that it is without a word; absent: one must be given.
 */
export function withSubcommands(
  command: string,
  subcommands: Readonly<Record<string, RunCommand>>,
  fallback?: RunCommand,
): RunCommand {
  const names = Object.keys(subcommands);
  return (args, io) => {
    const [word, ...rest] = args;
    if (fallback !== undefined && (word === undefined || word.startsWith("-"))) return fallback(args, io);
    if (word === undefined) {
      throw new UsageError(`${command}: a subcommand is missing, one of ${names.join(", ")}`);
    }
    const run = names.includes(word) ? subcommands[word] : undefined;
    if (run === undefined)
      throw new UsageError(`${command}: no subcommand "${word}"${didYouMean(word, names)}`);
    return run(rest, io);
  };
}
