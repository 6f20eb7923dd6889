/** A file that nobody else may lock. */
export interface FileLock {
  release(): void;
}

/** Referenced for as long as they are held: a handle that is garbage-collected loses its lock without a word. */
const held = new Set<unknown>();

/**
 * Locks a file for this process, and makes it where there is none; the lock ends with the process, also by SIGKILL. Null
 * when another process holds it.
 *
 * node:fs has no flock. An exclusive transaction on a SQLite file of its own holds between Bun and Deno processes. The
 * file is never opened by other means: POSIX would drop all locks of this process on it.
 *
 * @throws What SQLite says where the file cannot be made or opened.
 */
export async function lockFile(path: string): Promise<FileLock | null> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (/is locked|busy/i.test(String(error))) return null;
    throw error;
  }
  held.add(database);
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}
