import { HooklineError } from "../../../errors.ts";
import type { DeadCounts, DeadLetter, DeadLetterPageRequest } from "../../driver.ts";
import { fitsDeadFilter } from "../../dead-filter.ts";
import { createDeadTally } from "./dead-counts.ts";

/** Letters that a page looks at: a millisecond or two, in which nothing else happens here. */
const mostLooked = 10_000;

/** A dead letter without its body. */
export interface ShelvedLetter extends Omit<DeadLetter, "body" | "id"> {
  readonly id: string;
  /** Under what the keeper finds the body. */
  ref: number;
  /** Bytes of the body. */
  readonly bodyBytes: number;
}

/** How much a shelf holds, and for how long. */
export interface ShelfLimits {
  readonly maxLetters: number;
  readonly maxBytes: number;
  /** How long a letter is kept. */
  readonly maxAgeMs: number;
}

/** A part of a shelf: letters, newest first. */
export interface ShelfPage {
  readonly letters: readonly ShelvedLetter[];
  readonly cursors: readonly string[];
  readonly looked: number;
  readonly cursor: string | null;
}

/** The dead letters of one queue, in the order they came. */
export interface DeadLetterShelf {
  readonly size: number;
  readonly bytes: number;
  /** An id for a letter: its job's, or that with `.2`, `.3` … where it is taken. */
  freeId(jobId: string): string;
  /** Keeps a letter under its id, which must be free; `ageMs` is how long it has been dead, 0 when not given. */
  add(letter: ShelvedLetter, ageMs?: number): void;
  /** The letter of this id, left where it is. */
  find(id: string): ShelvedLetter | undefined;
  /** Takes one out; undefined when there is none of that id. */
  take(id: string): ShelvedLetter | undefined;
  /** The oldest, left where it is. */
  oldest(): ShelvedLetter | undefined;
  /** Takes out what is too old or has no room, the oldest first; to be called before the shelf is looked at. */
  trim(): ShelvedLetter[];
  page(request: DeadLetterPageRequest): ShelfPage;
  counts(): DeadCounts;
  /** The endpoints with most letters, as text. */
  largest(limit: number): string;
}

interface Shelved {
  readonly number: number;
  /** Monotonic ms: a wall clock that is set forward must not empty the shelf. */
  readonly addedAt: number;
  letter: ShelvedLetter | null;
}

/**
 * A shelf that keeps the newest letters that it has room and time for.
 *
 * Letters are numbered as they come, and the cursor is the number of the last one shown: pages neither
 * repeat nor lose a letter when others come and go in between.
 *
 * @param now Monotonic ms.
 */
export function createDeadLetterShelf(limits: ShelfLimits, now: () => number): DeadLetterShelf {
  const byId = new Map<string, Shelved>();
  const tally = createDeadTally();
  /** Ascending numbers; what was taken out leaves an empty place until there are more of those than letters. */
  let order: Shelved[] = [];
  let oldest = 0;
  let nextNumber = 1;
  let bytes = 0;

  const remove = (shelved: Shelved): ShelvedLetter => {
    const letter = shelved.letter as ShelvedLetter;
    byId.delete(letter.id);
    shelved.letter = null;
    bytes -= letterBytes(letter);
    tally.add(letter.endpoint, letter.reason, -1);
    if (order.length > 32 && order.length > byId.size * 2) {
      order = order.filter((one) => one.letter !== null);
      oldest = 0;
    }
    return letter;
  };

  const findOldest = (): Shelved | undefined => {
    while (oldest < order.length && order[oldest]?.letter === null) oldest += 1;
    return order[oldest];
  };

  /** The newest letter is kept however large it is, unless none is wanted at all. */
  const isTooMuch = ({ addedAt }: Shelved): boolean =>
    byId.size > limits.maxLetters ||
    (bytes > limits.maxBytes && byId.size > 1) ||
    now() - addedAt > limits.maxAgeMs;

  /** The first place whose number is not below `number`. */
  const placeOf = (number: number): number => {
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((order[middle] as Shelved).number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get size() {
      return byId.size;
    },
    get bytes() {
      return bytes;
    },
    freeId(jobId) {
      let id = jobId;
      for (let copy = 2; byId.has(id); copy += 1) id = `${jobId}.${copy}`;
      return id;
    },
    add(letter, ageMs = 0) {
      const shelved: Shelved = { number: nextNumber, addedAt: now() - ageMs, letter };
      nextNumber += 1;
      byId.set(letter.id, shelved);
      order.push(shelved);
      bytes += letterBytes(letter);
      tally.add(letter.endpoint, letter.reason, 1);
    },
    find: (id) => byId.get(id)?.letter ?? undefined,
    take(id) {
      const shelved = byId.get(id);
      return shelved === undefined ? undefined : remove(shelved);
    },
    oldest: () => findOldest()?.letter ?? undefined,
    trim() {
      const trimmed: ShelvedLetter[] = [];
      for (let first = findOldest(); first !== undefined && isTooMuch(first); first = findOldest()) {
        trimmed.push(remove(first));
      }
      return trimmed;
    },
    page({ limit, cursor, maxBytes = Infinity, filter, oldestFirst = false, upTo }) {
      for (const one of [cursor ?? "0", upTo ?? "0"]) {
        if (!/^\d{1,16}$/.test(one)) {
          throw new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page");
        }
      }
      const letters: ShelvedLetter[] = [];
      const cursors: string[] = [];
      const step = oldestFirst ? 1 : -1;
      let last = cursor;
      let looked = 0;
      let pageBytes = 0;
      findOldest();
      let place = oldestFirst ? oldest : order.length - 1;
      if (cursor !== null) place = oldestFirst ? placeOf(Number(cursor) + 1) : placeOf(Number(cursor)) - 1;
      const end = upTo === undefined ? order.length : placeOf(Number(upTo) + 1);
      const isInside = (): boolean => place < end && place >= oldest;
      for (; isInside() && letters.length < limit && looked < mostLooked; place += step) {
        const { letter, number } = order[place] as Shelved;
        if (letter === null) continue;
        if (filter === undefined || fitsDeadFilter(filter, letter)) {
          pageBytes += letter.bodyBytes;
          if (pageBytes > maxBytes && letters.length > 0) break;
          letters.push(letter);
          cursors.push(String(number));
        }
        looked += 1;
        last = String(number);
      }
      while (isInside() && order[place]?.letter === null) place += step;
      return { letters, cursors, looked, cursor: isInside() ? last : null };
    },
    counts: () => ({ groups: tally.groups(), bytes, complete: true }),
    largest: (limit) => tally.largest(limit),
  };
}

/** What a letter takes: its body and the texts beside it. */
function letterBytes({ id, jobId, reason, detail, endpoint, bodyBytes }: ShelvedLetter): number {
  return (
    bodyBytes + id.length + jobId.length + reason.length + (detail?.length ?? 0) + (endpoint?.length ?? 0)
  );
}
