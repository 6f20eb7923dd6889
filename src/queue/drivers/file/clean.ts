import type { Buffer } from "node:buffer";
import { join } from "node:path";
import { sleep } from "../../../wait.ts";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Files } from "./files.ts";
import type { Journal } from "./journal.ts";
import type { FileKeeper } from "./keeper.ts";
import type { Locations } from "./locations.ts";
import { Reader } from "./pen.ts";
import { frameBytes, types } from "./record.ts";
import type { JournalRecord } from "./record.ts";
import { withBody } from "./recovered.ts";
import { scanSegment } from "./scan.ts";
import type { Segment } from "./segment.ts";
import { places, readBody, readJob, writeJob, writeLetter } from "./snapshots.ts";
import { untried } from "./states.ts";
import type { States, WaitingState } from "./states.ts";

/** Gives room back. */
export interface Cleaner {
  /** Looks whether the oldest segment can go; to be called when something was written. Returns at once. */
  look(): void;
  /** Resolves when no cleaning is under way, and none begins any more. */
  close(): Promise<void>;
}

export interface CleanerOptions {
  readonly folder: string;
  readonly seed: number;
  readonly files: Files;
  readonly segments: Map<number, Segment>;
  readonly journal: Journal;
  readonly locations: Locations;
  readonly states: States;
  /** Ids that are not those of the snapshots. */
  readonly ids: Map<number, string>;
  /** By the queue's number. */
  readonly keepers: ReadonlyMap<number, FileKeeper>;
  /** Writes a stored record anew where this version of it is the one that counts. */
  readonly rewriteStored: (segment: Segment, body: Buffer, at: number) => void;
  /** Whether a deduplication key still counts. */
  readonly isKept: (queue: number, key: string, id: string) => boolean;
  readonly dedupTtlMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** A store may be so much larger than four times what lives in it. */
  readonly slackBytes: number;
  /** Whether room is short: then nothing is left lying for later. */
  readonly isShort: () => boolean;
}

/** What a store keeps for itself even then: names, modes, deduplication keys. */
const shortSlack = 64 * 1024;
/** Bytes a second that cleaning reads at least; beyond it half of what is appended. */
const slowest = 8 * 1024 * 1024;

/**
 * Removes the oldest segment, and only ever that: later ones hold the acks that its jobs need.
 *
 * It goes when nothing in it lives, or while the store is larger than four times what lives, and some slack that is 0
 * while room is short: then what lives in it is appended anew under the same sequence number first. Before the file goes, everything appended so far
 * is synced: what ended or moved its jobs must not be lost when they are.
 */
export function createCleaner(options: CleanerOptions): Cleaner {
  const { files, segments, journal, locations, states, ids, keepers, clock, log } = options;
  let running: Promise<void> | null = null;
  let isClosed = false;

  const total = (of: (segment: Segment) => number): number =>
    [...segments.values()].reduce((sum, segment) => sum + of(segment), 0);

  const oldest = (): Segment | undefined => {
    const [first] = segments.values();
    return first === journal.current ? undefined : first;
  };

  const isDead = ({ live, dedupUntil }: Segment): boolean => live === 0 && dedupUntil <= clock.now();
  const isTooLarge = (): boolean =>
    total(({ bytes }) => bytes) >
    4 * total(({ liveBytes }) => liveBytes) + (options.isShort() ? shortSlack : options.slackBytes);

  /** Where room is short and the only segment is full of what is over, it has to become an old one first. */
  const rollIfShort = (): void => {
    const { current } = journal;
    if (!options.isShort() || segments.size > 1 || current === null) return;
    if (current.bytes > shortSlack + 4 * current.liveBytes) journal.roll();
  };

  const isDue = (): boolean => {
    const first = oldest();
    return !isClosed && first !== undefined && (isDead(first) || isTooLarge());
  };

  /** How a job stands now; null where it is as its snapshot says. */
  const stateOf = (queue: number, seq: number): WaitingState | null => {
    const lease = keepers.get(queue)?.leases.get(seq);
    if (lease === undefined) return states.get(seq) ?? null;
    const { attempts, endpoint, enqueuedAt } = lease;
    return { queue, enqueuedAt, state: { ...untried, place: places.back, attempts, endpoint } };
  };

  const rewriteOne = (queue: number, seq: number, snapshot: Buffer): void => {
    const keeper = keepers.get(queue);
    const letter = keeper?.letters.get(seq);
    const waiting = stateOf(queue, seq);
    const { id: stored, body } = readBody(snapshot);
    const id = ids.get(seq) ?? stored;
    const isDeadLetter = letter !== undefined;
    const pen = journal.begin(isDeadLetter ? types.dead : types.job, isDeadLetter ? withBody : 0, queue);
    const { segment, offset } = journal.position();
    let bodyLength: number;
    if (isDeadLetter) bodyLength = writeLetter(pen, { ...letter, seq }, body);
    else if (waiting !== null) {
      const { enqueuedAt, state } = waiting;
      bodyLength = writeJob(pen, { ...state, seq, id, enqueuedAt, dedup: null }, body);
    } else {
      const job = readJob(new Reader(snapshot));
      bodyLength = writeJob(pen, job, body);
      if (job.dedup !== null) {
        segment.dedupUntil = Math.max(segment.dedupUntil, job.enqueuedAt + options.dedupTtlMs);
      }
    }
    locations.set(seq, segment, offset, journal.position().offset - offset, bodyLength);
    ids.delete(seq);
    journal.end();
    if (keeper?.leases.has(seq) !== true) return;
    const lease = journal.begin(types.leased, 0, queue);
    lease.u32(1);
    lease.f64(seq);
    journal.end();
  };

  const rewriteDedup = (
    queue: number,
    key: string,
    fingerprint: string,
    id: string,
    usedAt: number,
  ): void => {
    if (usedAt + options.dedupTtlMs <= clock.now() || !options.isKept(queue, key, id)) return;
    const pen = journal.begin(types.dedup, 0, queue);
    for (const text of [key, fingerprint, id]) pen.text(text);
    pen.f64(usedAt);
    const { segment } = journal.position();
    segment.dedupUntil = Math.max(segment.dedupUntil, usedAt + options.dedupTtlMs);
    journal.end();
  };

  /** A snapshot in the segment that goes: written anew where it is the one that counts. */
  const rewriteSnapshot = (segment: Segment, queue: number, bytes: Buffer, at: number): void => {
    const seq = bytes.readDoubleLE(1);
    const location = locations.get(seq);
    if (location?.segment === segment && location.offset === at) rewriteOne(queue, seq, bytes);
  };

  const rewrite = (segment: Segment, record: JournalRecord, offset: number, window: Buffer): void => {
    const { type, flags, queue } = record;
    const body = window.subarray(record.from, record.end);
    const at = offset + frameBytes;
    if (type === types.job) {
      const { seq, id, dedup, enqueuedAt } = readJob(new Reader(body));
      const isHere = locations.get(seq)?.segment === segment && locations.get(seq)?.offset === at;
      // Only a job in line is written anew as it was, with its key.
      const isInLine = stateOf(queue, seq) === null && keepers.get(queue)?.letters.has(seq) !== true;
      const carriesKey = isHere && isInLine;
      rewriteSnapshot(segment, queue, body, at);
      if (dedup !== null && !carriesKey) rewriteDedup(queue, dedup.key, dedup.fingerprint, id, enqueuedAt);
    } else if (type === types.dead && (flags & withBody) !== 0) {
      rewriteSnapshot(segment, queue, body, at);
    } else if (type === types.replace) {
      const count = body.readUInt32LE(8);
      for (let index = 0, from = 12; index < count; index += 1) {
        const length = body.readUInt32LE(from);
        from += 4;
        rewriteSnapshot(segment, queue, body.subarray(from, from + length), at + from);
        from += length;
      }
    } else if (type === types.stored) {
      options.rewriteStored(segment, body, at);
    } else if (type === types.dedup) {
      const reader = new Reader(body);
      const [key, fingerprint, id] = [reader.name(), reader.name(), reader.name()];
      rewriteDedup(queue, key, fingerprint, id, reader.f64());
    }
  };

  const rewriteAll = async (segment: Segment): Promise<void> => {
    const started = clock.monotonic();
    const before = total(({ bytes }) => bytes);
    let read = 0;
    const pace = async (bytes: number): Promise<void> => {
      await journal.room();
      const seconds = (clock.monotonic() - started) / 1_000;
      const appended = total((one) => one.bytes) - before;
      const allowed = Math.max(slowest * seconds, appended / 2);
      if (read > allowed) await sleep(((read - allowed) / slowest) * 1_000);
      read += bytes;
    };
    const { fd, bytes: size, firstLsn } = segment;
    const end = await scanSegment(
      { files, fd, size, seed: options.seed, firstLsn, pace },
      (record, _reader, offset, window) => rewrite(segment, record, offset, window),
    );
    if (end.offset < size)
      throw new Error(`${segment.path}, offset ${end.offset}: a record cannot be read any more`);
  };

  const removeOldest = async (segment: Segment): Promise<void> => {
    if (!isDead(segment)) await rewriteAll(segment);
    await journal.safe();
    if (segment.live > 0) throw new Error(`${segment.path} still holds ${segment.live} jobs after cleaning`);
    segments.delete(segment.number);
    await files.remove(segment.path);
    await files.syncFolder(join(options.folder, "journal"));
    while (segment.readers > 0) await sleep(5);
    await files.close(segment.fd);
    log.debug("a segment was removed", { path: segment.path });
  };

  const run = async (): Promise<void> => {
    while (isDue()) await removeOldest(oldest() as Segment);
  };

  return {
    look() {
      if (!isClosed) rollIfShort();
      if (running !== null || !isDue()) return;
      running = run()
        .catch((error: unknown) => {
          log.error("the journal could not be cleaned; it grows until that is mended", { error });
        })
        .finally(() => {
          running = null;
        });
    },
    async close() {
      isClosed = true;
      await running;
    },
  };
}
