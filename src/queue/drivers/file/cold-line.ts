import { createJobEntry } from "../memory/job-entry.ts";
import type { JobEntry } from "../memory/job-entry.ts";
import type { JobLine } from "../memory/job-line.ts";

/** A line of jobs that were never leased, sixteen bytes each: all else about them is on disk. */
export interface ColdLine extends JobLine {
  push(seq: number, enqueuedAt: number): void;
  /** Makes room for so many at once. */
  reserve(count: number): void;
}

const smallest = 64;

/** A ring of pairs that doubles when full and halves when three quarters are free. Entries are made as they leave. */
export function createColdLine(): ColdLine {
  let ring = new Float64Array(smallest * 2);
  let head = 0;
  let size = 0;

  const resize = (capacity: number): void => {
    const next = new Float64Array(capacity * 2);
    for (let index = 0; index < size; index += 1) {
      const at = ((head + index) % (ring.length / 2)) * 2;
      next[index * 2] = ring[at] as number;
      next[index * 2 + 1] = ring[at + 1] as number;
    }
    ring = next;
    head = 0;
  };

  const entryAt = (index: number): JobEntry => {
    const at = ((head + index) % (ring.length / 2)) * 2;
    const [seq, enqueuedAt] = [ring[at], ring[at + 1]] as [number, number];
    // Its id stands beside its bytes, and comes with them.
    return createJobEntry("", seq, seq, enqueuedAt);
  };

  const line: ColdLine = {
    get size() {
      return size;
    },
    push(seq, enqueuedAt) {
      const capacity = ring.length / 2;
      if (size === capacity) {
        resize(capacity * 2);
        return line.push(seq, enqueuedAt);
      }
      const at = ((head + size) % capacity) * 2;
      ring[at] = seq;
      ring[at + 1] = enqueuedAt;
      size += 1;
    },
    reserve(count) {
      let capacity = ring.length / 2;
      while (capacity < size + count) capacity *= 2;
      if (capacity > ring.length / 2) resize(capacity);
    },
    pushBack: (entry: JobEntry) => line.push(entry.ref, entry.enqueuedAt),
    popFront() {
      if (size === 0) return undefined;
      const capacity = ring.length / 2;
      const entry = entryAt(0);
      head = (head + 1) % capacity;
      size -= 1;
      if (capacity > smallest && size * 4 <= capacity) resize(capacity / 2);
      return entry;
    },
    front() {
      if (size === 0) return undefined;
      return { order: ring[head * 2] as number, enqueuedAt: ring[head * 2 + 1] as number };
    },
    slice: (from, count) =>
      Array.from({ length: Math.max(0, Math.min(count, size - from)) }, (_, index) => entryAt(from + index)),
    pick(orders, takes) {
      const capacity = ring.length / 2;
      const picked: JobEntry[] = [];
      let kept = 0;
      for (let index = 0; index < size; index += 1) {
        const from = ((head + index) % capacity) * 2;
        if (orders.has(ring[from] as number)) {
          picked.push(entryAt(index));
          if (takes) continue;
        }
        if (kept < index) {
          const to = ((head + kept) % capacity) * 2;
          ring[to] = ring[from] as number;
          ring[to + 1] = ring[from + 1] as number;
        }
        kept += 1;
      }
      size = kept;
      while (ring.length / 2 > smallest && size * 8 <= ring.length) resize(ring.length / 4);
      return picked;
    },
  };
  return line;
}
