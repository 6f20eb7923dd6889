import { createColdJobs } from "./cold-jobs.ts";
import type { ColdJobs } from "./cold-jobs.ts";
import { createLocations } from "./locations.ts";
import type { Locations } from "./locations.ts";
import type { Reader } from "./pen.ts";
import { frameBytes, types } from "./record.ts";
import type { JournalRecord } from "./record.ts";
import { readStored } from "./stored.ts";
import type { StoredEntry } from "./stored.ts";
import type { Segment } from "./segment.ts";
import { glanceAtJob, isLetterAt, places, readJob, readLetter } from "./snapshots.ts";
import type { Glance, JobState, LetterSnapshot } from "./snapshots.ts";
import { createStates } from "./states.ts";
import type { States } from "./states.ts";

export interface KeptLetter {
  readonly queue: number;
  readonly letter: LetterSnapshot;
}

export interface KeptDedup {
  readonly queue: number;
  readonly key: string;
  readonly fingerprint: string;
  readonly id: string;
  readonly usedAt: number;
}

/** What a journal says, applied record by record. */
export interface Recovered {
  readonly locations: Locations;
  /** Number → name. */
  readonly queues: Map<number, string>;
  /** Jobs in line by queue; those that are over, or wait elsewhere now, are still among them. */
  readonly cold: Map<number, ColdJobs>;
  /** Jobs that wait elsewhere. */
  readonly states: States;
  /** Ids that jobs turned out to have, where it is not the one of their snapshot. */
  readonly ids: Map<number, string>;
  /** Sequence number → letter, in the order they died. */
  readonly letters: Map<number, KeptLetter>;
  readonly leased: Set<number>;
  readonly dedup: readonly KeptDedup[];
  readonly paused: Set<number>;
  readonly shared: Map<string, string>;
  /** What the API stores, by key, tombstones among it; one without a location is gone. */
  readonly stored: Map<string, StoredEntry>;
  lastSeq: number;
  lastOrder: number;
  /** Throws RangeError for a body that does not fit its type. */
  apply(record: JournalRecord, reader: Reader, segment: Segment, offset: number): void;
}

/** Flag of a DEAD record: the letter's bytes are in it, and no longer where they were. */
export const withBody = 1;
/** Flag of a DEAD record without bytes: the job has another id than its snapshot says. */
export const renamed = 2;

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
    states: createStates(),
    ids: new Map(),
    letters: new Map(),
    leased: new Set(),
    dedup,
    paused: new Set(),
    shared: new Map(),
    stored: new Map(),
    lastSeq: 0,
    lastOrder: 0,
    apply(record, reader, segment, offset) {
      const at = offset + frameBytes;
      if (record.type === types.job) return applyJob(record.queue, reader, segment, at);
      const apply = appliers[record.type];
      if (apply === undefined)
        throw new RangeError(`a record of type ${record.type}, which this version does not know`);
      apply(record, reader, segment, at);
    },
  };
  const { states, ids, letters, leased, cold, stored } = recovered;

  const end = (seq: number): void => {
    locations.free(seq);
    states.delete(seq);
    ids.delete(seq);
    letters.delete(seq);
    leased.delete(seq);
  };

  const setState = (seq: number, queue: number, enqueuedAt: number, state: JobState): void => {
    recovered.lastOrder = Math.max(recovered.lastOrder, state.order);
    states.set(seq, queue, enqueuedAt, state);
  };

  const keepDedup = (segment: Segment, kept: KeptDedup): void => {
    const until = kept.usedAt + dedupTtlMs;
    if (until <= now) return;
    segment.dedupUntil = Math.max(segment.dedupUntil, until);
    dedup.push(kept);
  };

  const addCold = (queue: number, seq: number, enqueuedAt: number): void => {
    let jobs = cold.get(queue);
    if (jobs === undefined) cold.set(queue, (jobs = createColdJobs()));
    jobs.push(seq, enqueuedAt);
  };

  const glance: Glance = { seq: 0, enqueuedAt: 0, bodyLength: 0 };

  /** The reader stands at a snapshot, which is all that is left in it. */
  const applyJob = (queue: number, reader: Reader, segment: Segment, at: number, shared = 0): void => {
    const { at: from, left: length } = reader;
    const isPlain = glanceAtJob(reader, glance);
    const { seq, enqueuedAt } = glance;
    // A million times nothing is known of the number yet.
    if (seq <= recovered.lastSeq) end(seq);
    recovered.lastSeq = Math.max(recovered.lastSeq, seq);
    if (isPlain) {
      locations.set(seq, segment, at, length, glance.bodyLength);
      return addCold(queue, seq, enqueuedAt);
    }
    reader.move(from, from + length);
    const { id, dedup: key, ...state } = readJob(reader);
    locations.set(seq, segment, at, length, reader.left + (state.tail?.length ?? 0), length + shared);
    if (state.place === places.line) addCold(queue, seq, enqueuedAt);
    else setState(seq, queue, enqueuedAt, state);
    if (key !== null) keepDedup(segment, { queue, ...key, id, usedAt: enqueuedAt });
  };

  /** A letter with its bytes: it takes the place of whatever had its number. */
  const applyLetter = (queue: number, reader: Reader, segment: Segment, at: number, shared = 0): void => {
    const length = reader.left;
    const { tail, ...letter } = readLetter(reader);
    const { seq } = letter;
    end(seq);
    locations.set(seq, segment, at, length, reader.left + (tail?.length ?? 0), length + shared);
    recovered.lastSeq = Math.max(recovered.lastSeq, seq);
    letters.set(seq, { queue, letter });
  };

  /** The snapshots of children, one behind the other; `shared` is what each keeps alive beside itself. */
  const applyChildren = (
    { queue, from, end: last }: JournalRecord,
    reader: Reader,
    segment: Segment,
    at: number,
    shared: number,
  ): void => {
    for (let count = reader.u32(); count > 0; count -= 1) {
      const length = reader.u32();
      const child = reader.at;
      if (child + length > last) throw new RangeError("a child ends behind its record");
      reader.move(child, child + length);
      const apply = isLetterAt(reader) ? applyLetter : applyJob;
      apply(queue, reader, segment, at + child - from, shared);
      reader.move(child + length, last);
    }
  };

  type Apply = (record: JournalRecord, reader: Reader, segment: Segment, at: number) => void;
  const appliers: Readonly<Record<number, Apply>> = {
    [types.ack]: (_record, reader) => {
      eachSeq(reader, end);
    },
    [types.leased]: (_record, reader) => {
      eachSeq(reader, (seq) => {
        if (locations.has(seq)) leased.add(seq);
      });
    },
    [types.state]: ({ queue }, reader) => {
      const seq = reader.f64();
      const enqueuedAt = reader.f64();
      if (!locations.has(seq)) return;
      leased.delete(seq);
      const order = states.read(seq, queue, enqueuedAt, reader);
      recovered.lastOrder = Math.max(recovered.lastOrder, order);
      const id = reader.text();
      if (id !== null) ids.set(seq, id);
    },
    [types.dead]: ({ queue, flags }, reader, segment, at) => {
      if ((flags & withBody) !== 0) return applyLetter(queue, reader, segment, at);
      const { tail: _tail, ...letter } = readLetter(reader);
      const { seq } = letter;
      if (!locations.has(seq)) return;
      states.delete(seq);
      leased.delete(seq);
      if ((flags & renamed) !== 0) ids.set(seq, letter.jobId);
      letters.set(seq, { queue, letter });
    },
    [types.replace]: (record, reader, segment, at) => {
      end(reader.f64());
      applyChildren(record, reader, segment, at, 0);
    },
    [types.children]: (record, reader, segment, at) => {
      end(reader.f64());
      const tailLength = reader.u32();
      reader.skip(tailLength);
      const count = reader.peekU32();
      applyChildren(record, reader, segment, at, Math.ceil(tailLength / Math.max(1, count)));
    },
    [types.redrive]: ({ queue }, reader) => {
      const enqueuedAt = reader.f64();
      const order = reader.f64();
      eachSeq(reader, (seq) => {
        const dead = letters.get(seq);
        if (dead === undefined) return;
        letters.delete(seq);
        const { endpoint } = dead.letter;
        const state: JobState = { place: places.ahead, attempts: 0, due: 0, delay: 0, order, endpoint };
        setState(seq, queue, enqueuedAt, state);
      });
    },
    [types.remove]: (_record, reader) => {
      eachSeq(reader, end);
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
    [types.stored]: (_record, reader, segment, at) => {
      const length = reader.left;
      const entry = readStored(reader);
      recovered.lastSeq = Math.max(recovered.lastSeq, entry.seq);
      const known = stored.get(entry.key);
      if (known !== undefined && known.revision > entry.revision) return;
      if (known !== undefined) locations.free(known.seq);
      locations.set(entry.seq, segment, at, length, 0);
      stored.set(entry.key, entry);
    },
    [types.seal]: () => undefined,
    [types.group]: () => undefined,
  };
  return recovered;
}

/** Calls for each of the sequence numbers that stand one behind the other. */
function eachSeq(reader: Reader, call: (seq: number) => void): void {
  for (let count = reader.u32(); count > 0; count -= 1) call(reader.f64());
}
