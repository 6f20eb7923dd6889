import { createPen } from "./pen.ts";
import type { Pen } from "./pen.ts";
import { beginRecord, endRecord, frameBytes, sealRecord, types } from "./record.ts";
import type { RecordType } from "./record.ts";
import { createSegment, segmentBytes, segmentPath } from "./segment.ts";
import type { Segment } from "./segment.ts";
import { createWriter } from "./writer.ts";
import type { Group, Waiter, WriterOptions } from "./writer.ts";
import { createBell } from "../../../wait.ts";

/**
 * Appends records, in groups.
 *
 * There is one writer, and no timer before it: a group is written until all its bytes are down, then synced where
 * somebody waits for it, then everybody who waited is called back. The next group gathers meanwhile.
 *
 *     gathering ──(the writer is free)──▶ writing ──(somebody waits)──▶ syncing ──▶ safe
 *                                            └──(nobody waits)──▶ written; a later sync covers it, a second later at most
 *
 * Each group begins with a GROUP record that says up to which lsn everything was synced when it was written; one is
 * written behind the last sync as well. So recovery tells the torn end of a crash from damage in what was confirmed.
 */
export interface Journal {
  /** Begins a record whose body is to be written with the pen, in the same synchronous step. */
  begin(type: RecordType, flags: number, queue: number): Pen;
  /** Ends it. */
  end(): void;
  /** The segment of the record being written, and where in it the pen stands. */
  position(): { readonly segment: Segment; readonly offset: number };
  /** A job is over; many make one record. */
  ack(seq: number): void;
  /** Calls back when everything appended so far is safe: at once, when it is. */
  whenSafe(then: () => void): void;
  /** As whenSafe; rejects when the journal has failed. */
  safe(): Promise<void>;
  /** Resolves when more may be appended: the buffer is bounded. */
  room(): Promise<void>;
  /** Bytes that are not in their file yet; null when they are. Valid until the next append. */
  peek(segment: Segment, offset: number, length: number): Uint8Array | null;
  /** Begins a new segment, so that the current one can go once what lives in it has moved. */
  roll(): void;
  /** The segment that is appended to; null before the first. */
  readonly current: Segment | null;
  /** Writes and syncs what is there, and says so in the file. The files stay open. */
  close(): Promise<void>;
}

export interface JournalOptions extends Omit<WriterOptions, "syncs"> {
  /** Every segment that is there, by number; new ones are added. */
  readonly segments: Map<number, Segment>;
  /** Where to go on; null begins a new segment. */
  readonly current: Segment | null;
  readonly nextNumber: number;
  /** The last lsn that is there; everything up to it is synced. */
  readonly lastLsn: number;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncIntervalMs: number;
  /** Where a segment ends; 64 MiB when not given. */
  readonly segmentBytes?: number;
  /** Writes what every segment begins with, so that an old one can go: names of queues, modes. */
  readonly head: () => void;
  /** A write or sync failed for good: nothing more is known of the file. */
  readonly onFailure: (error: Error) => void;
  /** Called after each group. */
  readonly onWritten: () => void;
}

/** Beyond it whoever enqueues waits. */
const mostGathered = 8 * 1024 * 1024;
/** Memory that a written group's buffer keeps. */
const keptBuffer = 1024 * 1024;
/** Acks in one record at most. */
const mostAcks = 4_096;
/** With fsync "always": what nobody waits for is synced so much later. */
const lazySyncMs = 1_000;
/** A group with nothing in it but its GROUP record. */
const bareBytes = frameBytes + 8;

export function createJournal(options: JournalOptions): Journal {
  const { seed, segments, fsync } = options;
  const writer = createWriter({ ...options, syncs: fsync !== "never" });
  const limit = options.segmentBytes ?? segmentBytes;
  let { current, nextNumber, lastLsn } = options;
  /** Where the next group begins in `current`. */
  let end = current?.bytes ?? 0;
  /** The last lsn that is no GROUP: only those are waited for. */
  let contentLsn = lastLsn;
  let writtenLsn = lastLsn;
  let syncedLsn = lastLsn;
  /** What the last GROUP written says is synced. */
  let toldLsn = lastLsn;
  let gathering: Group | null = null;
  let writing: Group | null = null;
  let spare: Pen | null = null;
  let recordAt = 0;
  let acks: number[] = [];
  let running: Promise<void> | null = null;
  let isSyncDue = false;
  let isRollDue = false;
  let lazySync: ReturnType<typeof setTimeout> | null = null;
  let failure: Error | null = null;
  const opening = createBell();

  const isSafe = (): boolean => (fsync === "always" ? syncedLsn : writtenLsn) >= contentLsn;

  const beginIn = (group: Group, type: RecordType, flags: number, queue: number): void => {
    lastLsn += 1;
    group.lastLsn = lastLsn;
    if (type !== types.group) contentLsn = lastLsn;
    recordAt = beginRecord(group.pen, type, flags, queue, lastLsn);
  };

  const openGroup = (): Group => {
    let sealing: Group["sealing"] = null;
    if (current === null || end >= limit || isRollDue) {
      isRollDue = false;
      if (current !== null) lastLsn += 1;
      sealing = { segment: current, lsn: lastLsn };
      const firstLsn = lastLsn + 1;
      current = createSegment({ number: nextNumber, firstLsn }, segmentPath(options.folder, firstLsn), -1);
      segments.set(nextNumber, current);
      nextNumber += 1;
      end = current.bytes;
    }
    const pen = spare ?? createPen(64 * 1024);
    spare = null;
    const group: Group = { segment: current, base: end, pen, sealing, lastLsn, waiters: [] };
    gathering = group;
    beginIn(group, types.group, 0, 0);
    // What is synced is known when the group is written.
    pen.f64(0);
    endRecord(pen, recordAt, seed);
    if (sealing !== null) options.head();
    return group;
  };

  const flushAcks = (): void => {
    if (acks.length === 0) return;
    const seqs = acks;
    acks = [];
    const group = gathering ?? openGroup();
    beginIn(group, types.ack, 0, 0);
    group.pen.u32(seqs.length);
    for (const seq of seqs) group.pen.f64(seq);
    endRecord(group.pen, recordAt, seed);
  };

  const isRunning = (): boolean => running !== null;

  const kick = (): void => {
    if (running !== null || failure !== null) return;
    running = Promise.resolve().then(run);
  };

  const write = async (group: Group): Promise<void> => {
    const told = syncedLsn;
    group.pen.setF64(frameBytes, told);
    sealRecord(group.pen, 0, bareBytes, seed);
    await writer.write(group);
    writtenLsn = group.lastLsn;
    toldLsn = told;
    const isAwaited = fsync === "always" && group.waiters.length > 0;
    if (isAwaited || isSyncDue) {
      isSyncDue = false;
      await writer.sync(group.segment);
      syncedLsn = writtenLsn;
    } else if (group.pen.length > bareBytes) syncLater();
    // In the step that decided: whoever waits from now on needs another sync.
    writing = null;
  };

  const run = async (): Promise<void> => {
    try {
      for (;;) {
        flushAcks();
        // Behind the last sync stands a group that says so.
        if (gathering === null && toldLsn < syncedLsn && writtenLsn === syncedLsn) openGroup();
        const group: Group | null = gathering;
        if (group === null) break;
        gathering = null;
        end = group.base + group.pen.length;
        writing = group;
        opening.ring();
        await write(group);
        for (const waiter of group.waiters) waiter.done();
        group.pen.clear(keptBuffer);
        spare = group.pen;
        options.onWritten();
      }
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      running = null;
    }
  };

  const forceSync = (): void => {
    isSyncDue = true;
    if (gathering === null) openGroup();
    kick();
  };

  const syncLater = (): void => {
    if (fsync === "never" || lazySync !== null) return;
    lazySync = setTimeout(
      () => {
        lazySync = null;
        if (syncedLsn < contentLsn && failure === null) forceSync();
      },
      fsync === "interval" ? options.fsyncIntervalMs : lazySyncMs,
    );
  };

  const fail = (error: Error): void => {
    failure = error;
    if (lazySync !== null) clearTimeout(lazySync);
    options.onFailure(error);
    for (const group of [writing, gathering]) for (const waiter of group?.waiters ?? []) waiter.fail(error);
    opening.ring();
  };

  const wait = (waiter: Waiter): void => {
    flushAcks();
    if (failure !== null) return waiter.fail(failure);
    if (isSafe()) return waiter.done();
    (gathering ?? writing ?? openGroup()).waiters.push(waiter);
    kick();
  };
  const safe = (): Promise<void> => new Promise((resolve, reject) => wait({ done: resolve, fail: reject }));

  const isCrowded = (): boolean => (gathering?.pen.length ?? 0) > mostGathered && failure === null;
  const idle = async (): Promise<void> => {
    // What ran last may have begun another run.
    while (isRunning()) await running;
  };

  return {
    begin(type, flags, queue) {
      flushAcks();
      const group = gathering ?? openGroup();
      beginIn(group, type, flags, queue);
      return group.pen;
    },
    end() {
      endRecord((gathering as Group).pen, recordAt, seed);
      kick();
    },
    position() {
      const { segment, base, pen } = gathering as Group;
      return { segment, offset: base + pen.length };
    },
    ack(seq) {
      acks.push(seq);
      if (acks.length >= mostAcks) flushAcks();
      kick();
    },
    whenSafe: (then) => wait({ done: then, fail: () => undefined }),
    safe,
    async room() {
      while (isCrowded()) await opening.wait(Infinity);
    },
    peek(segment, offset, length) {
      for (const group of [gathering, writing]) {
        if (group === null || group.segment !== segment || offset < group.base) continue;
        const from = offset - group.base;
        if (from + length <= group.pen.length) return group.pen.view(from, from + length);
      }
      return null;
    },
    roll() {
      isRollDue = true;
      if (gathering === null) openGroup();
      kick();
    },
    get current() {
      return current;
    },
    async close() {
      if (failure !== null) return;
      await safe();
      if (fsync === "interval" && syncedLsn < contentLsn) forceSync();
      await idle();
      if (lazySync !== null) clearTimeout(lazySync);
    },
  };
}
