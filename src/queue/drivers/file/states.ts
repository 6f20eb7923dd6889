import { createLabels } from "./labels.ts";
import type { Reader } from "./pen.ts";
import { places, readPlace } from "./snapshots.ts";
import type { JobState, Place } from "./snapshots.ts";

/** A job that waits elsewhere than in line. */
export interface WaitingState {
  /** The queue's number in the journal. */
  readonly queue: number;
  /** Epoch ms. */
  readonly enqueuedAt: number;
  readonly state: JobState;
}

/** Sequence number → how a job waits: delayed, to be retried, parked, ahead of the line. Jobs in line are not in here. */
export interface States {
  readonly size: number;
  set(seq: number, queue: number, enqueuedAt: number, state: JobState): void;
  /** As `set`, with the state as a record has it; makes no object. Returns its order. */
  read(seq: number, queue: number, enqueuedAt: number, reader: Reader): number;
  has(seq: number): boolean;
  get(seq: number): WaitingState | undefined;
  /** Where it waits; 0 where nothing is known of it, which is the line. */
  place(seq: number): Place;
  endpoint(seq: number): string | null;
  /** Milliseconds from `now` until it is due, never more than the delay that was asked for; 0 = it is. */
  dueIn(seq: number, now: number): number;
  delete(seq: number): void;
  /** The numbers of a queue's jobs, in the order of their states. */
  inOrder(queue: number): Float64Array;
  /** All numbers. */
  numbers(): Iterable<number>;
}

/** So many that a page's columns lie outside of the collected heap, which would round them up. */
const pageSize = 256;

interface Page {
  /** For each job: enqueued, due, delay, order. */
  readonly times: Float64Array;
  /** For each job: attempts, the endpoint's place among the labels, queue and place + 1; 0 in the last is no job. */
  readonly cells: Uint32Array;
  used: number;
}

/**
 * Forty-four bytes a job, in small pages: a million delayed or parked jobs take 50 MB, where objects take 400. One job
 * that stays for days keeps the room of a few hundred others, no more.
 */
export function createStates(): States {
  const pages = new Map<number, Page>();
  const labels = createLabels();
  let size = 0;

  const pageOf = (seq: number): Page | undefined => pages.get(Math.floor(seq / pageSize));
  const kindAt = (page: Page | undefined, index: number): number => page?.cells[index * 3 + 2] ?? 0;

  const put = (
    seq: number,
    queue: number,
    enqueuedAt: number,
    place: Place,
    attempts: number,
    due: number,
    delay: number,
    order: number,
    label: number,
  ): void => {
    const key = Math.floor(seq / pageSize);
    let page = pages.get(key);
    if (page === undefined) {
      page = { times: new Float64Array(pageSize * 4), cells: new Uint32Array(pageSize * 3), used: 0 };
      pages.set(key, page);
    }
    const index = seq % pageSize;
    if (kindAt(page, index) === 0) {
      page.used += 1;
      size += 1;
    }
    const { times, cells } = page;
    times[index * 4] = enqueuedAt;
    times[index * 4 + 1] = due;
    times[index * 4 + 2] = delay;
    times[index * 4 + 3] = order;
    cells[index * 3] = attempts;
    cells[index * 3 + 1] = label;
    cells[index * 3 + 2] = queue * 256 + place + 1;
  };

  return {
    get size() {
      return size;
    },
    set(seq, queue, enqueuedAt, { place, attempts, due, delay, endpoint, order }) {
      put(seq, queue, enqueuedAt, place, attempts, due, delay, order, labels.numberOf(endpoint));
    },
    read(seq, queue, enqueuedAt, reader) {
      const place = readPlace(reader);
      const attempts = reader.u32();
      const due = reader.f64();
      const delay = reader.f64();
      const order = reader.f64();
      put(seq, queue, enqueuedAt, place, attempts, due, delay, order, reader.label(labels));
      return order;
    },
    has: (seq) => kindAt(pageOf(seq), seq % pageSize) !== 0,
    get(seq) {
      const page = pageOf(seq);
      const index = seq % pageSize;
      const kind = kindAt(page, index);
      if (page === undefined || kind === 0) return undefined;
      const { times, cells } = page;
      return {
        queue: Math.floor(kind / 256),
        enqueuedAt: times[index * 4] as number,
        state: {
          place: ((kind % 256) - 1) as Place,
          attempts: cells[index * 3] as number,
          due: times[index * 4 + 1] as number,
          delay: times[index * 4 + 2] as number,
          endpoint: labels.text(cells[index * 3 + 1] as number),
          order: times[index * 4 + 3] as number,
        },
      };
    },
    place: (seq) => Math.max(0, (kindAt(pageOf(seq), seq % pageSize) % 256) - 1) as Place,
    endpoint: (seq) => labels.text(pageOf(seq)?.cells[(seq % pageSize) * 3 + 1] ?? 0),
    dueIn(seq, now) {
      const times = pageOf(seq)?.times;
      const at = (seq % pageSize) * 4;
      const due = times?.[at + 1] ?? 0;
      return due === 0 ? 0 : Math.min(Math.max(0, due - now), times?.[at + 2] ?? 0);
    },
    delete(seq) {
      const key = Math.floor(seq / pageSize);
      const page = pages.get(key);
      const index = seq % pageSize;
      if (page === undefined || kindAt(page, index) === 0) return;
      page.cells[index * 3 + 2] = 0;
      page.used -= 1;
      size -= 1;
      if (page.used === 0) pages.delete(key);
    },
    inOrder(queue) {
      const seqs = new Float64Array(size);
      const orders = new Float64Array(size);
      let count = 0;
      let isAscending = true;
      for (const [key, page] of pages) {
        for (let index = 0; index < pageSize; index += 1) {
          const kind = kindAt(page, index);
          if (kind === 0 || Math.floor(kind / 256) !== queue) continue;
          seqs[count] = key * pageSize + index;
          orders[count] = page.times[index * 4 + 3] as number;
          if (count > 0 && (orders[count] as number) < (orders[count - 1] as number)) isAscending = false;
          count += 1;
        }
      }
      if (isAscending) return seqs.subarray(0, count);
      const all = Uint32Array.from({ length: count }, (_, at) => at);
      all.sort((one, other) => (orders[one] as number) - (orders[other] as number));
      return Float64Array.from(all, (at) => seqs[at] as number);
    },
    *numbers() {
      for (const [key, page] of pages) {
        for (let index = 0; index < pageSize; index += 1) {
          if (kindAt(page, index) !== 0) yield key * pageSize + index;
        }
      }
    },
  };
}

/** A job in line that nobody has leased yet: what its snapshot says of it. */
export const untried: JobState = {
  place: places.line,
  attempts: 0,
  due: 0,
  delay: 0,
  order: 0,
  endpoint: null,
};
