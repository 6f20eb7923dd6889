/** A place in a heap by time: deadline, then order. */
export interface TimePlace {
  readonly deadline: number;
  readonly order: number;
}

/** The columns of a heap. */
export interface HeapColumns {
  readonly size: number;
  readonly deadlineAt: (index: number) => number;
  readonly orderAt: (index: number) => number;
}

/**
 * The indexes of the `count` jobs that come next behind a place, in their order; of the first ones where it is null.
 *
 * Looks at every job once and keeps the best so far: a heap is sorted only at its top, and to sort a million for a page
 * of fifty would take a second.
 */
export function nearestBehind(columns: HeapColumns, after: TimePlace | null, count: number): number[] {
  const { size, deadlineAt, orderAt } = columns;
  const best: number[] = [];
  const isLater = (index: number, than: number): boolean => {
    const difference = deadlineAt(index) - deadlineAt(than);
    return difference === 0 ? orderAt(index) > orderAt(than) : difference > 0;
  };
  for (let index = 0; index < size; index += 1) {
    if (after !== null) {
      const difference = deadlineAt(index) - after.deadline;
      if (difference < 0 || (difference === 0 && orderAt(index) <= after.order)) continue;
    }
    if (best.length === count && isLater(index, best[count - 1] as number)) continue;
    let low = 0;
    let high = best.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isLater(index, best[middle] as number)) low = middle + 1;
      else high = middle;
    }
    best.splice(low, 0, index);
    if (best.length > count) best.pop();
  }
  return best;
}
