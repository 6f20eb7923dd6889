/**
 * A small database beside the jobs, for what the API stores: apps and endpoints. Values are bytes that the backend
 * cannot read; keys are names.
 *
 * Every write gives its record a *revision*: a number, about the microseconds since 1970 by the backend's clock, that is
 * higher than every other in the store. A removed record stays as a tombstone for seven days. So a process fetches only
 * what is newer than what it has.
 *
 * - `write` compares in the writing step: it is done only if nothing was written since the revision that the writer has
 *   seen. What a writer checked against the others, an id or a key that is nobody else's, is therefore still so.
 * - When it resolves with `written`, the record is in the backend. When it throws (DriverUnavailableError), it may be
 *   there or not.
 * - A listener is called within 2 seconds of every write by any process, this one included, and at times for nothing.
 * - What the backend takes back (a failover that loses the last writes) is found by `revisions`; listeners are told
 *   `lost` when that may have happened.
 */
export interface RecordStore {
  /** Several processes may write to it. */
  readonly isShared: boolean;
  /** What is written survives the process; else it needs no cipher. */
  readonly durable: boolean;
  /** What was written after a revision, oldest first; 0 = everything there is. At most so many records. */
  changes(after: number, limit: number): Promise<RecordChanges>;
  /** Every record there is, with its revision. */
  revisions(): Promise<ReadonlyMap<string, number>>;
  /** Writes or removes (null) a record, if `seen` is the highest revision of the store. */
  write(key: string, value: Uint8Array | null, seen: number): Promise<RecordWrite>;
  /** The listener is given the revision where the one who wrote told it. */
  onChange(listener: RecordListener): void;
}

export type RecordListener = (why: "changed" | "lost", revision?: number) => void;

export interface StoredRecord {
  readonly key: string;
  readonly revision: number;
  /** Null for one that was removed. */
  readonly value: Uint8Array | null;
}

export interface RecordChanges {
  /** Each record at most once, as it is now. */
  readonly records: readonly StoredRecord[];
  /** The highest revision of the store; lower than what was asked for when the backend took something back. */
  readonly revision: number;
  /** There are more: ask again after the last record's revision. */
  readonly more: boolean;
}

export type RecordWrite =
  | { readonly status: "written"; readonly revision: number }
  /** Something was written since; `revision` is the highest. */
  | { readonly status: "behind"; readonly revision: number };

/** How long a removed record's tombstone stays. */
export const tombstoneMs = 7 * 24 * 3_600_000;

/** Longest key and value, in bytes. */
export const recordLimits = { key: 256, value: 256 * 1024 } as const;
