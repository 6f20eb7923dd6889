import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { QueueDriver, QueueStats } from "../queue/driver.ts";
import { sleep } from "../wait.ts";
import type { Finding } from "../problems/finding.ts";
import type { RecentDeaths } from "../problems/recent-deaths.ts";
import { createStanding } from "../problems/standing.ts";

/** Looks at the queues now and then: whether one lags, and whether its dead letters will be removed soon. */
export interface QueueWatch {
  /** Looks for as long as the signal lets it. */
  run(signal: AbortSignal): Promise<void>;
  findings(): Finding[];
}

export interface QueueWatchOptions {
  readonly driver: QueueDriver;
  readonly queues: readonly string[];
  /** Age of the oldest ready job from which on a queue lags. */
  readonly lagMs: () => number;
  /** queue.reliability.failed_retention; null = no limit of count. */
  readonly retention: () => number | null;
  /** queue.reliability.failed_retention_ms. */
  readonly retentionMs: () => number;
  readonly deaths: Pick<RecentDeaths, "emptied">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A few round trips a minute for each queue: idle must stay idle. */
const everyMs = 15_000;
/** Share of what retention keeps from which on somebody should look. */
const nearShare = 0.8;

/**
 * A queue lags when two looks in a row say so: an old job whose retry has just fallen due is ready for a moment only.
 * Where the backend does not count exactly (sqs) nothing is looked at: its counts cost money and tell no age.
 */
export function createQueueWatch(options: QueueWatchOptions): QueueWatch {
  const { driver, clock, log } = options;
  const lagging = createStanding("queue_lagging", {
    clock,
    log,
    field: "queue",
    words: {
      begin: "the queue lags: its oldest ready job has waited for long",
      end: "the queue does not lag any more",
    },
  });
  const retention = createStanding("retention_near", {
    clock,
    log,
    field: "queue",
    words: {
      begin: "the oldest dead letters are removed soon",
      end: "no dead letter is about to be removed any more",
    },
  });
  const suspected = new Set<string>();

  const judgeLag = (queue: string, { oldestReadyAgeMs, ready }: QueueStats): void => {
    const lagMs = options.lagMs();
    const isLate = oldestReadyAgeMs !== null && oldestReadyAgeMs > lagMs;
    const detail = `the oldest of ${ready ?? "its"} ready jobs has waited for ${Math.round((oldestReadyAgeMs ?? 0) / 1000)} s, more than ${lagMs / 1000} s`;
    lagging.say(queue, isLate && suspected.has(queue) ? detail : null);
    if (isLate) suspected.add(queue);
    else suspected.delete(queue);
  };

  const nearEnd = async (queue: string, dead: number): Promise<string | null> => {
    const most = options.retention();
    if (most !== null && dead >= most * nearShare)
      return `${dead} dead letters of the ${most} that failed_retention keeps`;
    if (dead === 0) return null;
    const { items } = await driver.deadLetters(queue, {
      limit: 1,
      cursor: null,
      oldestFirst: true,
      bodies: false,
    });
    const [oldest] = items;
    if (oldest === undefined) return null;
    const ageMs = clock.now() - oldest.failedAt;
    if (ageMs < options.retentionMs() * nearShare) return null;
    return `the oldest of ${dead} dead letters is ${Math.round(ageMs / 1000)} s old; failed_retention_ms keeps them for ${options.retentionMs() / 1000} s`;
  };

  const look = async (queue: string): Promise<void> => {
    const askedAt = clock.now();
    const stats = await driver.stats(queue);
    judgeLag(queue, stats);
    if (stats.dead === null) return;
    if (stats.dead === 0) options.deaths.emptied(queue, askedAt);
    retention.say(queue, await nearEnd(queue, stats.dead));
  };

  return {
    async run(signal) {
      if (!driver.capabilities.exactStats || driver.capabilities.discards === true) return;
      while (!signal.aborted) {
        for (const queue of options.queues) {
          // A backend that does not answer is told of by those who need it; the next look comes.
          await look(queue).catch((error: unknown) =>
            log.debug("the queue could not be looked at", { queue, error }),
          );
          if (signal.aborted) return;
        }
        await sleep(Math.max(250, Math.min(everyMs, options.lagMs() / 4)), signal);
      }
    },
    findings: () => [...lagging.findings(), ...retention.findings()],
  };
}
