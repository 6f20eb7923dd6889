import type { DeadCount } from "../../driver.ts";

/** How many dead letters there are by endpoint and reason, kept as they come and go. */
export interface DeadTally {
  add(endpoint: string | null, reason: string, count: 1 | -1): void;
  groups(): DeadCount[];
  /** The endpoints with most, most first, as in `shop/hook (80), shop/other (3)`. */
  largest(limit: number): string;
}

/** A tally by endpoint, and below that by reason; what has come to 0 is forgotten. */
export function createDeadTally(): DeadTally {
  const byEndpoint = new Map<string | null, Map<string, number>>();

  return {
    add(endpoint, reason, count) {
      let byReason = byEndpoint.get(endpoint);
      if (byReason === undefined) byEndpoint.set(endpoint, (byReason = new Map()));
      const now = (byReason.get(reason) ?? 0) + count;
      if (now > 0) byReason.set(reason, now);
      else byReason.delete(reason);
      if (byReason.size === 0) byEndpoint.delete(endpoint);
    },
    groups: () =>
      [...byEndpoint].flatMap(([endpoint, byReason]) =>
        [...byReason].map(([reason, count]) => ({ endpoint, reason, count })),
      ),
    largest(limit) {
      const sums = [...byEndpoint].map(
        ([endpoint, byReason]) => [endpoint, [...byReason.values()].reduce((a, b) => a + b, 0)] as const,
      );
      return sums
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, limit)
        .map(([endpoint, count]) => `${endpoint ?? "no endpoint"} (${count})`)
        .join(", ");
    },
  };
}
