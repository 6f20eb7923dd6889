import type { Config } from "../config/schema.ts";
import type { RestartPolicy } from "../supervisor/supervisor.ts";

/** Attempts in flight per queue, as the driver in use has it. */
export function queueConcurrency({ queue }: Config): number {
  switch (queue.driver) {
    case "file":
      return queue.file.concurrency;
    case "redis":
      return queue.redis.concurrency;
    case "redis-cluster":
      return queue.redis_cluster.concurrency;
    case "sqs":
      return queue.sqs.concurrency;
    default:
      return queue.memory.concurrency;
  }
}

/** How long a lease lasts unless it is renewed. */
export function leaseDurationMs({ queue }: Config): number {
  return queue.driver === "sqs" ? queue.sqs.visibility_timeout * 1000 : queue.reliability.lease_duration_ms;
}

/**
 * Longest wait of one lease call. SQS long-polls as configured, but for a third of a lease at most: leases
 * are counted from the call's start, and must not be used up by its wait. With short polls the call waits all the same,
 * or it would be made again and again without the driver's pause between polls. Redis must look for due retries and pauses
 * again after two seconds; in memory everything wakes the wait.
 */
export function leaseWaitMs({ queue, supervisor }: Config): number {
  if (queue.driver === "sqs") {
    const waitMs = Math.max(1_000, queue.sqs.wait_time_seconds * 1000);
    return Math.min(waitMs, (queue.sqs.visibility_timeout * 1000) / 3);
  }
  if (queue.driver === "redis" || queue.driver === "redis-cluster") return 2_000;
  return Math.min(5_000, supervisor.stall_ms / 3);
}

/** How often and how soon children are restarted, and how long they may be silent. */
export function restartPolicy({ supervisor }: Config): RestartPolicy {
  return {
    maxRestarts: supervisor.max_restarts,
    withinMs: supervisor.within_ms,
    restartDelayMs: supervisor.restart_delay_ms,
    maxRestartDelayMs: supervisor.max_restart_delay_ms,
    stallMs: supervisor.stall_ms,
  };
}
