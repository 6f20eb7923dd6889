import { buildInfo, version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { commands } from "./commands.ts";
import { manPage } from "./man-page.ts";

/** `hookline man`: the manual page, to be read by man or put where man looks. */
export const man: RunCommand = (args, io) => {
  parseArguments(args, {});
  io.stdout.writeData(manPage(commands, { version, date: buildInfo.date }));
  return Promise.resolve(0);
};
