import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { commands, type CommandEntry } from "./commands.ts";
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { zshCompletion } from "./completion/zsh.ts";

/** A script for each shell, made of the command table. */
export const completions: Readonly<Record<string, (commands: readonly CommandEntry[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `hookline completion bash|zsh|fish`: prints the script that the shell loads. */
export const completion: RunCommand = (args, io) => {
  const [shell = ""] = parseArguments(args, { positionals: ["bash, zsh or fish"], required: 1 }).positionals;
  const write = Object.hasOwn(completions, shell) ? completions[shell] : undefined;
  if (write === undefined) {
    throw new UsageError(`completion: no shell "${shell}"${didYouMean(shell, Object.keys(completions))}`);
  }
  io.stdout.writeData(write(commands));
  return Promise.resolve(0);
};
