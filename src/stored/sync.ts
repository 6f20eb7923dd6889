import { createBackoff } from "../backoff.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { RecordStore, StoredRecord } from "../queue/records.ts";
import { sleep } from "../wait.ts";

/** What a process has of the store, kept up to date. */
export interface Sync {
  /** The revision up to which everything is in force here. */
  readonly applied: number;
  /** The highest revision that this process knows of; what it takes in is to be routed by nothing older. */
  readonly known: number;
  /** Why the store could not be read at the last try; null when it could. */
  readonly fault: { readonly error: Error; readonly since: number } | null;
  /** Brings this process up to date with everything that was written before the call. Throws what the store throws. */
  look(): Promise<void>;
  /** Everything is to be read anew at the next look, because it may be read otherwise now. */
  forget(): void;
  /** Looks again and again, until it has worked once; for what nobody waits for. */
  follow(): Promise<void>;
  /**
   * Writes a record, if this process is up to date in that step; else brings it up to date, and answers false.
   *
   * @param write Gives what is to be written, from what is in force at that moment.
   */
  write(make: () => { readonly key: string; readonly value: Uint8Array | null }): Promise<boolean>;
  close(): void;
}

export interface SyncOptions {
  readonly store: RecordStore;
  /** Puts records in force, removed ones among them; with `all`, every other record is gone. */
  readonly apply: (records: readonly StoredRecord[], all: boolean) => void;
  readonly now: () => number;
}

/** Records of one round trip. */
const pageSize = 200;

/**
 * Follows a record store.
 *
 * One read or write is on its way at a time, and who asks to be brought up to date meanwhile shares the next read: a
 * thousand jobs that all need a look cost one round trip. A process that was told `lost`, or that sees the revisions go
 * back, compares all of them, because a failover may have taken writes back and given their place to others.
 */
export function createSync({ store, apply, now }: SyncOptions): Sync {
  /** The records that are in force here. */
  const revisions = new Map<string, number>();
  let applied = 0;
  let known = 0;
  let fault: Sync["fault"] = null;
  /** The end of the last read or write that was begun. */
  let turn: Promise<unknown> = Promise.resolve();
  /** A read that was not begun yet. */
  let next: Promise<void> | null = null;
  let isDoubtful = false;
  let isLoaded = false;
  /** Everything is to be read, and not only what is newer. */
  let isForgotten = true;
  /** Looks that were asked for by nobody who waits, and up to which of them one was begun and has ended well. */
  let wanted = 0;
  let followed = 0;
  let isFollowing = false;
  const closing = new AbortController();

  const putInForce = (records: readonly StoredRecord[], all: boolean, upTo: number): void => {
    if (all) revisions.clear();
    for (const { key, revision, value } of records) {
      if (value === null) revisions.delete(key);
      else revisions.set(key, revision);
    }
    if (records.length > 0 || all) apply(records, all);
    applied = upTo;
  };

  const readAll = async (): Promise<void> => {
    const found = new Map<string, StoredRecord>();
    for (let from = 0; ;) {
      const page = await store.changes(from, pageSize);
      for (const record of page.records) found.set(record.key, record);
      from = page.records.at(-1)?.revision ?? from;
      if (page.more) continue;
      const there = [...found.values()].filter(({ value }) => value !== null);
      return putInForce(there, true, page.revision);
    }
  };

  const readNewer = async (): Promise<void> => {
    for (;;) {
      const page = await store.changes(applied, pageSize);
      if (page.revision < applied) return readAll();
      const last = page.records.at(-1)?.revision ?? applied;
      putInForce(page.records, false, page.more ? last : page.revision);
      if (!page.more) return;
    }
  };

  const isAsStored = async (): Promise<boolean> => {
    const stored = await store.revisions();
    if (stored.size !== revisions.size) return false;
    for (const [key, revision] of revisions) if (stored.get(key) !== revision) return false;
    return true;
  };

  const read = async (): Promise<void> => {
    const all = isForgotten;
    const compares = isDoubtful && !all;
    isDoubtful = false;
    isForgotten = false;
    try {
      if (all) await readAll();
      else await readNewer();
      if (compares && !(await isAsStored())) await readAll();
      isLoaded = true;
      // What was heard of and is not there was taken back.
      known = applied;
      fault = null;
    } catch (error) {
      isDoubtful = true;
      isForgotten ||= all;
      fault = { error: error as Error, since: fault?.since ?? now() };
      if (isLoaded) void follow();
      throw error;
    }
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(() => {
      if (closing.signal.aborted) throw new DriverUnavailableError("the process is shutting down");
      return work();
    });
    turn = mine.catch(() => undefined);
    return mine;
  };

  const look = (): Promise<void> => {
    next ??= inTurn(() => {
      next = null;
      return read();
    });
    return next;
  };

  const follow = async (): Promise<void> => {
    wanted += 1;
    if (isFollowing) return;
    isFollowing = true;
    const backoff = createBackoff({ initialMs: 250, maxMs: 1_000 });
    try {
      while (followed < wanted && !closing.signal.aborted) {
        const goal = wanted;
        try {
          await look();
          followed = goal;
        } catch {
          // It stands in `fault`, which is shown until a read has worked.
          await sleep(backoff.next(), closing.signal);
        }
      }
    } finally {
      isFollowing = false;
    }
  };

  store.onChange((why, revision) => {
    known = Math.max(known, revision ?? 0);
    if (why === "lost") isDoubtful = true;
    if (isLoaded && (why === "lost" || revision === undefined || revision > applied)) void follow();
  });

  return {
    get applied() {
      return applied;
    },
    get known() {
      return Math.max(known, applied);
    },
    get fault() {
      return fault;
    },
    look,
    follow,
    forget() {
      isForgotten = true;
    },
    write: (make) =>
      inTurn(async () => {
        if (!isLoaded) await read();
        const { key, value } = make();
        const written = await store.write(key, value, applied);
        if (written.status === "behind") {
          await read();
          return false;
        }
        putInForce([{ key, value, revision: written.revision }], false, written.revision);
        return true;
      }),
    close: () => closing.abort(),
  };
}
