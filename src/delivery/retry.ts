import type { CamelKeys } from "../camel-keys.ts";
import type { RetryConfig } from "../config/schema-retry.ts";

/** When to try again: `webhooks.retry` with a webhook's own `retry` over it; explained in config/schema-retry.ts. */
export interface RetryPolicy extends Omit<CamelKeys<RetryConfig>, "scheduleMs"> {
  /** Delays after attempt 1, 2, …; the last repeats. Null = exponential. */
  readonly scheduleMs: readonly number[] | null;
}

/**
 * Delay before the next attempt, in whole milliseconds: exponential (doubling), or the schedule's entry.
 *
 * Jitter spreads the jobs that failed together in one outage, so that a recovering endpoint does not
 * meet them all at once. It is symmetric; where it would pass maxBackoffMs it is mirrored below it, so
 * that the limit holds and the jobs waiting at the limit are still spread. A schedule is the operator's
 * own list: jittered too, but not limited.
 *
 * @param attempt The attempt that just failed; the first is 1.
 * @param random  A number in [0, 1), injected so that tests can pin both ends.
 */
export function backoffMs(attempt: number, policy: RetryPolicy, random: number): number {
  const schedule = policy.scheduleMs;
  const spread = 1 + policy.jitter * (2 * random - 1);
  if (schedule !== null && schedule.length > 0) {
    const base = schedule[Math.min(attempt, schedule.length) - 1] ?? 0;
    return Math.max(0, Math.round(base * spread));
  }
  const limit = policy.maxBackoffMs;
  const delay = Math.min(limit, policy.initialBackoffMs * 2 ** (attempt - 1)) * spread;
  return Math.max(0, Math.round(delay > limit ? 2 * limit - delay : delay));
}
