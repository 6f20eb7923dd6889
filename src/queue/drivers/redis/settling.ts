import type { SettleResult, Settlement } from "../../driver.ts";

/** Ends leases of any queues; the driver's `settle`. */
export type Settle = (settlements: readonly Settlement[]) => Promise<SettleResult[]>;

/**
 * Ends leases queue by queue, at the same time.
 *
 * A failed part means: call again. When all parts failed, the error says so; else everything is to be called again as
 * well, so that no lease is left to run out. What was settled is remembered, and answered so then, not `lost`.
 *
 * @param settleOfQueue As settleLeases, for one queue.
 */
export function createSettle(
  settleOfQueue: (queue: string, settlements: readonly Settlement[]) => Promise<SettleResult[]>,
): Settle {
  /** Tokens settled by a call of which another part failed. */
  const confirmed = new Set<string>();

  const confirm = (settlements: readonly Settlement[], results: SettleResult[]): SettleResult[] => {
    const failed = results.find(({ status }) => status === "failed");
    if (failed === undefined && confirmed.size === 0) return results;
    const answers = settlements.map(({ lease }, index): SettleResult => {
      const result = results[index] as SettleResult;
      return result.status === "lost" && confirmed.has(lease.token) ? { status: "settled" } : result;
    });
    for (const [index, { lease }] of settlements.entries()) {
      if (failed === undefined) confirmed.delete(lease.token);
      else if (answers[index]?.status === "settled") confirmed.add(lease.token);
    }
    if (failed?.status === "failed") throw failed.error;
    return answers;
  };

  return async (settlements) => {
    const first = settlements[0]?.lease.queue;
    if (first === undefined) return [];
    if (settlements.every(({ lease }) => lease.queue === first)) {
      return confirm(settlements, await settleOfQueue(first, settlements));
    }
    const results: SettleResult[] = [];
    const byQueue = Map.groupBy(settlements.entries(), ([, { lease }]) => lease.queue);
    const calls = [...byQueue].map(async ([name, entries]) => {
      const answers = await settleOfQueue(
        name,
        entries.map(([, settlement]) => settlement),
      );
      for (const [position, [index]] of entries.entries()) results[index] = answers[position] as SettleResult;
    });
    await Promise.all(calls);
    return confirm(settlements, results);
  };
}
