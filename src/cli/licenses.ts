import { parseArguments } from "./arguments.ts";
import { bundledLicenses } from "./bundled-licenses.ts";
import type { RunCommand } from "./command.ts";

/** `hookline licenses`: the licences of hookline, of its runtime, and of each package inside of the executable. */
export const licenses: RunCommand = (args, io) => {
  parseArguments(args, {});
  if (bundledLicenses === null) {
    throw new Error(
      "licenses: this is the source, which contains no package; build the executable, or read node_modules",
    );
  }
  io.stdout.writeData(bundledLicenses);
  return Promise.resolve(0);
};
