import type { Config } from "./config/schema.ts";
import type { Metric, Metrics, Series } from "./metrics.ts";
import type { QueueDriver } from "./queue/driver.ts";
import { orAborted, orLate } from "./wait.ts";

/**
 * What became of the jobs, counted since the process started; the last log line.
 *
 * On the memory driver it adds up exactly:
 * `enqueued + expanded = delivered + filtered_out + dead + dead_removed + dead_trimmed + evicted + left_behind`.
 * On a shared backend `left_behind` and `dead` are everybody's. On the driver none every job is `discarded`,
 * and none enqueued.
 */
export interface DrainReport {
  readonly enqueued: number;
  readonly discarded: number;
  /** Deliveries made beyond the first of each job with several endpoints. */
  readonly expanded: number;
  readonly delivered: number;
  readonly filtered_out: number;
  /** Dead letters there now; null where the backend cannot tell. */
  readonly dead: number | null;
  readonly dead_removed: number;
  readonly dead_trimmed: number;
  readonly evicted: number;
  /** Ready, delayed, parked and leased jobs there now; null where the backend cannot tell or does not answer. */
  readonly left_behind: number | null;
}

export interface DrainReportOptions {
  readonly driver: QueueDriver;
  readonly driverOpen: boolean;
  readonly metrics: Metrics;
  readonly config: Config;
  /** Past it, the backend is no longer asked. */
  readonly signal: AbortSignal;
}

export async function createDrainReport(options: DrainReportOptions): Promise<DrainReport> {
  const { driver, metrics, config, signal } = options;
  const queues = config.queue.queues.map(({ name }) => name);
  const total = (metric: Metric<Series>, labels: Record<string, string> = {}): number =>
    queues.reduce((sum, queue) => sum + metric.labels({ queue, ...labels }).value, 0);

  let dead: number | null = 0;
  let left: number | null = 0;
  for (const queue of queues) {
    const stats = options.driverOpen ? await withinSignal(driver.stats(queue), signal) : null;
    if (stats === null || stats.ready === null) {
      [dead, left] = [null, null];
      break;
    }
    dead += stats.dead ?? 0;
    left += stats.ready + (stats.delayed ?? 0) + (stats.parked ?? 0) + (stats.leased ?? 0);
  }
  const filteredOut = total(metrics.filteredOut);
  return {
    enqueued: total(metrics.enqueued),
    discarded: total(metrics.discarded),
    expanded: total(metrics.expanded),
    delivered: total(metrics.settled, { disposition: "ack" }) - filteredOut,
    filtered_out: filteredOut,
    dead,
    dead_removed: total(metrics.removed),
    dead_trimmed: total(metrics.trimmed),
    evicted: total(metrics.evicted),
    left_behind: left,
  };
}

/** What a backend may still take for an answer once the time is up: memory's is there at once. */
const graceMs = 100;

/** The promise's value, or null when it fails or outlasts the signal: a report must not hold the shutdown. */
async function withinSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const answer = promise.catch(() => null);
  return (await orAborted(answer, signal)) ?? orLate(answer, graceMs);
}
