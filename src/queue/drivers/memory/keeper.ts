import type { JobBody } from "../../../jobs/job.ts";
import type { NewJob } from "../../driver.ts";
import { createBodyStore, type StoredBody } from "./body-store.ts";
import type { ShelvedLetter } from "./dead-letter-shelf.ts";
import type { JobEntry } from "./job-entry.ts";

/** A child of a fan-out with its bytes. */
export interface NewChild {
  readonly entry: JobEntry;
  readonly body: JobBody;
  /** The body without the tail that all of them share; absent where they share none. */
  readonly head?: string | undefined;
}

/**
 * Keeps the bytes of one queue's jobs, and is told of everything that happens to them, in order.
 *
 * The queue decides and keeps the lines; the keeper makes it last. Each method is called once the queue has
 * decided, in the same synchronous step, and cannot refuse. Where it is given a body, it leaves in the entry's or
 * letter's `ref` under what the bytes are found from then on.
 */
export interface Keeper {
  /** A new job, `delayMs` and `dedup` as given; the entry is not in a line yet. */
  enqueued(entry: JobEntry, job: NewJob): void;
  /** Leases begin. Losing this costs no more than an attempt that is not charged. */
  leased(entries: readonly JobEntry[]): void;
  /**
   * A job waits again: `attempts`, `id` and `endpoint` as the entry has them, from `delayMs` on, or parked under a key
   * until that is open.
   */
  waits(
    entry: JobEntry,
    where: { readonly delayMs: number } | { readonly key: string },
    body?: JobBody,
  ): void;
  /** A job turned out to have another id than it was stored under; what is told next of it lasts. */
  renamed(entry: JobEntry): void;
  /** A job is over, acked or evicted. */
  ended(entry: JobEntry): void;
  /** A job became a dead letter; its bytes are replaced where `body` is given. Returns how many there are. */
  died(letter: Omit<ShelvedLetter, "bodyBytes">, body?: JobBody): number;
  /** A job is over and its children are there, in one step; `tail` is how all their bodies end. */
  replaced(parent: JobEntry, children: readonly NewChild[], tail?: string): void;
  /** A dead letter became a job again, attempts 0 and enqueued now, with the letter's bytes or those given. */
  redriven(letter: ShelvedLetter, entry: JobEntry, body?: JobBody): void;
  /** A dead letter is gone, by retention or by hand. */
  removed(letter: ShelvedLetter): void;
  /** The bytes of jobs just leased, in their order. An entry that came without an id has one afterwards. */
  load(entries: readonly JobEntry[]): readonly JobBody[] | Promise<readonly JobBody[]>;
  /**
   * The ids and bytes of jobs that wait or are leased, in their order; null where one is over meanwhile. The entries
   * are as the queue has them in this step.
   */
  look(
    entries: readonly JobEntry[],
  ): readonly (StoredBody | null)[] | Promise<readonly (StoredBody | null)[]>;
  /** Bytes of a job's body; 0 where it is over meanwhile. */
  bodySize(entry: JobEntry): number;
  /** As `look`, of which only the ids are wanted. */
  lookAtIds(entries: readonly JobEntry[]): readonly string[] | Promise<readonly string[]>;
  /** The bytes of dead letters, in their order. */
  read(letters: readonly ShelvedLetter[]): readonly JobBody[] | Promise<readonly JobBody[]>;
  /**
   * Calls back once everything told so far is safe; at once where nothing has to become safe. A job may be leased only
   * then, or it could be delivered, lost in a crash, refused to its producer, and sent again under another id.
   */
  whenSafe(then: () => void): void;
}

/** Keeps bytes in this process: nothing outlives it, and all is safe at once. */
export function createMemoryKeeper(): Keeper {
  const bodies = createBodyStore();

  const replaceBody = (of: { ref: number }, id: string, body: JobBody): void => {
    bodies.free(of.ref);
    of.ref = bodies.put(id, body);
  };

  return {
    enqueued(entry, job) {
      entry.ref = bodies.put(entry.id, job.body);
    },
    leased() {},
    waits(entry, _where, body) {
      if (body !== undefined) replaceBody(entry, entry.id, body);
    },
    renamed() {},
    ended: (entry) => bodies.free(entry.ref),
    died(letter, body) {
      if (body !== undefined) replaceBody(letter, letter.jobId, body);
      return bodies.size(letter.ref);
    },
    replaced(parent, children) {
      for (const { entry, body } of children) entry.ref = bodies.put(entry.id, body);
      bodies.free(parent.ref);
    },
    redriven(_letter, entry, body) {
      if (body !== undefined) replaceBody(entry, entry.id, body);
    },
    removed: (letter) => bodies.free(letter.ref),
    load: (entries) =>
      entries.map((entry) => {
        const { id, body } = bodies.read(entry.ref);
        if (entry.id === "") entry.id = id;
        return body;
      }),
    look: (entries) =>
      entries.map(({ id, ref }) => {
        const stored = bodies.read(ref);
        return id === "" ? stored : { id, body: stored.body };
      }),
    bodySize: ({ ref }) => bodies.size(ref),
    lookAtIds: (entries) => entries.map(({ id, ref }) => (id === "" ? bodies.readId(ref) : id)),
    read: (letters) => letters.map(({ ref }) => bodies.read(ref).body),
    whenSafe: (then) => then(),
  };
}
