import type { HistoryRecord } from "./record.ts";

/** Records that wait for the thread, bounded; where there is no room, successes go before failures. */
export interface Outbox {
  /** What had to go for it, itself perhaps; null when all had room. */
  add(record: HistoryRecord, isSuccess: boolean): "delivered" | "failed" | null;
  /** The oldest ones, as many as go into one batch. */
  take(): readonly HistoryRecord[];
  readonly size: number;
}

/** Four seconds' worth at the rate at which nothing may be dropped (contract §6), and so many characters. */
export const outboxBounds = { records: 20_000, characters: 32_000_000 } as const;
/** Of one batch: what is written in a few tens of milliseconds. */
export const batchBounds = { records: 2_000, characters: 4_000_000 } as const;

export function createOutbox(
  bounds: { readonly records: number; readonly characters: number } = outboxBounds,
): Outbox {
  /** Null where one was dropped. */
  let waiting: ({ readonly record: HistoryRecord; readonly isSuccess: boolean } | null)[] = [];
  let head = 0;
  let size = 0;
  let characters = 0;
  let successes = 0;
  /** Before it, no success waits. */
  let firstSuccess = 0;

  const remove = (place: number): void => {
    const entry = waiting[place];
    if (!entry) return;
    waiting[place] = null;
    size -= 1;
    characters -= entry.record.characters;
    if (entry.isSuccess) successes -= 1;
  };
  const dropSuccess = (): void => {
    firstSuccess = Math.max(firstSuccess, head);
    while (waiting[firstSuccess]?.isSuccess !== true) firstSuccess += 1;
    remove(firstSuccess);
  };

  return {
    get size() {
      return size;
    },
    add(record, isSuccess) {
      let dropped: "delivered" | null = null;
      if (size >= bounds.records || characters + record.characters > bounds.characters) {
        if (isSuccess) return "delivered";
        // A failure that is larger than the successes beside it has room once several are gone; one is enough to be fair.
        if (successes === 0) return "failed";
        dropSuccess();
        dropped = "delivered";
      }
      waiting.push({ record, isSuccess });
      size += 1;
      characters += record.characters;
      if (isSuccess) successes += 1;
      return dropped;
    },
    take() {
      const batch: HistoryRecord[] = [];
      let taken = 0;
      while (head < waiting.length && batch.length < batchBounds.records && taken < batchBounds.characters) {
        const entry = waiting[head];
        if (entry) {
          batch.push(entry.record);
          taken += entry.record.characters;
          remove(head);
        }
        head += 1;
      }
      if (head === waiting.length || head > 4 * batchBounds.records) {
        waiting = waiting.slice(head);
        head = 0;
        firstSuccess = 0;
      }
      return batch;
    },
  };
}
