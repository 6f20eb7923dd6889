import { sleep } from "../../../wait.ts";
import type { EntryResult } from "./api.ts";

/** Entries of one batch call: an AWS quota. */
export const maxEntries = 10;

/** An entry's result, or the error of the whole call it went with: its fate is not known. */
export type BatchResult =
  | EntryResult
  | { readonly status: "unknown"; readonly error: unknown }
  /** It was not sent, because one before it in its group was not taken. */
  | { readonly status: "behind"; readonly group: string };

export interface BatchOptions<T> {
  /** Bytes of an item, where a batch has a limit for their sum. */
  readonly sizeOf?: (item: T) => number;
  readonly maxBytes?: number;
  /** One call after the other, for the order of FIFO queues; else up to eight at once. */
  readonly inOrder?: boolean;
  /**
   * The group whose order is kept; null: none. An entry that failed is not repeated once one behind it in its group was
   * taken, and of a group of which one was not taken nothing more is sent.
   */
  readonly groupOf?: (item: T) => string | null;
  /** Repetitions of single failed entries. */
  readonly repeats?: number;
}

/** Calls at a time: enough to hide a round trip, few enough to stay far from throttling. */
const parallelCalls = 8;

/**
 * Makes one call per ten items (or per `maxBytes`) and answers item by item, in order.
 *
 * Entries that SQS failed are repeated alone, twice, after a short pause; whole calls are not, because the
 * client has done so already. Never throws for a failed call: its items are `unknown`.
 */
export async function inBatches<T>(
  items: readonly T[],
  call: (batch: readonly T[]) => Promise<EntryResult[]>,
  options: BatchOptions<T> = {},
): Promise<BatchResult[]> {
  const results: BatchResult[] = Array.from({ length: items.length });
  const batches = split(items, options);
  const groupOf = (index: number): string | null => options.groupOf?.(items[index] as T) ?? null;
  const stopped = new Set<string>();
  /** Whether one behind it in its group was taken, or may have been: sent now, it would come after that. */
  const isOvertaken = (index: number, batch: readonly number[]): boolean => {
    const group = groupOf(index);
    if (group === null) return false;
    return batch.some((other) => other > index && groupOf(other) === group && isPerhapsTaken(results[other]));
  };
  const run = async (batch: readonly number[]): Promise<void> => {
    const indexes = batch.filter((index) => {
      const group = groupOf(index);
      if (group === null || !stopped.has(group)) return true;
      results[index] = { status: "behind", group };
      return false;
    });
    await send(indexes);
    for (const index of indexes) {
      const group = groupOf(index);
      if (group !== null && results[index]?.status !== "ok") stopped.add(group);
    }
  };
  const send = async (indexes: readonly number[]): Promise<void> => {
    let left = indexes;
    for (let repeat = 0; left.length > 0; repeat += 1) {
      if (repeat > 0) await sleep(50 * 2 ** repeat);
      const answers = await attempt(
        left.map((index) => items[index] as T),
        call,
      );
      for (const [at, index] of left.entries()) {
        results[index] = answers[at] ?? { status: "failed", code: "NoAnswer" };
      }
      if (repeat >= (options.repeats ?? 2)) return;
      left = left.filter((index) => results[index]?.status === "failed" && !isOvertaken(index, indexes));
    }
  };
  if (options.inOrder === true) for (const batch of batches) await run(batch);
  else {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) await run(batch);
    };
    await Promise.all(Array.from({ length: Math.min(parallelCalls, batches.length) }, worker));
  }
  return results;
}

function isPerhapsTaken(result: BatchResult | undefined): boolean {
  return result?.status === "ok" || result?.status === "unknown";
}

async function attempt<T>(
  batch: readonly T[],
  call: (batch: readonly T[]) => Promise<EntryResult[]>,
): Promise<BatchResult[]> {
  try {
    return await call(batch);
  } catch (error) {
    return batch.map(() => ({ status: "unknown", error }));
  }
}

/** Indexes of the items, batch by batch. */
function split<T>(items: readonly T[], { sizeOf, maxBytes = Infinity }: BatchOptions<T>): number[][] {
  const batches: number[][] = [];
  let batch: number[] = [];
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    const size = sizeOf?.(item) ?? 0;
    if (batch.length === maxEntries || (batch.length > 0 && bytes + size > maxBytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(index);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
