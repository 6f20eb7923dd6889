import type { HistoryEntry } from "./entry.ts";

/** Entries in order of their number; the oldest goes first, and of those that stay the oldest body. */
export interface Shelf {
  readonly size: number;
  /** Sum of the entries' bytes. */
  bytes: number;
  add(entry: HistoryEntry): void;
  /** Takes the oldest entry out; null when there is none. */
  dropOldest(): HistoryEntry | null;
  /** The oldest entry that may still have its body; null when none has. */
  oldestWithBody(): HistoryEntry | null;
  find(number: number): HistoryEntry | null;
  /** Newest first, those below this number. */
  downFrom(number: number): IterableIterator<HistoryEntry>;
}

/** Places at the front that are given back together, so that dropping costs no copy each time. */
const compactAfter = 1024;

export function createShelf(): Shelf {
  let entries: (HistoryEntry | null)[] = [];
  /** Places before it are empty. */
  let head = 0;
  /** Entries before it have no body. */
  let bodies = 0;
  let bytes = 0;

  /** The place of the first entry whose number is not below this one. */
  const placeOf = (number: number): number => {
    let low = head;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle] as HistoryEntry).number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get size() {
      return entries.length - head;
    },
    get bytes() {
      return bytes;
    },
    set bytes(value) {
      bytes = value;
    },
    add(entry) {
      entries.push(entry);
      bytes += entry.bytes;
    },
    dropOldest() {
      const entry = entries[head];
      if (entry === undefined || entry === null) return null;
      entries[head] = null;
      head += 1;
      bodies = Math.max(bodies, head);
      bytes -= entry.bytes;
      if (head >= compactAfter && head * 2 >= entries.length) {
        entries = entries.slice(head);
        bodies -= head;
        head = 0;
      }
      return entry;
    },
    oldestWithBody() {
      while (bodies < entries.length) {
        const entry = entries[bodies];
        if (entry?.body) return entry;
        bodies += 1;
      }
      return null;
    },
    find(number) {
      const entry = entries[placeOf(number)];
      return entry?.number === number ? entry : null;
    },
    *downFrom(number) {
      // By number and not by place: entries go while a page is being made.
      let below = number;
      for (;;) {
        const place = placeOf(below) - 1;
        const entry = place < head ? null : entries[place];
        if (!entry) return;
        below = entry.number;
        yield entry;
      }
    },
  };
}
