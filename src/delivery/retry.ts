/** When to try again, from `webhooks.retry` and a webhook's own `retry`. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly maxAttempts: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  /** 0 to 1: the delay is spread by plus or minus this share. */
  readonly jitter: number;
  /** Delays after attempt 1, 2, …; the last repeats. Null = exponential. */
  readonly scheduleMs: readonly number[] | null;
}
