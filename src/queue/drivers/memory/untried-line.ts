import { createJobEntry, type JobEntry } from "./job-entry.ts";
import type { JobLine } from "./job-line.ts";

const smallest = 64;
/** Numbers of one job: ref, order, enqueuedAt. */
const width = 3;

/**
 * A line of jobs that were never leased. It is a ring of numbers, 24 bytes a job: the collector has nothing to visit. It
 * doubles when full and halves when three
 * quarters are free. Entries are made as they leave; their ids stand beside their bytes, and come with them.
 */
export function createUntriedLine(): JobLine {
  let ring = new Float64Array(smallest * width);
  let capacity = smallest;
  let head = 0;
  let size = 0;

  const resize = (next: number): void => {
    const larger = new Float64Array(next * width);
    const untilEnd = Math.min(size, capacity - head);
    larger.set(ring.subarray(head * width, (head + untilEnd) * width));
    larger.set(ring.subarray(0, (size - untilEnd) * width), untilEnd * width);
    ring = larger;
    capacity = next;
    head = 0;
  };

  const entryAt = (index: number): JobEntry => {
    const at = ((head + index) & (capacity - 1)) * width;
    const [ref, order, enqueuedAt] = [ring[at], ring[at + 1], ring[at + 2]] as [number, number, number];
    return createJobEntry("", ref, order, enqueuedAt);
  };

  return {
    get size() {
      return size;
    },
    pushBack({ ref, order, enqueuedAt }) {
      if (size === capacity) resize(capacity * 2);
      const at = ((head + size) & (capacity - 1)) * width;
      ring[at] = ref;
      ring[at + 1] = order;
      ring[at + 2] = enqueuedAt;
      size += 1;
    },
    popFront() {
      if (size === 0) return undefined;
      const entry = entryAt(0);
      head = (head + 1) & (capacity - 1);
      size -= 1;
      if (capacity > smallest && size * 4 <= capacity) resize(capacity / 2);
      return entry;
    },
    front() {
      if (size === 0) return undefined;
      return { order: ring[head * width + 1] as number, enqueuedAt: ring[head * width + 2] as number };
    },
    slice: (from, count) =>
      Array.from({ length: Math.max(0, Math.min(count, size - from)) }, (_, index) => entryAt(from + index)),
    pick(orders, takes) {
      const picked: JobEntry[] = [];
      let kept = 0;
      for (let index = 0; index < size; index += 1) {
        const from = ((head + index) & (capacity - 1)) * width;
        if (orders.has(ring[from + 1] as number)) {
          picked.push(entryAt(index));
          if (takes) continue;
        }
        if (kept < index) {
          const to = ((head + kept) & (capacity - 1)) * width;
          ring[to] = ring[from] as number;
          ring[to + 1] = ring[from + 1] as number;
          ring[to + 2] = ring[from + 2] as number;
        }
        kept += 1;
      }
      size = kept;
      let fitting = capacity;
      while (fitting > smallest && kept * 4 <= fitting) fitting /= 2;
      if (fitting < capacity) resize(fitting);
      return picked;
    },
  };
}
