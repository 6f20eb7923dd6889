import { appendFileSync } from "node:fs";
import { join } from "node:path";

let folder: string | null = null;

/** From now on what each process wrote is kept there, in a file for each. */
export function keepLogsIn(path: string): void {
  folder = path;
}

/** Keeps what a process wrote until its end. */
export function keepLog(name: string, output: string): void {
  if (folder !== null) appendFileSync(join(folder, `${name.replaceAll(" ", "-")}.log`), output);
}
