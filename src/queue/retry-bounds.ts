import type { RetryPolicy } from "../delivery/retry.ts";

/** How far the retries of any receiver reach; what a backend must be able to live through. */
export interface RetryBounds {
  /** Sum of the delays of the longest schedule, without jitter. */
  readonly scheduleMs: number;
  /** The longest delay of any policy after attempt 1, 2, …, with its jitter; the last one repeats. */
  readonly delaysMs: readonly number[];
  readonly maxAttempts: number;
}

/** The longest backoff is reached after some thirty doublings; beyond these, every further delay is the same. */
const countedDelays = 1_000;

/**
 * The bounds of several retry policies, of which there is at least one.
 *
 * @param policies Each once (Directory.retries): the cost grows with their number.
 */
export function retryBounds(policies: readonly RetryPolicy[]): RetryBounds {
  const maxAttempts = Math.max(...policies.map((policy) => policy.maxAttempts));
  const counted = Math.min(Math.max(1, maxAttempts - 1), countedDelays);
  const delaysMs = Array.from({ length: counted }, (_, index) =>
    Math.max(...policies.map((policy) => delayMs(policy, index + 1) * (1 + policy.jitter))),
  );
  return { scheduleMs: Math.max(...policies.map(scheduleSumMs)), delaysMs, maxAttempts };
}

/** The delay after an attempt, without jitter. */
function delayMs({ scheduleMs: list, maxBackoffMs, initialBackoffMs }: RetryPolicy, attempt: number): number {
  if (list !== null) return list[Math.min(attempt, list.length) - 1] ?? 0;
  return Math.min(maxBackoffMs, initialBackoffMs * 2 ** (attempt - 1));
}

/** All delays of a policy together, without jitter. */
function scheduleSumMs(policy: RetryPolicy): number {
  const delays = policy.maxAttempts - 1;
  const counted = Math.min(delays, countedDelays);
  let sum = 0;
  for (let attempt = 1; attempt <= counted; attempt += 1) sum += delayMs(policy, attempt);
  return sum + (delays - counted) * delayMs(policy, countedDelays);
}
