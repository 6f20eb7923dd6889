import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { refused } from "./damage.ts";

/** A store that nobody else may open. */
export interface StoreLock {
  release(): void;
}

/** Referenced for as long as they are held: a handle that is garbage-collected loses its lock without a word. */
const held = new Set<unknown>();

/**
 * Locks a store's folder for this process; the lock ends with it, also by SIGKILL.
 *
 * node:fs has no flock. An exclusive transaction on a SQLite file of its own holds between Bun and Deno processes. The
 * file is never opened by other means: POSIX would drop all locks of this process on it.
 *
 * @throws ConfigError when another process holds it.
 */
export async function lockStore(folder: string): Promise<StoreLock> {
  const { DatabaseSync } = await import("node:sqlite");
  const path = join(folder, "lock");
  const database = openDatabase(DatabaseSync, path);
  try {
    database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!/is locked|busy/i.test(String(error))) throw refused(`${path} cannot be locked: ${String(error)}`);
    throw refused(
      `${folder} is in use by ${describeOwner(folder)}: stop it, or give this process a folder of its own`,
    );
  }
  held.add(database);
  const owner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  writeFileSync(join(folder, "owner"), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}

function openDatabase<T>(Database: new (path: string) => T, path: string): T {
  try {
    return new Database(path);
  } catch (error) {
    throw refused(`${path} cannot be opened: ${String(error)}`);
  }
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
