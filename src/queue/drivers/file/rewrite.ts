import type { Buffer } from "node:buffer";
import type { Clock } from "../../../clock.ts";
import { writeChildren } from "./children.ts";
import type { Child } from "./children.ts";
import type { Journal } from "./journal.ts";
import type { FileKeeper } from "./keeper.ts";
import type { Locations } from "./locations.ts";
import { Reader } from "./pen.ts";
import type { Pen } from "./pen.ts";
import { frameBytes, types } from "./record.ts";
import type { JournalRecord } from "./record.ts";
import { withBody } from "./recovered.ts";
import type { Segment } from "./segment.ts";
import { places, readBody, readJob, writeJob, writeLetter } from "./snapshots.ts";
import type { Tail } from "./snapshots.ts";
import { untried } from "./states.ts";
import type { States, WaitingState } from "./states.ts";

/** What lives in a store, so that it can be written anew. */
export interface RewriteOptions {
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
}

/** Appends what of a record still counts; `offset` is where the record begins in its segment, `window` holds it. */
export type Rewrite = (segment: Segment, record: JournalRecord, offset: number, window: Buffer) => void;

/** Writes what lives in a segment anew, under the same sequence numbers, as it stands now. */
export function createRewrite(options: RewriteOptions): Rewrite {
  const { journal, locations, states, ids, keepers, clock } = options;

  /** How a job stands now; null where it is as its snapshot says. */
  const stateOf = (queue: number, seq: number): WaitingState | null => {
    const lease = keepers.get(queue)?.leases.get(seq);
    if (lease === undefined) return states.get(seq) ?? null;
    const { attempts, endpoint, enqueuedAt } = lease;
    return { queue, enqueuedAt, state: { ...untried, place: places.back, attempts, endpoint } };
  };

  /** Writes the snapshot of a job or letter as it stands now; `body` without the tail where there is one. */
  const writeAnew = (pen: Pen, queue: number, seq: number, old: Buffer, tail: Tail | null): number => {
    const { segment } = journal.position();
    const letter = keepers.get(queue)?.letters.get(seq);
    const { id: storedId, body } = readBody(old);
    if (letter !== undefined) return writeLetter(pen, { ...letter, seq }, body, tail);
    const waiting = stateOf(queue, seq);
    const id = ids.get(seq) ?? storedId;
    ids.delete(seq);
    if (waiting !== null) {
      const { enqueuedAt, state } = waiting;
      return writeJob(pen, { ...state, seq, id, enqueuedAt, dedup: null }, body, tail);
    }
    const job = readJob(new Reader(old));
    if (job.dedup !== null) {
      segment.dedupUntil = Math.max(segment.dedupUntil, job.enqueuedAt + options.dedupTtlMs);
    }
    return writeJob(pen, job, body, tail);
  };

  /** Behind a job that somebody holds, written anew. */
  const writeLease = (queue: number, seq: number): void => {
    if (keepers.get(queue)?.leases.has(seq) !== true) return;
    const pen = journal.begin(types.leased, 0, queue);
    pen.u32(1);
    pen.f64(seq);
    journal.end();
  };

  const rewriteOne = (queue: number, seq: number, snapshot: Buffer): void => {
    const isLetter = keepers.get(queue)?.letters.has(seq) === true;
    const pen = journal.begin(isLetter ? types.dead : types.job, isLetter ? withBody : 0, queue);
    const { segment, offset } = journal.position();
    const bodyLength = writeAnew(pen, queue, seq, snapshot, null);
    locations.set(seq, segment, offset, journal.position().offset - offset, bodyLength);
    journal.end();
    writeLease(queue, seq);
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

  /** Whether a snapshot in the segment that goes is the one that counts. */
  const isLive = (segment: Segment, seq: number, at: number): boolean => {
    const location = locations.get(seq);
    return location?.segment === segment && location.offset === at;
  };

  const rewriteSnapshot = (segment: Segment, queue: number, bytes: Buffer, at: number): void => {
    const seq = bytes.readDoubleLE(1);
    if (isLive(segment, seq, at)) rewriteOne(queue, seq, bytes);
  };

  /** Those children that live, in one record again: they share their tail still. */
  const rewriteChildren = (segment: Segment, queue: number, body: Buffer, at: number): void => {
    const from = 12 + body.readUInt32LE(8);
    const tail = body.subarray(12, from);
    const rows = [...snapshotsIn(body, from)].flatMap(([offset, bytes]): Child[] => {
      const seq = bytes.readDoubleLE(1);
      if (!isLive(segment, seq, at + offset)) return [];
      return [{ seq, write: (pen, place) => writeAnew(pen, queue, seq, bytes, place) }];
    });
    if (rows.length === 0) return;
    writeChildren(journal, locations, { queue, parent: 0, tail, rows });
    for (const { seq } of rows) writeLease(queue, seq);
  };

  return (segment, record, offset, window) => {
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
      for (const [offset, bytes] of snapshotsIn(body, 8)) {
        rewriteSnapshot(segment, queue, bytes, at + offset);
      }
    } else if (type === types.children) {
      rewriteChildren(segment, queue, body, at);
    } else if (type === types.stored) {
      options.rewriteStored(segment, body, at);
    } else if (type === types.dedup) {
      const reader = new Reader(body);
      const [key, fingerprint, id] = [reader.name(), reader.name(), reader.name()];
      rewriteDedup(queue, key, fingerprint, id, reader.f64());
    }
  };
}

/** The snapshots of a REPLACE or CHILDREN record, from their count on: where each begins, and its bytes. */
function* snapshotsIn(body: Buffer, from: number): Generator<readonly [offset: number, bytes: Buffer]> {
  let at = from + 4;
  for (let count = body.readUInt32LE(from); count > 0; count -= 1) {
    const length = body.readUInt32LE(at);
    at += 4;
    yield [at, body.subarray(at, at + length)];
    at += length;
  }
}
