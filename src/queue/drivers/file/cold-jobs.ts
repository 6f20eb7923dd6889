/** Jobs in line as a journal is read, in columns: a million of them are 16 MB. */
export interface ColdJobs {
  readonly count: number;
  push(seq: number, enqueuedAt: number): void;
  seq(at: number): number;
  enqueuedAt(at: number): number;
}

export function createColdJobs(): ColdJobs {
  let cells = new Float64Array(8_192);
  let count = 0;
  return {
    get count() {
      return count;
    },
    push(seq, enqueuedAt) {
      if (count * 2 === cells.length) {
        const larger = new Float64Array(cells.length * 2);
        larger.set(cells);
        cells = larger;
      }
      cells[count * 2] = seq;
      cells[count * 2 + 1] = enqueuedAt;
      count += 1;
    },
    seq: (at) => cells[at * 2] as number,
    enqueuedAt: (at) => cells[at * 2 + 1] as number,
  };
}

/**
 * Calls for each place of the jobs in the order of their numbers, each number once: cleaning may have written one twice.
 * A call and not an iterator, which would make a million objects.
 */
export function eachInOrder(jobs: ColdJobs, call: (at: number) => void): void {
  let isAscending = true;
  for (let at = 1; at < jobs.count && isAscending; at += 1) isAscending = jobs.seq(at) > jobs.seq(at - 1);
  if (isAscending) {
    for (let at = 0; at < jobs.count; at += 1) call(at);
    return;
  }
  const all = Uint32Array.from({ length: jobs.count }, (_, at) => at);
  all.sort((a, b) => jobs.seq(a) - jobs.seq(b));
  let last = 0;
  for (let index = 0; index < all.length; index += 1) {
    const at = all[index] as number;
    if (jobs.seq(at) !== last) call(at);
    last = jobs.seq(at);
  }
}
