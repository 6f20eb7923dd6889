import type { Clock } from "../clock.ts";
import { tombstoneMs } from "./records.ts";
import type { RecordListener, RecordStore, StoredRecord } from "./records.ts";

/** Where the records of one process are kept beyond its memory. */
export interface RecordKeeper {
  readonly durable: boolean;
  /** Throws where nothing can be written now; nothing has changed then. */
  requireRoom(): void;
  /** Writes one down; `dropped` are tombstones that nobody needs any more. Resolves when it is safe. */
  keep(record: StoredRecord, dropped: readonly string[]): Promise<void>;
}

/** A record store in this process, which nobody else writes to. */
export interface LocalRecords extends RecordStore {
  /** Puts back what was kept. */
  restore(records: Iterable<StoredRecord>): void;
}

/** Keeps nothing: what is written is gone when the process ends. */
export const forgetfulKeeper: RecordKeeper = {
  durable: false,
  requireRoom: () => undefined,
  keep: async () => undefined,
};

/** See RecordStore. Writes take effect in the order they were called. */
export function createLocalRecords(clock: Clock, keeper: RecordKeeper): LocalRecords {
  /** In the order of their revisions, oldest first. */
  const records = new Map<string, StoredRecord>();
  const listeners: RecordListener[] = [];
  let highest = 0;

  const put = (record: StoredRecord): void => {
    records.delete(record.key);
    records.set(record.key, record);
    highest = Math.max(highest, record.revision);
  };

  const staleTombstones = (now: number): string[] => {
    const stale: string[] = [];
    for (const { key, value, revision } of records.values()) {
      if (revision > (now - tombstoneMs) * 1_000) break;
      if (value === null) stale.push(key);
    }
    return stale;
  };

  return {
    durable: keeper.durable,
    isShared: false,
    async changes(after, limit) {
      const found: StoredRecord[] = [];
      for (const record of records.values()) {
        if (record.revision <= after) continue;
        if (found.length === limit) return { records: found, revision: highest, more: true };
        found.push(record);
      }
      return { records: found, revision: highest, more: false };
    },
    revisions: async () =>
      new Map(
        [...records.values()].flatMap(({ key, value, revision }) =>
          value === null ? [] : [[key, revision]],
        ),
      ),
    async write(key, value, seen) {
      if (seen !== highest) return { status: "behind", revision: highest };
      keeper.requireRoom();
      const now = clock.now();
      const dropped = staleTombstones(now);
      for (const one of dropped) records.delete(one);
      const record = { key, value, revision: Math.max(highest + 1, now * 1_000) };
      put(record);
      await keeper.keep(record, dropped);
      for (const listener of listeners) listener("changed", record.revision);
      return { status: "written", revision: record.revision };
    },
    onChange: (listener) => void listeners.push(listener),
    restore(kept) {
      const sorted = [...kept].sort((one, other) => one.revision - other.revision);
      for (const record of sorted) put(record);
    },
  };
}
