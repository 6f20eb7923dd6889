/** A line: in at the back, out at the front, both in constant time and without moving what stands between. */
export interface Deque<T> {
  readonly size: number;
  pushBack(item: T): void;
  /** The oldest item, taken out; undefined when there is none. */
  popFront(): T | undefined;
  /** The oldest item, left where it is. */
  front(): T | undefined;
}

const smallest = 16;

/** A ring that doubles when full and halves when three quarters are free, so that a past peak is given back. */
export function createDeque<T>(): Deque<T> {
  let ring: (T | undefined)[] = emptyRing(smallest);
  let head = 0;
  let size = 0;

  const resize = (capacity: number): void => {
    const next: (T | undefined)[] = emptyRing(capacity);
    for (let index = 0; index < size; index += 1) next[index] = ring[(head + index) & (ring.length - 1)];
    ring = next;
    head = 0;
  };

  return {
    get size() {
      return size;
    },
    pushBack(item) {
      if (size === ring.length) resize(ring.length * 2);
      ring[(head + size) & (ring.length - 1)] = item;
      size += 1;
    },
    popFront() {
      if (size === 0) return undefined;
      const item = ring[head];
      ring[head] = undefined;
      head = (head + 1) & (ring.length - 1);
      size -= 1;
      if (ring.length > smallest && size * 4 <= ring.length) resize(ring.length / 2);
      return item;
    },
    front: () => (size === 0 ? undefined : ring[head]),
  };
}

/** The capacity is a power of two, so that a mask does for the remainder. */
function emptyRing(capacity: number): undefined[] {
  return Array.from({ length: capacity }, () => undefined);
}
