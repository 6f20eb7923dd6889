import { createBell, endOfTick, sleep } from "../wait.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics, Series } from "../metrics.ts";
import type { Disposition, QueueDriver, Settlement, SettleResult } from "../queue/driver.ts";
import type { ChildContext } from "../supervisor/child.ts";
import type { BackendHealth } from "./backend-health.ts";
import { createBackoff } from "../backoff.ts";
import type { Held } from "./held.ts";

/**
 * Ends leases in batches: what gathers while one call to the driver is on its way goes with the next.
 *
 * Once `settle` has been called, the disposition is kept until the driver confirms it, says the lease is
 * lost, or fails it for good; a crash of the settler's child loses nothing, because what is pending is
 * held here and not in the run. It cannot grow without bound: there are no more settlements than leases.
 */
export interface Settler {
  /** Hands a lease's end over. Does nothing when the lease is already settling or gone. */
  settle(held: Held, disposition: Disposition): void;
  run(context: ChildContext): Promise<void>;
  /** Resolves when nothing is pending, or when the signal aborts. */
  idle(signal: AbortSignal): Promise<void>;
}

export interface SettlerOptions {
  readonly queue: string;
  readonly driver: QueueDriver;
  /** Forgets a lease whose end is confirmed. */
  readonly forget: (held: Held) => void;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly health: BackendHealth;
  /** Longest idle wait; shorter than stall_ms, or an idle settler would count as a stalled one. */
  readonly waitMs: number;
}

type Pending = { readonly held: Held; readonly settlement: Settlement };

export function createSettler(options: SettlerOptions): Settler {
  const { queue, driver, forget, metrics, log, health } = options;
  const lingerMs = driver.capabilities.settleLingerMs ?? 0;
  const counters = new Map<string, Series>();
  const lost = metrics.lost.labels({ queue });
  let pending: Pending[] = [];
  let flushing: readonly Pending[] = [];
  const work = createBell();
  const idleness = createBell();

  const count = (verb: string): void => {
    let series = counters.get(verb);
    if (series === undefined) {
      counters.set(verb, (series = metrics.settled.labels({ queue, disposition: verb })));
    }
    series.inc();
  };

  const confirm = ({ held, settlement }: Pending, result: SettleResult | undefined): void => {
    if (result === undefined) throw new Error(`driver ${driver.name} answered fewer settlements than it got`);
    // Asked twice, because the first call was given up, and answered twice.
    if (held.state === "gone") return;
    // Kept, and asked for again.
    if (result.status === "unknown") return;
    forget(held);
    if (result.status === "settled") return count(settlement.verb);
    if (result.status === "lost") {
      lost.inc();
      log.warn("a lease had ended before it was settled; the job may be delivered twice", {
        queue,
        job_id: held.jobId,
        disposition: settlement.verb,
      });
      return;
    }
    log.warn("a settlement failed; its lease will end by itself and the job will be tried again", {
      queue,
      job_id: held.jobId,
      disposition: settlement.verb,
      error: result.error,
    });
  };

  /** Whatever the driver did not confirm goes again: settling twice is safe, forgetting is not. */
  const putBack = (): void => {
    pending = [...flushing, ...pending];
    flushing = [];
  };

  const flush = async (): Promise<void> => {
    // What was put back may have been confirmed since, by a late answer.
    const batch = pending.filter(({ held }) => held.state !== "gone");
    pending = [];
    flushing = batch;
    if (batch.length === 0) return;
    try {
      const results = await driver.settle(batch.map(({ settlement }) => settlement));
      for (const [index, item] of batch.entries()) confirm(item, results[index]);
      const unknown = results.find(({ status }) => status === "unknown");
      if (unknown?.status === "unknown") throw unknown.error;
    } finally {
      // Otherwise this run was given up meanwhile, and what it had in hand was put back then.
      if (flushing === batch) putBack();
    }
  };

  const isIdle = (): boolean => pending.length === 0 && flushing.length === 0;

  return {
    settle(held, disposition) {
      if (held.state === "settling" || held.state === "gone") return;
      held.state = "settling";
      held.cut = null;
      const { lease } = held;
      // Spelled out for the one that nearly all are: copying an unknown shape costs ten times as much.
      const settlement =
        disposition.verb === "ack" ? { verb: disposition.verb, lease } : { ...disposition, lease };
      pending.push({ held, settlement });
      work.ring();
    },

    async run(context) {
      const backoff = createBackoff({ initialMs: 50, maxMs: 2_000 });
      // A call that never answers ends with its run, and its settlements go with the next one.
      context.onEnd(putBack);
      while (!context.signal.aborted) {
        await context.checkpoint();
        if (pending.length === 0) {
          await work.wait(options.waitMs, context.signal);
          continue;
        }
        // What is ready to settle now goes with this batch.
        await (lingerMs > 0 ? sleep(lingerMs, context.signal) : endOfTick());
        try {
          await flush();
          backoff.reset();
          health.ok("settle");
        } catch (error) {
          if (!(error instanceof DriverUnavailableError)) throw error;
          health.fault("settle", error);
          await sleep(backoff.next(), context.signal);
        }
        if (isIdle()) idleness.ring();
      }
    },

    async idle(signal) {
      while (!isIdle() && !signal.aborted) await idleness.wait(Infinity, signal);
    },
  };
}
