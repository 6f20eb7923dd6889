import { createJobEntry } from "./job-entry.ts";
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
      const at = head * width;
      const [ref, order, enqueuedAt] = [ring[at], ring[at + 1], ring[at + 2]] as [number, number, number];
      head = (head + 1) & (capacity - 1);
      size -= 1;
      if (capacity > smallest && size * 4 <= capacity) resize(capacity / 2);
      return createJobEntry("", ref, order, enqueuedAt);
    },
    front() {
      if (size === 0) return undefined;
      return { order: ring[head * width + 1] as number, enqueuedAt: ring[head * width + 2] as number };
    },
  };
}
