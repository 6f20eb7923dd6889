/** What a deadline heap holds: the item carries its own place, so that it can be taken out of the middle. */
export interface Deadlined {
  /** Monotonic ms. Changed only while the item is outside of a heap. */
  deadline: number;
  /** Index in the heap; -1 outside. Written by the heap alone. */
  place: number;
}

/** Items by deadline, the nearest first; adding and removing cost O(log n). */
export interface DeadlineHeap<T extends Deadlined> {
  readonly size: number;
  add(item: T): void;
  /** Takes an item out, wherever it stands. It must be in this heap. */
  remove(item: T): void;
  /** The item with the nearest deadline, left where it is. */
  nearest(): T | undefined;
  /** All items, in any order; to be read before anything is added or removed. */
  values(): readonly T[];
}

/**
 * A binary heap. Leases are settled long before their deadline in almost every case, so removal from the
 * middle is the common path; marking items as gone instead would keep one entry per job for a whole lease time.
 */
export function createDeadlineHeap<T extends Deadlined>(): DeadlineHeap<T> {
  const items: T[] = [];

  const put = (item: T, place: number): void => {
    items[place] = item;
    item.place = place;
  };

  const rise = (item: T, from: number): void => {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = items[above] as T;
      if (parent.deadline <= item.deadline) break;
      put(parent, place);
      place = above;
    }
    put(item, place);
  };

  const sink = (item: T, from: number): void => {
    let place = from;
    for (;;) {
      let below = place * 2 + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && (items[below + 1] as T).deadline < (items[below] as T).deadline)
        below += 1;
      const child = items[below] as T;
      if (child.deadline >= item.deadline) break;
      put(child, place);
      place = below;
    }
    put(item, place);
  };

  return {
    get size() {
      return items.length;
    },
    add: (item) => rise(item, items.length),
    remove(item) {
      const { place } = item;
      const last = items.pop() as T;
      item.place = -1;
      if (last === item) return;
      if (place > 0 && (items[(place - 1) >> 1] as T).deadline > last.deadline) rise(last, place);
      else sink(last, place);
    },
    nearest: () => items[0],
    values: () => items,
  };
}
