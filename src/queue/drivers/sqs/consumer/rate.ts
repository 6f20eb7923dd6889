/** A start rate for each FIFO group of this process: `queue.sqs.group_rate_limit`. */
export interface GroupRate {
  /** Monotonic ms before which the group must not start another job; in the past = now. */
  earliest(group: string): number;
  /** A job of the group was handed out. */
  started(group: string, now: number): void;
}

/** No rate: always now. */
export const unlimitedRate: GroupRate = { earliest: () => 0, started: () => undefined };

/**
 * Evenly spaced starts, `perSecond` of them, without a burst: a receiver's limit counts any second, not
 * the ones we like. A job that has to wait waits hidden in its group, never in a worker's slot.
 */
export function createGroupRate(perSecond: number): GroupRate {
  const gapMs = 1000 / perSecond;
  const next = new Map<string, number>();
  let sweepAt = 10_000;
  return {
    earliest: (group) => next.get(group) ?? 0,
    started(group, now) {
      next.set(group, Math.max(now, next.get(group) ?? 0) + gapMs);
      if (next.size < sweepAt) return;
      for (const [name, at] of next) if (at <= now) next.delete(name);
      sweepAt = Math.max(10_000, next.size * 2);
    },
  };
}
