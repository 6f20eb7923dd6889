import { createJobEntry } from "../memory/job-entry.ts";
import type { JobEntry } from "../memory/job-entry.ts";
import type { JobHeap, JobLine } from "../memory/job-line.ts";
import { nearestBehind } from "../memory/nearest.ts";
import type { States } from "./states.ts";

const smallest = 16;

/** The entry of a job that leaves its line. Its id stands beside its bytes, and comes with them. */
function entryOf(seq: number, states: States): JobEntry {
  const waiting = states.get(seq);
  if (waiting === undefined) throw new Error(`job ${seq} stands in a line, but nothing is known of it`);
  const { attempts, endpoint } = waiting.state;
  const entry = createJobEntry("", seq, seq, waiting.enqueuedAt, endpoint);
  entry.attempts = attempts;
  return entry;
}

/** A line of jobs, eight bytes each: a ring of sequence numbers that doubles when full and halves when three quarters are free. */
export function createCompactLine(states: States): JobLine {
  let ring = new Float64Array(smallest);
  let head = 0;
  let size = 0;

  const resize = (capacity: number): void => {
    const next = new Float64Array(capacity);
    for (let index = 0; index < size; index += 1) {
      next[index] = ring[(head + index) & (ring.length - 1)] as number;
    }
    ring = next;
    head = 0;
  };

  return {
    get size() {
      return size;
    },
    pushBack(entry) {
      if (size === ring.length) resize(ring.length * 2);
      ring[(head + size) & (ring.length - 1)] = entry.ref;
      size += 1;
    },
    popFront() {
      if (size === 0) return undefined;
      const seq = ring[head] as number;
      head = (head + 1) & (ring.length - 1);
      size -= 1;
      if (ring.length > smallest && size * 4 <= ring.length) resize(ring.length / 2);
      return entryOf(seq, states);
    },
    front() {
      if (size === 0) return undefined;
      const seq = ring[head] as number;
      return { order: seq, enqueuedAt: states.get(seq)?.enqueuedAt ?? 0 };
    },
    slice: (from, count) =>
      Array.from({ length: Math.max(0, Math.min(count, size - from)) }, (_, index) =>
        entryOf(ring[(head + from + index) & (ring.length - 1)] as number, states),
      ),
    pick(orders, takes) {
      const picked: JobEntry[] = [];
      let kept = 0;
      for (let index = 0; index < size; index += 1) {
        const seq = ring[(head + index) & (ring.length - 1)] as number;
        if (orders.has(seq)) {
          picked.push(entryOf(seq, states));
          if (takes) continue;
        }
        ring[(head + kept) & (ring.length - 1)] = seq;
        kept += 1;
      }
      size = kept;
      while (ring.length > smallest && size * 4 <= ring.length) resize(ring.length / 2);
      return picked;
    },
  };
}

/** Jobs by deadline, sixteen bytes each: a binary heap in two columns. */
export function createCompactHeap(states: States): JobHeap {
  let deadlines = new Float64Array(smallest);
  let seqs = new Float64Array(smallest);
  let size = 0;

  const resize = (capacity: number): void => {
    const [oldDeadlines, oldSeqs] = [deadlines, seqs];
    deadlines = new Float64Array(capacity);
    seqs = new Float64Array(capacity);
    deadlines.set(oldDeadlines.subarray(0, size));
    seqs.set(oldSeqs.subarray(0, size));
  };

  const put = (place: number, deadline: number, seq: number): void => {
    deadlines[place] = deadline;
    seqs[place] = seq;
  };

  const rise = (from: number, deadline: number, seq: number): void => {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if ((deadlines[above] as number) <= deadline) break;
      put(place, deadlines[above] as number, seqs[above] as number);
      place = above;
    }
    put(place, deadline, seq);
  };

  const sink = (from: number, deadline: number, seq: number): void => {
    let place = from;
    for (;;) {
      let below = place * 2 + 1;
      if (below >= size) break;
      if (below + 1 < size && (deadlines[below + 1] as number) < (deadlines[below] as number)) below += 1;
      if ((deadlines[below] as number) >= deadline) break;
      put(place, deadlines[below] as number, seqs[below] as number);
      place = below;
    }
    put(place, deadline, seq);
  };

  const removeAt = (place: number): void => {
    size -= 1;
    const [deadline, seq] = [deadlines[size] as number, seqs[size] as number];
    if (place < size) {
      if (place > 0 && (deadlines[(place - 1) >> 1] as number) > deadline) rise(place, deadline, seq);
      else sink(place, deadline, seq);
    }
    if (deadlines.length > smallest && size * 4 <= deadlines.length) resize(deadlines.length / 2);
  };

  const entryAt = (place: number): JobEntry => {
    const entry = entryOf(seqs[place] as number, states);
    entry.deadline = deadlines[place] as number;
    return entry;
  };

  return {
    get size() {
      return size;
    },
    add({ ref, deadline }) {
      if (size === deadlines.length) resize(size * 2);
      size += 1;
      rise(size - 1, deadline, ref);
    },
    // Only evictions take from the middle, and a store has no capacity that would evict: a search is good enough.
    remove({ ref }) {
      const place = seqs.subarray(0, size).indexOf(ref);
      if (place !== -1) removeAt(place);
    },
    popNearest() {
      if (size === 0) return undefined;
      const entry = entryAt(0);
      removeAt(0);
      return entry;
    },
    nearestDeadline: () => (size === 0 ? Infinity : (deadlines[0] as number)),
    slice: (from, count) =>
      Array.from({ length: Math.max(0, Math.min(count, size - from)) }, (_, index) => entryAt(from + index)),
    behind(after, count) {
      const columns = {
        size,
        deadlineAt: (index: number) => deadlines[index] as number,
        orderAt: (index: number) => seqs[index] as number,
      };
      return nearestBehind(columns, after, count).map(entryAt);
    },
    pick(orders, takes) {
      const picked: JobEntry[] = [];
      for (let place = 0; place < size; place += 1) {
        if (orders.has(seqs[place] as number)) picked.push(entryAt(place));
      }
      if (!takes || picked.length === 0) return picked;
      const before = size;
      size = 0;
      // What stays is added anew in the order it stood in, which is a heap's: nothing rises far.
      for (let place = 0; place < before; place += 1) {
        const [seq, deadline] = [seqs[place] as number, deadlines[place] as number];
        if (orders.has(seq)) continue;
        size += 1;
        rise(size - 1, deadline, seq);
      }
      while (deadlines.length > smallest && size * 4 <= deadlines.length) resize(deadlines.length / 2);
      return picked;
    },
  };
}
