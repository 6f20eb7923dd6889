import { ConfigError } from "../../../errors.ts";

/** A store that must not be opened as it is: exit code 78, with the file and the place named. */
export function damaged(path: string, offset: number | null, problem: string): ConfigError {
  const where = offset === null ? path : `${path}, offset ${offset}`;
  return refused(
    `${where}: ${problem}. Nothing was changed. "hookline store check" lists all of it, "hookline store salvage --to DIR" writes what can be read to a new store`,
  );
}

/** A store that cannot be used, and what to do about it. */
export function refused(message: string): ConfigError {
  return new ConfigError([{ path: "queue.file.path", source: "", message }]);
}
