import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { applicationId, createTables, schemaVersion } from "./schema.ts";

/** An open history file. */
export interface HistoryFile {
  readonly database: DatabaseSync;
  /** Its entries' ids begin with it. */
  readonly run: string;
  /** The number that the next entry gets. */
  readonly next: number;
  /** Names the file itself, so that another one in its place is noticed. */
  readonly inode: string;
  /** Why the file that was there before was moved aside, and to where; null where none was. */
  readonly movedAside: string | null;
}

/** The file cannot be used, and is left as it is: the operator has to name another one. */
export class ForeignFileError extends Error {
  override readonly name = "ForeignFileError";
}

/**
 * Opens a history file, or makes it. What is damaged, or of another version, is moved aside, so that a history never
 * stops deliveries.
 *
 * @throws ForeignFileError for somebody else's database; any other error is the disk's or SQLite's.
 */
export function openHistoryFile(path: string): HistoryFile {
  let movedAside: string | null = null;
  // Twice: once moved aside, what is made anew can be used.
  for (;;) {
    createPrivate(path);
    const found = tryOpen(path);
    if (!("unusable" in found)) return { ...found, movedAside };
    if (movedAside !== null) throw new Error(`${path}: ${found.unusable}`);
    movedAside = `${found.unusable}; it was moved to ${moveAside(path, found.mark)}`;
  }
}

/** Names a file; "" where there is none. */
export function inodeOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}

/** Whether an error of SQLite says that the file's content is no longer right. */
export function isDamage(error: unknown): boolean {
  return /malformed|not a database|file is encrypted|database corruption/i.test(String(error));
}

type Tried = Omit<HistoryFile, "movedAside"> | { readonly unusable: string; readonly mark: string };

function tryOpen(path: string): Tried {
  const database = new DatabaseSync(path);
  try {
    // Others may read it with `sqlite3` meanwhile; a lock of theirs is waited for on this thread only.
    database.exec("PRAGMA busy_timeout = 2000");
    const [id, version] = [pragma(database, "application_id"), pragma(database, "user_version")];
    const { count } = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as {
      count: number;
    };
    if (count === 0) {
      database.exec("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL");
      prepare(database);
      createTables(database, randomBytes(4).toString("hex"));
    } else if (id !== applicationId) {
      throw new ForeignFileError(`${path} is a SQLite file, but no history of hookline: name another one`);
    } else if (version !== schemaVersion) {
      database.close();
      return {
        unusable: `${path} was written by another version of hookline (schema ${version}, this one has ${schemaVersion})`,
        mark: `version-${version}`,
      };
    } else prepare(database);
    const facts = new Map(
      (database.prepare("SELECT name, value FROM facts").all() as { name: string; value: string }[]).map(
        ({ name, value }) => [name, value],
      ),
    );
    const { last } = database.prepare("SELECT max(number) AS last FROM deliveries").get() as {
      last: number | null;
    };
    database.prepare("SELECT max(number) FROM contents").get();
    const run = facts.get("run");
    if (run === undefined) throw new Error("database corruption: it has no run");
    const next = Math.max((last ?? 0) + 1, Number(facts.get("next") ?? 1));
    return { database, run, next, inode: inodeOf(path) };
  } catch (error) {
    close(database);
    if (!isDamage(error)) throw error;
    return { unusable: `${path} is damaged (${(error as Error).message})`, mark: "damaged" };
  }
}

/** A checkpoint syncs, on this thread: a power cut loses the last seconds and damages nothing. */
function prepare(database: DatabaseSync): void {
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4000; PRAGMA journal_size_limit = 8388608",
  );
}

/** The value of a pragma that is a number. */
export function pragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return Number(row[name]);
}

/** Makes the file where there is none, for its owner only; SQLite gives its other files the same rights. */
function createPrivate(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}

/** Renames a file of SQLite with those beside it; returns its new name. */
export function moveAside(path: string, mark: string): string {
  const time = new Date().toISOString().replace(/[:.]/g, "-");
  const target = `${path}.${mark}-${time}`;
  for (const end of ["-wal", "-shm"]) {
    if (existsSync(path + end)) renameSync(path + end, target + end);
  }
  renameSync(path, target);
  return target;
}

/** Closes what may not be closable any more. */
export function close(database: DatabaseSync): void {
  try {
    database.close();
  } catch {
    // What was wrong has been reported already; the handle goes with the garbage.
  }
}
