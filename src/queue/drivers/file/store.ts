import { sleep } from "../../../wait.ts";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import { createBodies } from "./bodies.ts";
import type { Bodies } from "./bodies.ts";
import { createCleaner } from "./clean.ts";
import type { Cleaner } from "./clean.ts";
import { refused } from "./damage.ts";
import type { Files } from "./files.ts";
import { prepareFolder, readStoreId } from "./folder.ts";
import { createJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { createFileKeeper } from "./keeper.ts";
import type { FileKeeper } from "./keeper.ts";
import { lockStore } from "./lock.ts";
import type { Recovered } from "./recovered.ts";
import { modes } from "./recovered.ts";
import { types } from "./record.ts";
import { replay } from "./replay.ts";
import { seedOf, segmentBytes } from "./segment.ts";
import { createStoredKeeper } from "./stored.ts";
import type { StoredKeeper } from "./stored.ts";
import { createSpace } from "./space.ts";
import type { Space } from "./space.ts";

export interface StoreOptions {
  readonly folder: string;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncIntervalMs: number;
  readonly minFreeBytes: number;
  readonly maxBytes: number | null;
  readonly allowNetworkFs: boolean;
  readonly dedupTtlMs: number;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Logger;
  /** The store cannot go on: the process must end, and start again from what is on disk. */
  readonly onFailure: (error: Error) => void;
  readonly isKept: (queue: number, key: string, id: string) => boolean;
  /** For tests: where a segment ends, and how much more than what lives a store may have. */
  readonly segmentBytes?: number;
  readonly slackBytes?: number;
}

/** How much larger than four times what lives in it a store may be. */
const slackBytes = 256 * 1024 * 1024;

/** An open store: everything that all queues share. */
export interface Store {
  readonly journal: Journal;
  readonly space: Space;
  readonly bodies: Bodies;
  readonly recovered: Recovered;
  readonly isVolatile: boolean;
  /** The keeper of a queue, which gets a number where it has none. */
  keeper(queue: string): FileKeeper;
  numberOf(queue: string): number;
  /** Names of all queues that the journal knows. */
  queues(): string[];
  /** Writes a queue's pause, or a shared value; safe with the journal's next `safe`. */
  setPaused(queue: string, isPaused: boolean): void;
  setShared(key: string, value: string | null): void;
  readonly shared: ReadonlyMap<string, string>;
  /** Writes what the API stores; safe with the journal's next `safe`. */
  readonly stored: Pick<StoredKeeper, "keep">;
  /** Bytes of the journal. */
  bytes(): number;
  close(): Promise<void>;
}

/**
 * Opens a store: lock, then journal, then room.
 *
 * @throws ConfigError when it is in use, damaged, of a newer format, or cannot be written.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { folder, files, clock, log } = options;
  const { isVolatile } = await prepareFolder(folder, options.allowNetworkFs);
  const lock = await lockStore(folder);
  try {
    return await openLocked(options, isVolatile, () => lock.release());
  } catch (error) {
    lock.release();
    const { code = "" } = error as { code?: string };
    if (["EACCES", "EPERM", "EROFS"].includes(code)) {
      throw refused(`${folder} cannot be used: ${(error as Error).message}`);
    }
    throw error;
  }

  async function openLocked(_: StoreOptions, volatile: boolean, release: () => void): Promise<Store> {
    const storeId = await readStoreId(folder, files);
    const seed = seedOf(storeId);
    const replayed = await replay({
      folder,
      storeId,
      files,
      dedupTtlMs: options.dedupTtlMs,
      now: clock.now(),
      log,
    });
    const { segments, recovered } = replayed;
    // What a process that was killed has written is in the page cache, and not yet safe.
    if (replayed.current !== null && options.fsync !== "never") await files.sync(replayed.current.fd);
    const { locations, states, ids, queues, paused, shared } = recovered;
    let { lastSeq, lastOrder } = recovered;
    const numbers = new Map([...queues].map(([number, name]) => [name, number]));
    const keepers = new Map<number, FileKeeper>();
    const bytes = (): number => [...segments.values()].reduce((sum, segment) => sum + segment.bytes, 0);
    const space = createSpace({ ...options, storeBytes: bytes, onShort: () => cleaner?.look() });
    // A small store has small segments, or it would be full before the first could go.
    const share = (options.maxBytes ?? Infinity) / 8;
    const limits = {
      segmentBytes: options.segmentBytes ?? Math.min(segmentBytes, Math.max(64 * 1024, share)),
      slackBytes: options.slackBytes ?? Math.min(slackBytes, share),
    };
    let cleaner: Cleaner | null = null;

    const writeQueue = (number: number, name: string): void => {
      journal.begin(types.queue, 0, number).text(name);
      journal.end();
    };
    const writePause = (number: number, isPaused: boolean): void => {
      const pen = journal.begin(types.mode, 0, number);
      pen.u8(modes.pause);
      pen.u8(isPaused ? 1 : 0);
      journal.end();
    };
    const writeShared = (key: string, value: string | null): void => {
      const pen = journal.begin(types.mode, 0, 0);
      pen.u8(modes.shared);
      pen.text(key);
      pen.text(value);
      journal.end();
    };

    const journal: Journal = createJournal({
      ...options,
      ...limits,
      storeId,
      seed,
      segments,
      current: replayed.current,
      nextNumber: replayed.nextNumber,
      lastLsn: replayed.lastLsn,
      now: () => clock.now(),
      onFull: (error) => space.onFull(error),
      onWritten() {
        space.written();
        cleaner?.look();
      },
      head() {
        const pen = journal.begin(types.mode, 0, 0);
        pen.u8(modes.lastSeq);
        pen.f64(lastSeq);
        journal.end();
        for (const [name, number] of numbers) writeQueue(number, name);
        for (const number of paused) writePause(number, true);
        for (const [key, value] of shared) writeShared(key, value);
      },
    });
    const bodies = createBodies(files, locations, journal);

    const numberOf = (queue: string): number => {
      let number = numbers.get(queue);
      if (number === undefined) {
        number = Math.max(0, ...numbers.values()) + 1;
        numbers.set(queue, number);
        writeQueue(number, queue);
      }
      return number;
    };

    const nextSeq = (): number => (lastSeq += 1);
    for (const [key, { seq }] of recovered.stored) {
      if (locations.get(seq) === undefined) recovered.stored.delete(key);
    }
    const stored = createStoredKeeper({ journal, locations, nextSeq, kept: recovered.stored.values() });

    const isShort = (): boolean => space.refusal !== null;
    const jobs = { journal, locations, states, ids };
    cleaner = createCleaner({
      ...options,
      ...limits,
      ...jobs,
      isShort,
      seed,
      segments,
      keepers,
      rewriteStored: (...version) => stored.rewrite(...version),
    });
    await space.look();

    return {
      journal,
      space,
      bodies,
      recovered,
      isVolatile: volatile,
      numberOf,
      keeper(queue) {
        const number = numberOf(queue);
        let keeper = keepers.get(number);
        if (keeper === undefined) {
          const nextOrder = (): number => (lastOrder += 1);
          keeper = createFileKeeper({ ...options, ...jobs, number, bodies, nextSeq, nextOrder });
          keepers.set(number, keeper);
        }
        return keeper;
      },
      queues: () => [...numbers.keys()],
      setPaused(queue, isPaused) {
        const number = numberOf(queue);
        if (isPaused) paused.add(number);
        else paused.delete(number);
        writePause(number, isPaused);
      },
      setShared(key, value) {
        if (value === null) shared.delete(key);
        else shared.set(key, value);
        writeShared(key, value);
      },
      shared,
      stored,
      bytes,
      async close() {
        await space.close();
        await cleaner?.close();
        await journal.close();
        for (const segment of segments.values()) {
          while (segment.readers > 0) await sleep(5);
          if (segment.fd !== -1) await files.close(segment.fd);
        }
        release();
      },
    };
  }
}
