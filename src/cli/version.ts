import { version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";

/** `hookline version`: the version alone on a line, for scripts. */
export const printVersion: RunCommand = (args, io) => {
  parseArguments(args, {});
  io.stdout.writeLine(version);
  return Promise.resolve(0);
};
