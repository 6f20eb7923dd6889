import { HooklineError } from "../../../errors.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import type { DeadLetter, DeadLetterPage, DeadLetterPageRequest } from "../../driver.ts";

/** The dead letters of one queue, in the order they came. */
export interface DeadLetterShelf {
  readonly size: number;
  /** Keeps a letter under its job's id, or that with `.2`, `.3` … where it is taken. Returns how many old ones went. */
  add(letter: Omit<DeadLetter, "id">): number;
  /** Takes one out; undefined when there is none of that id. */
  take(id: string): DeadLetter | undefined;
  /** Takes the oldest out. */
  takeOldest(): DeadLetter | undefined;
  page(request: DeadLetterPageRequest): DeadLetterPage;
}

interface Shelved {
  readonly number: number;
  letter: DeadLetter | null;
}

/**
 * A shelf that keeps the newest `retention` letters.
 *
 * Letters are numbered as they come, and the cursor is the number of the last one shown: pages neither
 * repeat nor lose a letter when others come and go in between.
 */
export function createDeadLetterShelf(retention: number): DeadLetterShelf {
  const byId = new Map<string, Shelved>();
  /** Ascending numbers; what was taken out leaves an empty place until there are more of those than letters. */
  let order: Shelved[] = [];
  let oldest = 0;
  let nextNumber = 1;

  const removeShelved = (id: string, shelved: Shelved): DeadLetter | undefined => {
    const { letter } = shelved;
    byId.delete(id);
    shelved.letter = null;
    if (order.length > 32 && order.length > byId.size * 2) {
      order = order.filter((one) => one.letter !== null);
      oldest = 0;
    }
    return letter ?? undefined;
  };

  const takeOldest = (): DeadLetter | undefined => {
    for (; oldest < order.length; oldest += 1) {
      const shelved = order[oldest] as Shelved;
      if (shelved.letter !== null) return removeShelved(shelved.letter.id, shelved);
    }
    return undefined;
  };

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
    add(letter) {
      let id = letter.jobId;
      for (let copy = 2; byId.has(id); copy += 1) id = `${letter.jobId}.${copy}`;
      const shelved: Shelved = { number: nextNumber, letter: { ...letter, id } };
      nextNumber += 1;
      byId.set(id, shelved);
      order.push(shelved);
      let trimmed = 0;
      for (; byId.size > retention; trimmed += 1) takeOldest();
      return trimmed;
    },
    take(id) {
      const shelved = byId.get(id);
      return shelved === undefined ? undefined : removeShelved(id, shelved);
    },
    takeOldest,
    page({ limit, cursor, maxBytes = Infinity }) {
      if (cursor !== null && !/^\d+$/.test(cursor)) {
        throw new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page");
      }
      const items: DeadLetter[] = [];
      let last = 0;
      let bytes = 0;
      let place = (cursor === null ? order.length : placeOf(Number(cursor))) - 1;
      for (; place >= 0 && items.length < limit; place -= 1) {
        const { letter, number } = order[place] as Shelved;
        if (letter === null) continue;
        bytes += bodyBytes(letter.body);
        if (bytes > maxBytes && items.length > 0) break;
        items.push(letter);
        last = number;
      }
      const isMore = order.slice(0, place + 1).some((one) => one.letter !== null);
      return { items, cursor: isMore ? String(last) : null, complete: true };
    },
  };
}
