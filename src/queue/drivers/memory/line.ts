/** What stands in a line: the item carries its own neighbours, so that it can leave from the middle. */
export interface InLine<T> {
  /** The line it stands in; null outside. These three are written by the line alone. */
  line: Line<T> | null;
  before: T | null;
  after: T | null;
}

/** A line: in at the back, out at the front or from the middle, all in constant time. */
export interface Line<T> {
  readonly size: number;
  pushBack(item: T): void;
  /** The oldest item, taken out; undefined when there is none. */
  popFront(): T | undefined;
  /** The oldest item, left where it is. */
  front(): T | undefined;
  /** Takes an item out, wherever it stands. It must be in this line. */
  remove(item: T): void;
}

/**
 * A doubly linked list through the items themselves: leaving the middle moves nothing and leaves no gap, which
 * a ring could not do.
 */
export function createLine<T extends InLine<T>>(): Line<T> {
  let first: T | null = null;
  let last: T | null = null;
  let size = 0;

  const line: Line<T> = {
    get size() {
      return size;
    },
    pushBack(item) {
      item.line = line;
      item.before = last;
      if (last === null) first = item;
      else last.after = item;
      last = item;
      size += 1;
    },
    popFront() {
      const item = first;
      if (item === null) return undefined;
      line.remove(item);
      return item;
    },
    front: () => first ?? undefined,
    remove(item) {
      if (item.before === null) first = item.after;
      else item.before.after = item.after;
      if (item.after === null) last = item.before;
      else item.after.before = item.before;
      item.line = null;
      item.before = null;
      item.after = null;
      size -= 1;
    },
  };
  return line;
}
