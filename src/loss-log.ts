import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Death } from "./problems/recent-deaths.ts";
import type { DriverEvents } from "./queue/driver.ts";

/** One line per queue and kind in this time, with the sum: a full queue drops thousands of jobs a second. */
const everyMs = 5_000;

/** Counts and logs what drivers drop or take back by themselves: the first at once, then sums. */
export interface LossLog extends DriverEvents {
  /** Logs the sums that wait, and lets go of the timers. */
  flush(): void;
}

export function createLossLog(
  log: Logger,
  metrics: Metrics,
  onDead: (death: Death) => void = () => undefined,
): LossLog {
  const waiting = new Map<string, { count: number; timer: ReturnType<typeof setTimeout>; say: () => void }>();

  const report = (message: string, queue: string, count: number): void => {
    const key = `${queue} ${message}`;
    const entry = waiting.get(key);
    if (entry !== undefined) {
      entry.count += count;
      return;
    }
    log.warn(message, { queue, count });
    const created = {
      count: 0,
      say: () => {
        waiting.delete(key);
        if (created.count > 0) report(message, queue, created.count);
      },
      timer: setTimeout(() => created.say(), everyMs),
    };
    waiting.set(key, created);
  };

  return {
    evicted(queue, count) {
      metrics.evicted.labels({ queue }).inc(count);
      report(
        "the queue is full: jobs were dropped, the oldest of the endpoint that holds most first (queue.memory.when_full)",
        queue,
        count,
      );
    },
    trimmed(queue, count) {
      metrics.trimmed.labels({ queue }).inc(count);
      report(
        "the oldest dead letters were dropped (queue.reliability.failed_retention, failed_retention_ms, or the room they have)",
        queue,
        count,
      );
    },
    reclaimed(queue, count) {
      metrics.reclaimed.labels({ queue }).inc(count);
      report("leases ended unsettled; their jobs are ready again", queue, count);
    },
    deadLettered(queue, { jobId, reason, detail, endpoint }) {
      metrics.deadLettered.labels({ queue, reason }).inc();
      onDead({ queue, jobId, reason, endpoint });
      log.warn("dead-lettered", {
        queue,
        job_id: jobId,
        endpoint: endpoint ?? undefined,
        reason,
        detail: detail ?? undefined,
      });
    },
    flush() {
      for (const [key, { count, timer }] of waiting) {
        clearTimeout(timer);
        waiting.delete(key);
        const [queue = "", ...message] = key.split(" ");
        if (count > 0) log.warn(message.join(" "), { queue, count });
      }
    },
  };
}
