import type { DatabaseSync } from "node:sqlite";

/** "hklh": tells a history from any other SQLite file. */
export const applicationId = 0x686b6c68;

/** Of the tables below. A file of another one is moved aside. */
export const schemaVersion = 1;

/**
 * What a history file consists of; docs/history.md explains it to those who read it with `sqlite3`.
 *
 * A delivery is a narrow row, which every filter can be held against, and a wide one with what is shown of it. So a look
 * through a million deliveries reads some 150 MB, and an insert changes no index, whose pages would be written all over
 * the file: only deliveries that may be attempted again have one, because the next attempt looks for them.
 */
const tables = `
CREATE TABLE deliveries (
  number INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  app TEXT,
  endpoint TEXT NOT NULL,
  job_id TEXT NOT NULL,
  webhook_id TEXT NOT NULL,
  events TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  outcome TEXT,
  status INTEGER,
  state TEXT NOT NULL,
  reason TEXT
);
CREATE INDEX deliveries_open ON deliveries (webhook_id) WHERE state IN ('retrying', 'released');
CREATE TABLE contents (
  number INTEGER PRIMARY KEY,
  endpoint_name TEXT NOT NULL,
  resend_of TEXT,
  attempts TEXT NOT NULL,
  attempts_left_out INTEGER NOT NULL DEFAULT 0,
  cancelled_at INTEGER,
  headers TEXT,
  job TEXT,
  body
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE VIEW attempts AS
  SELECT d.number, d.queue, d.app, d.endpoint, d.job_id, d.webhook_id,
         a.value ->> 'attempt' AS attempt,
         strftime('%Y-%m-%dT%H:%M:%fZ', (a.value ->> 'at') / 1000.0, 'unixepoch') AS at,
         a.value ->> 'outcome' AS outcome,
         a.value ->> 'status' AS status,
         a.value ->> 'duration_ms' AS duration_ms,
         a.value ->> 'answer' AS answer
  FROM deliveries d JOIN contents c USING (number), json_each(c.attempts) a;
`;

/** Makes the tables in an empty file, and gives the file its name, which its entries' ids begin with. */
export function createTables(database: DatabaseSync, run: string): void {
  database.exec(
    `BEGIN IMMEDIATE; ${tables} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`,
  );
  database.prepare("INSERT INTO facts VALUES ('run', ?)").run(run);
  database.exec("COMMIT");
}
