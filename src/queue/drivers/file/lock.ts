import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { lockFile, type FileLock } from "../../../file-lock.ts";
import { refused } from "./damage.ts";

/** A store that nobody else may open. */
export type StoreLock = FileLock;

/**
 * Locks a store's folder for this process; the lock ends with it, also by SIGKILL.
 *
 * @throws ConfigError when another process holds it.
 */
export async function lockStore(folder: string): Promise<StoreLock> {
  const path = join(folder, "lock");
  let lock: FileLock | null;
  try {
    lock = await lockFile(path);
  } catch (error) {
    throw refused(`${path} cannot be opened and locked: ${String(error)}`);
  }
  if (lock === null) {
    throw refused(
      `${folder} is in use by ${describeOwner(folder)}: stop it, or give this process a folder of its own`,
    );
  }
  const owner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  writeFileSync(join(folder, "owner"), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  return lock;
}

function describeOwner(folder: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(join(folder, "owner"), "utf8")) as Record<
      string,
      unknown
    >;
    const where = host === hostname() ? "" : ` on ${String(host)}`;
    return `pid ${String(pid)}${where}, since ${String(since)}`;
  } catch {
    // It holds the lock and has not written who it is yet.
    return "another process";
  }
}
