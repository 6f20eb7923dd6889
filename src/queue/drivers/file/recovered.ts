import type { Buffer } from "node:buffer";
import { createLocations } from "./locations.ts";
import type { Locations } from "./locations.ts";
import { createReader } from "./pen.ts";
import type { Reader } from "./pen.ts";
import { frameBytes, types } from "./record.ts";
import type { JournalRecord } from "./record.ts";
import type { Segment } from "./segment.ts";
import { places, readJob, readLetter, readSeqs, readState } from "./snapshots.ts";
import type { JobState, LetterSnapshot } from "./snapshots.ts";

/** A job that was leased at least once, or waits elsewhere than in line. */
export interface HotJob {
  readonly queue: number;
  /** Empty where it stands in the snapshot alone. */
  readonly id: string;
  readonly enqueuedAt: number;
  readonly state: JobState;
}

export interface KeptDedup {
  readonly queue: number;
  readonly key: string;
  readonly fingerprint: string;
  readonly id: string;
  readonly usedAt: number;
}

/** Jobs in line, as three columns: a million of them are 24 MB. */
export interface ColdJobs {
  readonly seqs: number[];
  readonly enqueuedAts: number[];
}

/** What a journal says, applied record by record. */
export interface Recovered {
  readonly locations: Locations;
  /** Number → name. */
  readonly queues: Map<number, string>;
  /** Jobs in line by queue; those that are over, or hot, are still among them. */
  readonly cold: Map<number, ColdJobs>;
  readonly hot: Map<number, HotJob>;
  /** Sequence number → letter, in the order they died. */
  readonly letters: Map<number, { readonly queue: number; readonly letter: LetterSnapshot }>;
  readonly leased: Set<number>;
  readonly dedup: readonly KeptDedup[];
  readonly paused: Set<number>;
  readonly shared: Map<string, string>;
  lastSeq: number;
  /** Throws RangeError for a body that does not fit its type. */
  apply(record: JournalRecord, segment: Segment, offset: number): void;
}

/** Flag of a DEAD record: the letter's bytes are in it, and no longer where they were. */
export const withBody = 1;

/** What a MODE record is about. */
export const modes = { pause: 0, shared: 1, lastSeq: 2 } as const;

/**
 * An empty store's state.
 *
 * Records about a sequence number that is not known are passed over: its job stood in a segment that is gone, because
 * it was over or written anew further on.
 *
 * @param dedupTtlMs Keys older than that are not kept; by wall clock, as that is all a file can know.
 */
export function createRecovered(
  segments: ReadonlyMap<number, Segment>,
  dedupTtlMs: number,
  now: number,
): Recovered {
  const locations = createLocations(segments);
  const dedup: KeptDedup[] = [];
  const recovered: Recovered = {
    locations,
    queues: new Map(),
    cold: new Map(),
    hot: new Map(),
    letters: new Map(),
    leased: new Set(),
    dedup,
    paused: new Set(),
    shared: new Map(),
    lastSeq: 0,
    apply(record, segment, offset) {
      const reader = createReader(record.body);
      const at = offset + frameBytes;
      const apply = appliers[record.type];
      if (apply === undefined)
        throw new RangeError(`a record of type ${record.type}, which this version does not know`);
      apply(record, reader, segment, at);
    },
  };
  const { hot, letters, leased, cold } = recovered;

  const end = (seq: number): void => {
    locations.free(seq);
    hot.delete(seq);
    letters.delete(seq);
    leased.delete(seq);
  };

  const keepDedup = (segment: Segment, kept: KeptDedup): void => {
    const until = kept.usedAt + dedupTtlMs;
    if (until <= now) return;
    segment.dedupUntil = Math.max(segment.dedupUntil, until);
    dedup.push(kept);
  };

  const applyJob = (bytes: Buffer, queue: number, segment: Segment, at: number): void => {
    const reader = createReader(bytes);
    const { seq, enqueuedAt, id, dedup: key, ...state } = readJob(reader);
    end(seq);
    locations.set(seq, segment, at, bytes.length, reader.rest().length);
    recovered.lastSeq = Math.max(recovered.lastSeq, seq);
    if (state.place === places.line) {
      let jobs = cold.get(queue);
      if (jobs === undefined) cold.set(queue, (jobs = { seqs: [], enqueuedAts: [] }));
      jobs.seqs.push(seq);
      jobs.enqueuedAts.push(enqueuedAt);
    } else hot.set(seq, { queue, id: "", enqueuedAt, state });
    if (key !== null) keepDedup(segment, { queue, ...key, id, usedAt: enqueuedAt });
  };

  type Apply = (record: JournalRecord, reader: Reader, segment: Segment, at: number) => void;
  const appliers: Readonly<Record<number, Apply>> = {
    [types.job]: ({ body, queue }, _reader, segment, at) => applyJob(body, queue, segment, at),
    [types.ack]: (_record, reader) => {
      for (const seq of readSeqs(reader)) end(seq);
    },
    [types.leased]: (_record, reader) => {
      for (const seq of readSeqs(reader)) if (locations.get(seq) !== undefined) leased.add(seq);
    },
    [types.state]: ({ queue }, reader) => {
      const seq = reader.f64();
      const enqueuedAt = reader.f64();
      const state = readState(reader);
      const id = reader.name();
      if (locations.get(seq) === undefined) return;
      leased.delete(seq);
      hot.set(seq, { queue, id, enqueuedAt, state });
    },
    [types.dead]: ({ queue, flags, body }, reader, segment, at) => {
      const letter = readLetter(reader);
      const { seq } = letter;
      if ((flags & withBody) !== 0) {
        end(seq);
        locations.set(seq, segment, at, body.length, reader.rest().length);
      }
      if (locations.get(seq) === undefined) return;
      recovered.lastSeq = Math.max(recovered.lastSeq, seq);
      hot.delete(seq);
      leased.delete(seq);
      letters.set(seq, { queue, letter });
    },
    [types.replace]: ({ queue, body }, reader, segment, at) => {
      end(reader.f64());
      let offset = 12;
      for (let count = reader.u32(); count > 0; count -= 1) {
        const length = reader.u32();
        offset += 4;
        applyJob(body.subarray(offset, offset + length), queue, segment, at + offset);
        reader.bytes(length);
        offset += length;
      }
    },
    [types.redrive]: ({ queue }, reader) => {
      const enqueuedAt = reader.f64();
      for (const seq of readSeqs(reader)) {
        const dead = letters.get(seq);
        if (dead === undefined) continue;
        letters.delete(seq);
        const { jobId: id, endpoint } = dead.letter;
        const state: JobState = { place: places.ahead, attempts: 0, due: 0, delay: 0, endpoint };
        hot.set(seq, { queue, id, enqueuedAt, state });
      }
    },
    [types.remove]: (_record, reader) => {
      for (const seq of readSeqs(reader)) end(seq);
    },
    [types.mode]: ({ queue }, reader) => {
      const kind = reader.u8();
      if (kind === modes.lastSeq) recovered.lastSeq = Math.max(recovered.lastSeq, reader.f64());
      else if (kind === modes.pause) {
        if (reader.u8() === 1) recovered.paused.add(queue);
        else recovered.paused.delete(queue);
      } else {
        const key = reader.name();
        const value = reader.text();
        if (value === null) recovered.shared.delete(key);
        else recovered.shared.set(key, value);
      }
    },
    [types.queue]: ({ queue }, reader) => void recovered.queues.set(queue, reader.name()),
    [types.dedup]: ({ queue }, reader, segment) => {
      const [key, fingerprint, id] = [reader.name(), reader.name(), reader.name()];
      keepDedup(segment, { queue, key, fingerprint, id, usedAt: reader.f64() });
    },
    [types.seal]: () => undefined,
    [types.group]: () => undefined,
  };
  return recovered;
}
