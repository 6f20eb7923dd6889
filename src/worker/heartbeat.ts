import type { Clock } from "../clock.ts";
import { sleep } from "../wait.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { ExtendResult, QueueDriver } from "../queue/driver.ts";
import type { ChildContext } from "../supervisor/child.ts";
import type { BackendHealth } from "./backend-health.ts";
import type { Held, HeldLeases } from "./held.ts";

export interface HeartbeatOptions {
  readonly queue: string;
  readonly driver: QueueDriver;
  readonly held: HeldLeases;
  readonly leaseMs: () => number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly health: BackendHealth;
  /** Longest wait between two rounds; shorter than stall_ms. */
  readonly waitMs: number;
}

/**
 * Renews every lease this process holds, waiting or running, once a third of it is over.
 *
 * A lease that the backend says is lost, or that has run out while the backend does not answer, is dropped and
 * its attempt cut off at once: somebody else may be delivering the job already. One that has run out by our
 * own clock is asked for first: it began after the lease call did, and that call may have waited for long.
 */
export function createHeartbeat(options: HeartbeatOptions): (context: ChildContext) => Promise<void> {
  const { queue, driver, held: leases, clock, metrics, log, health } = options;
  // Four looks in each third: a lease is renewed at latest when 5/12 of it are over.
  const everyMs = (): number => Math.min(Math.max(10, options.leaseMs() / 12), options.waitMs);
  const lost = metrics.lost.labels({ queue });

  const lose = (held: Held, why: string): void => {
    if (held.state === "settling" || held.state === "gone") return;
    leases.lose(held);
    lost.inc();
    log.warn("a lease was lost; its attempt is cut off", { queue, job_id: held.jobId, why });
  };

  const extend = async (due: readonly Held[]): Promise<ExtendResult[]> => {
    try {
      return await driver.extend(
        due.map(({ lease }) => lease),
        options.leaseMs(),
      );
    } catch (error) {
      const now = clock.monotonic();
      for (const held of due) if (held.expiresAt <= now) lose(held, "it ran out unrenewed");
      throw error;
    }
  };

  const beat = async (): Promise<void> => {
    const now = clock.monotonic();
    const leaseMs = options.leaseMs();
    const due: Held[] = [];
    for (const held of leases.values()) {
      if (held.state !== "settling" && held.expiresAt - now <= (leaseMs * 2) / 3) due.push(held);
    }
    if (due.length === 0) return;
    const results = await extend(due);
    for (const [index, held] of due.entries()) {
      if (results[index] === "extended") held.expiresAt = now + leaseMs;
      else if (results[index] === "lost") lose(held, "the backend gave it to another");
      // Asked for again at the next beat, for as long as it lasts.
      else if (held.expiresAt <= clock.monotonic()) lose(held, "it ran out unrenewed");
    }
  };

  return async (context) => {
    while (!context.signal.aborted) {
      await context.checkpoint();
      await sleep(everyMs(), context.signal);
      try {
        await beat();
        health.ok("extend");
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) throw error;
        health.fault("extend", error);
      }
    }
  };
}
