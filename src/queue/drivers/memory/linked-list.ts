/** An item of a linked list. It carries its own neighbours, so that it can leave from the middle. */
export interface InList<T> {
  /** The list it is in; null outside. Only the list writes these three fields. */
  list: LinkedList<T> | null;
  before: T | null;
  after: T | null;
}

/** A list that adds at the back and removes from the front or the middle, all in constant time. */
export interface LinkedList<T> {
  readonly size: number;
  pushBack(item: T): void;
  /** The oldest item, taken out; undefined when there is none. */
  popFront(): T | undefined;
  /** The oldest item, left where it is. */
  front(): T | undefined;
  /** Takes an item out, wherever it stands. It must be in this list. */
  remove(item: T): void;
  /** The items in order; the one that was given last may be removed. */
  values(): Iterable<T>;
}

/**
 * A doubly linked list through the items themselves: leaving the middle moves nothing and leaves no gap, which
 * a ring could not do.
 */
export function createLinkedList<T extends InList<T>>(): LinkedList<T> {
  let first: T | null = null;
  let last: T | null = null;
  let size = 0;

  const list: LinkedList<T> = {
    get size() {
      return size;
    },
    pushBack(item) {
      item.list = list;
      item.before = last;
      if (last === null) first = item;
      else last.after = item;
      last = item;
      size += 1;
    },
    popFront() {
      const item = first;
      if (item === null) return undefined;
      list.remove(item);
      return item;
    },
    front: () => first ?? undefined,
    remove(item) {
      if (item.before === null) first = item.after;
      else item.before.after = item.after;
      if (item.after === null) last = item.before;
      else item.after.before = item.before;
      item.list = null;
      item.before = null;
      item.after = null;
      size -= 1;
    },
    *values() {
      for (let item = first; item !== null;) {
        const { after }: T = item;
        yield item;
        item = after;
      }
    },
  };
  return list;
}
