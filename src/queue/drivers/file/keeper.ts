import type { Clock } from "../../../clock.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import type { JobBody } from "../../../jobs/job.ts";
import type { ShelvedLetter } from "../memory/dead-letter-shelf.ts";
import type { JobEntry } from "../memory/job-entry.ts";
import type { Keeper, NewChild } from "../memory/keeper.ts";
import type { Bodies, Stored } from "./bodies.ts";
import { writeChildren } from "./children.ts";
import type { Child } from "./children.ts";
import type { Journal } from "./journal.ts";
import type { Locations } from "./locations.ts";
import type { Pen } from "./pen.ts";
import { types } from "./record.ts";
import { renamed, withBody } from "./recovered.ts";
import { places, writeJob, writeLetter, writeState } from "./snapshots.ts";
import type { JobSnapshot, JobState, Place } from "./snapshots.ts";
import type { States } from "./states.ts";

/** What the journal needs to know of one queue's jobs, to write them anew when their segment goes. */
export interface FileKeeper extends Keeper {
  /** By sequence number: jobs that somebody holds. */
  readonly leases: Map<number, JobEntry>;
  readonly letters: Map<number, ShelvedLetter>;
}

export interface FileKeeperOptions {
  /** The queue's number in the journal. */
  readonly number: number;
  readonly journal: Journal;
  readonly locations: Locations;
  readonly bodies: Bodies;
  readonly states: States;
  /** Ids that are not those of the snapshots, by sequence number. */
  readonly ids: Map<number, string>;
  readonly nextSeq: () => number;
  readonly nextOrder: () => number;
  readonly dedupTtlMs: number;
  readonly clock: Clock;
}

/** Writes one queue's effects to the journal; an entry's or letter's `ref` is its sequence number. */
export function createFileKeeper(options: FileKeeperOptions): FileKeeper {
  const { number: queue, journal, locations, bodies, states, ids, clock } = options;
  const leases = new Map<number, JobEntry>();
  const letters = new Map<number, ShelvedLetter>();

  const stateOf = (entry: JobEntry, place: Place, delayMs: number): JobState => ({
    place,
    attempts: entry.attempts,
    due: delayMs > 0 ? clock.now() + delayMs : 0,
    delay: delayMs,
    endpoint: entry.endpoint,
    order: options.nextOrder(),
  });

  /** The job waits elsewhere than in line. */
  const waitElsewhere = (entry: JobEntry, state: JobState): void => {
    leases.delete(entry.ref);
    states.set(entry.ref, queue, entry.enqueuedAt, state);
  };

  /** Writes a snapshot where the pen stands, and remembers where that is. */
  const putJob = (pen: Pen, job: JobSnapshot, body: JobBody): void => {
    const { segment, offset } = journal.position();
    const bodyLength = writeJob(pen, job, body);
    locations.set(job.seq, segment, offset, journal.position().offset - offset, bodyLength);
    ids.delete(job.seq);
    bodies.forget(job.seq);
    bodies.remember(job.seq, job.id, body);
    if (job.dedup === null) return;
    segment.dedupUntil = Math.max(segment.dedupUntil, job.enqueuedAt + options.dedupTtlMs);
  };

  const writeSnapshot = (job: JobSnapshot, body: JobBody): void => {
    putJob(journal.begin(types.job, 0, queue), job, body);
    journal.end();
  };

  /** The job is over. */
  const forget = (seq: number): void => {
    leases.delete(seq);
    states.delete(seq);
    ids.delete(seq);
    locations.free(seq);
    bodies.forget(seq);
  };

  /** Children whose bodies end alike: that end is written, and kept in memory, once. */
  const replaceByShared = (parent: JobEntry, children: readonly NewChild[], tail: string): void => {
    const rows = children.map(({ entry, head = "" }): Child => {
      const seq = options.nextSeq();
      entry.ref = seq;
      const state = stateOf(entry, places.ahead, 0);
      waitElsewhere(entry, state);
      bodies.remember(seq, entry.id, head, { text: tail, sharedBy: children.length });
      const snapshot = { ...state, seq, id: entry.id, enqueuedAt: entry.enqueuedAt, dedup: null };
      return { seq, write: (pen, place) => writeJob(pen, snapshot, head, place) };
    });
    writeChildren(journal, locations, { queue, parent: parent.ref, tail, rows });
    forget(parent.ref);
  };

  const look: FileKeeper["look"] = (entries) => {
    // In this step: what is over in the next one is read all the same.
    const there = entries.filter(({ ref }) => locations.has(ref));
    const stored = bodies.read(there.map(({ ref }) => ref));
    const take = (read: Awaited<typeof stored>): readonly (Stored | null)[] => {
      const byRef = new Map(there.map(({ ref }, at) => [ref, read[at] as Stored]));
      return entries.map(({ id, ref }) => {
        const one = byRef.get(ref);
        if (one === undefined) return null;
        return { id: id === "" ? (ids.get(ref) ?? one.id) : id, body: one.body };
      });
    };
    return stored instanceof Promise ? stored.then(take) : take(stored);
  };

  return {
    leases,
    letters,
    enqueued(entry, { body, delayMs, dedup }) {
      const seq = options.nextSeq();
      entry.ref = seq;
      const state = stateOf(entry, delayMs > 0 ? places.delayed : places.line, delayMs);
      if (delayMs > 0) waitElsewhere(entry, state);
      writeSnapshot({ ...state, seq, id: entry.id, enqueuedAt: entry.enqueuedAt, dedup }, body);
    },
    leased(entries) {
      const pen = journal.begin(types.leased, 0, queue);
      pen.u32(entries.length);
      for (const entry of entries) {
        const seq = entry.ref;
        pen.f64(seq);
        leases.set(seq, entry);
        states.delete(seq);
      }
      journal.end();
    },
    waits(entry, where, body) {
      const seq = entry.ref;
      const state =
        "key" in where ? stateOf(entry, places.parked, 0) : stateOf(entry, places.back, where.delayMs);
      waitElsewhere(entry, state);
      if (body !== undefined) {
        writeSnapshot({ ...state, seq, id: entry.id, enqueuedAt: entry.enqueuedAt, dedup: null }, body);
        return;
      }
      const pen = journal.begin(types.state, 0, queue);
      pen.f64(seq);
      pen.f64(entry.enqueuedAt);
      writeState(pen, state);
      pen.text(ids.get(seq) ?? null);
      journal.end();
    },
    renamed: (entry) => void ids.set(entry.ref, entry.id),
    ended(entry) {
      const seq = entry.ref;
      journal.ack(seq);
      forget(seq);
    },
    died(letter, body) {
      const seq = letter.ref;
      leases.delete(seq);
      const shelved = letter as ShelvedLetter;
      letters.set(seq, shelved);
      const flags = body !== undefined ? withBody : ids.has(seq) ? renamed : 0;
      const pen = journal.begin(types.dead, flags, queue);
      const { segment, offset } = journal.position();
      const bodyLength = writeLetter(pen, { ...letter, seq }, body ?? null);
      const length = journal.position().offset - offset;
      journal.end();
      bodies.forget(seq);
      if (body === undefined) return locations.get(seq)?.bodyLength ?? 0;
      ids.delete(seq);
      locations.set(seq, segment, offset, length, bodyLength);
      return bodyBytes(body);
    },
    replaced(parent, children, tail) {
      if (tail !== undefined && children.length > 1) return replaceByShared(parent, children, tail);
      const seq = parent.ref;
      const pen = journal.begin(types.replace, 0, queue);
      pen.f64(seq);
      pen.u32(children.length);
      for (const { entry, body } of children) {
        const child = options.nextSeq();
        entry.ref = child;
        const state = stateOf(entry, places.ahead, 0);
        waitElsewhere(entry, state);
        const lengthAt = pen.length;
        pen.u32(0);
        const snapshot = { ...state, seq: child, id: entry.id, enqueuedAt: entry.enqueuedAt, dedup: null };
        putJob(pen, snapshot, body);
        pen.setU32(lengthAt, pen.length - lengthAt - 4);
      }
      journal.end();
      forget(seq);
    },
    redriven(letter, entry, body) {
      const seq = letter.ref;
      letters.delete(seq);
      const state = stateOf(entry, places.ahead, 0);
      waitElsewhere(entry, state);
      if (body !== undefined) {
        // A job's record takes the place of whatever had its number: one record, letter → job in one step.
        writeSnapshot({ ...state, seq, id: entry.id, enqueuedAt: entry.enqueuedAt, dedup: null }, body);
        return;
      }
      const pen = journal.begin(types.redrive, 0, queue);
      pen.f64(entry.enqueuedAt);
      pen.f64(state.order);
      pen.u32(1);
      pen.f64(seq);
      journal.end();
    },
    removed(letter) {
      const seq = letter.ref;
      letters.delete(seq);
      forget(seq);
      const pen = journal.begin(types.remove, 0, queue);
      pen.u32(1);
      pen.f64(seq);
      journal.end();
    },
    load(entries) {
      const stored = bodies.read(entries.map(({ ref }) => ref));
      const take = (read: Awaited<typeof stored>): readonly JobBody[] =>
        read.map(({ id, body }, at) => {
          const entry = entries[at] as JobEntry;
          if (entry.id === "") entry.id = ids.get(entry.ref) ?? id;
          return body;
        });
      return stored instanceof Promise ? stored.then(take) : take(stored);
    },
    look,
    bodySize: ({ ref }) => locations.get(ref)?.bodyLength ?? 0,
    async lookAtIds(entries) {
      return (await look(entries)).map((one) => one?.id ?? "");
    },
    read(asked) {
      const stored = bodies.read(asked.map(({ ref }) => ref));
      const take = (read: Awaited<typeof stored>): readonly JobBody[] => read.map(({ body }) => body);
      return stored instanceof Promise ? stored.then(take) : take(stored);
    },
    whenSafe: (then) => journal.whenSafe(then),
  };
}
