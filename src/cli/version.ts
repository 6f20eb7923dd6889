import { buildInfo, version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";

/** `hookline version`: the version alone on the first line, for scripts; then what it was built from, as far as it is known. */
export const printVersion: RunCommand = (args, io) => {
  const { switches } = parseArguments(args, { switches: ["json"] });
  if (switches.has("json")) {
    io.stdout.writeLine(JSON.stringify({ version, ...buildInfo }));
    return Promise.resolve(0);
  }
  io.stdout.writeLine(version);
  for (const [name, value] of Object.entries(buildInfo)) {
    if (value !== null) io.stdout.writeLine(`${name} ${value}`);
  }
  return Promise.resolve(0);
};
