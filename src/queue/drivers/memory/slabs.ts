import { Buffer } from "node:buffer";

/** A few large buffers outside the JavaScript heap. Bytes are added behind each other; a buffer with no byte in use goes. */
export interface Slabs {
  /** Bytes of all slabs. */
  readonly capacity: number;
  /** Bytes that are in use. */
  readonly used: number;
  /** Finds a place for at most so many bytes; `slab` and `offset` say where, until the next call. */
  reserve(most: number): void;
  readonly slab: number;
  readonly offset: number;
  /** Keeps the first bytes of the place found, at least 1. */
  commit(bytes: number): void;
  data(slab: number): Buffer;
  /** Gives up some bytes of a slab. */
  free(slab: number, bytes: number): void;
  /** The slab with the fewest bytes in use, the one that is being filled left out. */
  emptiest(): number | undefined;
}

interface Slab {
  readonly data: Buffer;
  used: number;
}

/** The first slabs are small, so that a queue that holds little takes little. */
const smallBytes = 64 * 1024;
const usualBytes = 1024 * 1024;
/** What is larger gets a slab of its own. */
const largestShared = usualBytes / 4;
/** Empty slabs that are kept for what comes next. */
const mostSpare = 4;

/** No slab yet: the first is made when it is needed. */
export function createSlabs(): Slabs {
  const slabs: (Slab | null)[] = [];
  const freeNumbers: number[] = [];
  const spare: Buffer[] = [];
  let capacity = 0;
  let used = 0;
  /** The slab that is being filled, and how far it is; -1 before the first. */
  let filling = -1;
  let filled = 0;
  let place = -1;
  let offset = 0;

  const add = (size: number): number => {
    const at = spare.findIndex((data) => data.length === size);
    const data = at === -1 ? Buffer.allocUnsafeSlow(size) : (spare.splice(at, 1)[0] as Buffer);
    const number = freeNumbers.pop() ?? slabs.length;
    slabs[number] = { data, used: 0 };
    capacity += size;
    return number;
  };

  const drop = (number: number): void => {
    const { data } = slabs[number] as Slab;
    slabs[number] = null;
    freeNumbers.push(number);
    capacity -= data.length;
    if (data.length === usualBytes && spare.length < mostSpare) spare.push(data);
    // Frees the memory now: the collector need not run while nothing else is made.
    else (data.buffer as ArrayBuffer).transfer(0);
  };

  const startNext = (most: number): void => {
    const last = filling;
    filling = add(most > smallBytes || capacity >= usualBytes ? usualBytes : smallBytes);
    filled = 0;
    if (last !== -1 && slabs[last]?.used === 0) drop(last);
  };

  return {
    get capacity() {
      return capacity;
    },
    get used() {
      return used;
    },
    get slab() {
      return place;
    },
    get offset() {
      return offset;
    },
    reserve(most) {
      if (most > largestShared) {
        place = add(most);
        offset = 0;
        return;
      }
      if (filling === -1 || (slabs[filling] as Slab).data.length - filled < most) startNext(most);
      place = filling;
      offset = filled;
    },
    commit(bytes) {
      (slabs[place] as Slab).used += bytes;
      used += bytes;
      if (place === filling) filled += bytes;
    },
    data: (slab) => (slabs[slab] as Slab).data,
    free(number, bytes) {
      const slab = slabs[number] as Slab;
      slab.used -= bytes;
      used -= bytes;
      if (slab.used > 0) return;
      if (number === filling) filled = 0;
      else drop(number);
    },
    emptiest() {
      let found: number | undefined;
      let least = Infinity;
      for (const [number, slab] of slabs.entries()) {
        if (slab === null || number === filling || slab.used >= least) continue;
        found = number;
        least = slab.used;
      }
      return found;
    },
  };
}
