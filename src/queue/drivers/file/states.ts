import { places } from "./snapshots.ts";
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
  has(seq: number): boolean;
  get(seq: number): WaitingState | undefined;
  delete(seq: number): void;
  /** The numbers of a queue's jobs, in the order of their states. */
  inOrder(queue: number): Iterable<number>;
  /** All numbers. */
  numbers(): Iterable<number>;
}

const pageSize = 128;

interface Page {
  /** For each job: enqueued, due, delay, order. */
  readonly times: Float64Array;
  /** For each job: attempts, the endpoint's place among the labels, queue and place + 1; 0 in the last is no job. */
  readonly cells: Uint32Array;
  used: number;
}

/**
 * Forty-four bytes a job, in small pages: a million delayed or parked jobs take 50 MB, where objects take 400. One job
 * that stays for days keeps a page of a hundred others' room, no more.
 */
export function createStates(): States {
  const pages = new Map<number, Page>();
  const labels: (string | null)[] = [null];
  const labelPlaces = new Map<string, number>();
  let size = 0;

  /** Labels are those of configured endpoints: they are few, and stay. */
  const placeOf = (label: string | null): number => {
    if (label === null) return 0;
    let at = labelPlaces.get(label);
    if (at === undefined) {
      at = labels.push(label) - 1;
      labelPlaces.set(label, at);
    }
    return at;
  };

  const kindAt = (page: Page | undefined, index: number): number => page?.cells[index * 3 + 2] ?? 0;

  function* rows(): Generator<readonly [seq: number, page: Page, index: number]> {
    for (const [key, page] of pages) {
      for (let index = 0; index < pageSize; index += 1) {
        if (kindAt(page, index) !== 0) yield [key * pageSize + index, page, index];
      }
    }
  }

  return {
    get size() {
      return size;
    },
    set(seq, queue, enqueuedAt, { place, attempts, due, delay, endpoint, order }) {
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
      cells[index * 3 + 1] = placeOf(endpoint);
      cells[index * 3 + 2] = queue * 256 + place + 1;
    },
    has: (seq) => kindAt(pages.get(Math.floor(seq / pageSize)), seq % pageSize) !== 0,
    get(seq) {
      const page = pages.get(Math.floor(seq / pageSize));
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
          endpoint: labels[cells[index * 3 + 1] as number] ?? null,
          order: times[index * 4 + 3] as number,
        },
      };
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
      for (const [seq, { times, cells }, index] of rows()) {
        if (Math.floor((cells[index * 3 + 2] as number) / 256) !== queue) continue;
        seqs[count] = seq;
        orders[count] = times[index * 4 + 3] as number;
        if (count > 0 && (orders[count] as number) < (orders[count - 1] as number)) isAscending = false;
        count += 1;
      }
      if (isAscending) return seqs.subarray(0, count);
      const all = Uint32Array.from({ length: count }, (_, at) => at);
      all.sort((one, other) => (orders[one] as number) - (orders[other] as number));
      return Float64Array.from(all, (at) => seqs[at] as number);
    },
    *numbers() {
      for (const [seq] of rows()) yield seq;
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
