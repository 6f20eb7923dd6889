import { rmSync, statSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { close, inodeOf, isDamage, moveAside, openHistoryFile, pragma, type HistoryFile } from "./open.ts";
import type { Condition } from "./query.ts";
import { recordFields, type RecordField } from "./record.ts";
import type { HistoryRow, WrittenAttempt } from "./row.ts";

/** How much a history may hold. */
export interface HistoryBounds {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

/** A history file as its thread works on it. Whatever throws has changed nothing. */
export interface HistoryStore {
  /** Its entries' ids begin with it. */
  readonly run: string;
  /** What happened to the file since this was asked, for the log; empty mostly. */
  notes(): string[];
  /** Writes a batch of records as a whole: the fields of all of them, one after the other. */
  append(fields: readonly string[]): void;
  /** Removes what is too old, or too much, a bounded number of rows at a time; whether there is more to remove. */
  prune(now: number, bounds: HistoryBounds): boolean;
  /** Newest first, as many as fit into one message; whether there is none after them. */
  list(below: number | null, condition: Condition, most: number): { rows: HistoryRow[]; isLast: boolean };
  /** Deliveries that may be attempted again. */
  readonly open: number;
  find(number: number): HistoryRow | null;
  close(): void;
}

/** Of one delivery: a schedule may have any number of them. */
const mostAttempts = 50;
/** Characters of one answer to a reader. */
const mostCharacters = 2_000_000;
/** Between two looks through the oldest rows for some that are too old behind one that is not. */
const lookEveryMs = 30_000;
/** Rows that are removed at a time, so that a batch waits for some 20 ms at most. */
const removedTogether = 2_000;
/** What may be written between two looks, about; serve.ts looks more often than that where texts are plain. */
const betweenLooksBytes = 8_388_608;
/** Another program that reads keeps SQLite from emptying its log, which then grows. */
const mostLogShare = 0.25;

const field = Object.fromEntries(recordFields.map((name, place) => [name, place])) as Record<
  RecordField,
  number
>;

export function createHistoryStore(path: string): HistoryStore {
  let notes: string[] = [];
  let file = openFile();
  let statements = prepareStatements(file.database);
  let { next } = file;
  /** Deliveries that may be attempted again: while there is none, nobody looks for one. */
  let open = statements.countOpen();
  /** The log beside it, which SQLite would take for that of whatever file has this path. */
  let logInode = inodeOf(`${path}-wal`);
  /** When the oldest ones were looked through. */
  let lookedAt = 0;
  /** A file that could not be opened again is tried again with the next call. */
  let isLost = false;

  function openFile(): HistoryFile {
    const opened = openHistoryFile(path);
    if (opened.movedAside !== null) notes.push(opened.movedAside);
    return opened;
  }
  function reopen(): void {
    isLost = true;
    close(file.database);
    file = openFile();
    statements = prepareStatements(file.database);
    ({ next } = file);
    open = statements.countOpen();
    isLost = false;
  }
  /** Somebody removed the file, or put another one in its place: what is written would be read by nobody. */
  function followFile(): void {
    const inode = inodeOf(path);
    if (isLost) return reopen();
    if (inode === file.inode) return;
    notes.push(
      inode === ""
        ? `${path} was removed while it was in use; it is made anew`
        : `${path} was replaced while it was in use; the new file is used from now on`,
    );
    close(file.database);
    for (const end of ["-wal", "-shm"]) {
      if (end === "-shm" || inodeOf(path + end) === logInode) rmSync(path + end, { force: true });
    }
    reopen();
  }
  /** A damaged file is moved aside, and the work is done on a new one. */
  function onSoundFile<T>(work: () => T): T {
    followFile();
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      isLost = true;
      close(file.database);
      notes.push(
        `${path} is damaged (${(error as Error).message}); it was moved to ${moveAside(path, "damaged")}`,
      );
      reopen();
      return work();
    }
  }
  function inTransaction<T>(work: () => T): T {
    const { database } = file;
    const before = { next, open };
    database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      database.exec("COMMIT");
      logInode = inodeOf(`${path}-wal`);
      return result;
    } catch (error) {
      ({ next, open } = before);
      try {
        database.exec("ROLLBACK");
      } catch {
        // SQLite has rolled back by itself, as it does on a full disk.
      }
      throw error;
    }
  }

  const insert = (fields: readonly string[], at: number): void => {
    const text = (name: RecordField): string => fields[at + field[name]] as string;
    const orNull = (name: RecordField): string | null => text(name) || null;
    const attemptJson = text("attemptJson");
    const time = Number(text("at"));
    const status = text("status");
    const state = text("state");
    statements.insertDelivery.run(
      next,
      text("queue"),
      orNull("app"),
      text("endpoint"),
      text("jobId"),
      text("webhookId"),
      text("events"),
      time,
      time,
      orNull("outcome"),
      status === "" ? null : Number(status),
      state,
      orNull("reason"),
    );
    const cancelledAt = text("cancelledAt");
    statements.insertContent.run(
      next,
      text("endpointName"),
      orNull("resendOf"),
      `[${attemptJson}]`,
      0,
      cancelledAt === "" ? null : Number(cancelledAt),
      orNull("headers"),
      orNull("job"),
      text("job") === "" ? null : text("body"),
    );
    next += 1;
    if (isOpen(state)) open += 1;
  };

  /** Adds to the delivery that the record goes on with; false where there is none. */
  const extend = (fields: readonly string[], at: number): boolean => {
    const text = (name: RecordField): string => fields[at + field[name]] as string;
    const row = statements.findOpen.get(text("webhookId"), text("queue")) as
      | { number: number; attempts: string; attempts_left_out: number; first_at: number }
      | undefined;
    if (row === undefined) return false;
    const attempts = JSON.parse(row.attempts) as WrittenAttempt[];
    let leftOut = row.attempts_left_out;
    const state = text("state");
    const cancelledAt = text("cancelledAt");
    if (cancelledAt === "") {
      // A redrive counts from 1 again and is another delivery to look at.
      if (Number(text("attempt")) < (attempts.at(-1)?.attempt ?? 0)) return false;
      if (attempts.length === mostAttempts) {
        attempts.splice(1, 1);
        leftOut += 1;
      }
      attempts.push(JSON.parse(text("attemptJson")) as WrittenAttempt);
      const status = text("status");
      statements.attempted.run(
        Number(text("at")),
        text("outcome"),
        status === "" ? null : Number(status),
        state,
        text("reason") || null,
        row.number,
      );
      statements.extendContent.run(JSON.stringify(attempts), leftOut, text("headers") || null, row.number);
    } else {
      statements.cancelled.run(Number(cancelledAt), row.number);
      statements.cancelContent.run(Number(cancelledAt), row.number);
    }
    if (!isOpen(state)) open -= 1;
    return true;
  };

  /** Removes those of the oldest that ended before; the number that comes next is kept, for none may be given twice. */
  const remove = (upTo: number, before: number): void =>
    inTransaction(() => {
      statements.keepNext.run(String(next));
      statements.removeDeliveries.run(upTo, before);
      statements.removeContents.run(upTo, upTo);
      open = statements.countOpen();
    });

  return {
    get run() {
      return file.run;
    },
    get open() {
      return open;
    },
    notes() {
      const said = notes;
      notes = [];
      return said;
    },
    append: (fields) =>
      onSoundFile(() => {
        inTransaction(() => {
          for (let at = 0; at < fields.length; at += recordFields.length) {
            const goesOn = open > 0 && extend(fields, at);
            if (!goesOn && fields[at] !== "continue") insert(fields, at);
          }
        });
      }),
    prune: (now, { maxAgeMs, maxBytes }) =>
      onSoundFile(() => {
        const first = statements.first.get() as { last_at: number } | undefined;
        if (first === undefined) return false;
        const { database } = file;
        const pages = pragma(database, "page_count");
        const size = pragma(database, "page_size");
        const logBytes = bytesOf(`${path}-wal`);
        const used = (pages - pragma(database, "freelist_count")) * size + logBytes;
        const room = maxBytes - Math.max(maxBytes / 10, betweenLooksBytes);
        const cutoff = now - maxAgeMs;
        const isLarge =
          used > room || pages * size + logBytes > maxBytes || logBytes > maxBytes * mostLogShare;
        // The first one may live on, in its retries, when many after it are too old.
        if (first.last_at >= cutoff && !isLarge && Math.abs(now - lookedAt) < lookEveryMs) return false;
        lookedAt = now;
        const oldest = statements.oldest.all(removedTogether) as { number: number; last_at: number }[];
        const expired = oldest.findLastIndex(({ last_at: at }) => at < cutoff);
        if (expired !== -1) {
          remove((oldest[expired] as { number: number }).number, cutoff);
          return expired === removedTogether - 1;
        }
        if (used > room) {
          const total = next - (oldest[0] as { number: number }).number;
          const wanted = Math.ceil(total * Math.max(0.02, (used - room) / used));
          const last = oldest[Math.min(wanted, oldest.length) - 1] as { number: number };
          remove(last.number, Number.MAX_SAFE_INTEGER);
        }
        if (pages * size + logBytes > maxBytes) database.exec("PRAGMA incremental_vacuum(2000)");
        if (logBytes > maxBytes * mostLogShare) {
          const { busy } = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
          if (busy !== 0) {
            throw new Error(
              `another program reads ${path} for so long that ${path}-wal has grown to ${logBytes} bytes: end it`,
            );
          }
        }
        return used > room;
      }),
    list: (below, { sql, values }, most) =>
      onSoundFile(() => {
        const numbers = file.database
          .prepare(`SELECT number FROM deliveries WHERE number < ?${sql} ORDER BY number DESC LIMIT ?`)
          .all(below ?? Number.MAX_SAFE_INTEGER, ...values, most) as { number: number }[];
        const rows: HistoryRow[] = [];
        let characters = 0;
        for (const { number } of numbers) {
          const row = statements.find.get(number) as unknown as HistoryRow;
          rows.push(row);
          characters += (row.body?.length ?? 0) + row.attempts.length + (row.headers?.length ?? 0) + 500;
          if (characters > mostCharacters) break;
        }
        return { rows, isLast: numbers.length < most && rows.length === numbers.length };
      }),
    find: (number) => onSoundFile(() => (statements.find.get(number) as HistoryRow | undefined) ?? null),
    close: () => close(file.database),
  };
}

function isOpen(state: string): boolean {
  return state === "retrying" || state === "released";
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const opened = prepare("SELECT count(*) AS count FROM deliveries WHERE state IN ('retrying', 'released')");
  return {
    countOpen: (): number => (opened.get() as { count: number }).count,
    insertDelivery: prepare("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    insertContent: prepare("INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    findOpen: prepare(
      `SELECT number, first_at, attempts, attempts_left_out FROM deliveries JOIN contents USING (number)
       WHERE webhook_id = ? AND state IN ('retrying', 'released') AND queue = ? ORDER BY number DESC LIMIT 1`,
    ),
    attempted: prepare(
      "UPDATE deliveries SET last_at = ?, outcome = ?, status = ?, state = ?, reason = ? WHERE number = ?",
    ),
    extendContent: prepare(
      "UPDATE contents SET attempts = ?, attempts_left_out = ?, headers = ? WHERE number = ?",
    ),
    cancelled: prepare("UPDATE deliveries SET last_at = ?, state = 'cancelled' WHERE number = ?"),
    cancelContent: prepare("UPDATE contents SET cancelled_at = ? WHERE number = ?"),
    first: prepare("SELECT last_at FROM deliveries ORDER BY number LIMIT 1"),
    oldest: prepare("SELECT number, last_at FROM deliveries ORDER BY number LIMIT ?"),
    keepNext: prepare("INSERT OR REPLACE INTO facts VALUES ('next', ?)"),
    removeDeliveries: prepare("DELETE FROM deliveries WHERE number <= ? AND last_at < ?"),
    removeContents: prepare(
      "DELETE FROM contents WHERE number <= ? AND number NOT IN (SELECT number FROM deliveries WHERE number <= ?)",
    ),
    find: prepare(
      `SELECT number, queue, app, endpoint, job_id, webhook_id, events, state, reason, endpoint_name, resend_of,
              attempts, attempts_left_out, cancelled_at, headers, job, body
       FROM deliveries JOIN contents USING (number) WHERE number = ?`,
    ),
  };
}
