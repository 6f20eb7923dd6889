import type { Clock } from "../clock.ts";
import { endOfTick, sleep } from "../wait.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { createPacer } from "../pacer.ts";
import type { QueueDriver } from "../queue/driver.ts";
import type { ChildContext } from "../supervisor/child.ts";
import type { BackendHealth } from "./backend-health.ts";
import { createBackoff } from "../backoff.ts";
import type { Held, HeldLeases } from "./held.ts";
import type { LeaseCall, Prefetch } from "./schedule/prefetch.ts";

export interface PollerOptions {
  readonly queue: string;
  readonly driver: QueueDriver;
  readonly held: HeldLeases;
  readonly prefetch: Prefetch;
  readonly leaseMs: () => number;
  /** Longest wait of one lease call. */
  readonly waitMs: number;
  /** Pause after a call that brought nothing. */
  readonly emptyPauseMs: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly health: BackendHealth;
  /** Plans a lease: into a lane, or settled at once. An exception is a bug in the plan of this one job. */
  readonly admit: (held: Held) => void;
  /** Takes a lease whose planning threw: charged an attempt, so that it cannot crash the poller for ever. */
  readonly fail: (held: Held, error: unknown) => void;
  readonly isDraining: () => boolean;
  /** A key that is closed beside those of lanes; null = none. */
  readonly closedToo?: () => string | null;
}

/** A lease call that takes longer than this is surely waiting for jobs, and not for the backend's answer. */
const longestAnswerMs = 10;
/** More would only be held back from other processes. */
const largestLease = 256;

/**
 * Fills the lanes: leases as much as there is room for, and hands each lease to `admit`.
 *
 * The wait in the backend is cut short when a lane that was closed at its start opens, because only a new
 * lease call tells the backend so. Past its start, a lease is never forgotten: it is admitted, settled or failed.
 */
export function createPoller(options: PollerOptions): (context: ChildContext) => Promise<void> {
  const { queue, driver, prefetch, health, log, clock } = options;
  const most = Math.min(driver.capabilities.maxBatch, largestLease);
  const leasedCount = options.metrics.leased.labels({ queue });
  /** How long the backend took to answer lately: a call that lasts longer is waiting for jobs. */
  let answerMs = longestAnswerMs;

  /** Returns how many leases it brought. */
  const leaseOnce = async (context: ChildContext, wished: LeaseCall): Promise<number> => {
    const cut = new AbortController();
    const stop = (): void => cut.abort();
    context.signal.addEventListener("abort", stop, { once: true });
    const closed = options.closedToo?.() ?? null;
    const closedKeys = closed === null ? wished.closedKeys : new Set([...wished.closedKeys, closed]);
    const call = { ...wished, closedKeys, max: Math.min(wished.max, most) };
    const startedAt = clock.monotonic();
    const leaseMs = options.leaseMs();
    let cutTimer: ReturnType<typeof setTimeout> | undefined;
    prefetch.onOpen((key) => {
      if (cutTimer !== undefined || !call.closedKeys.has(key)) return;
      // A call on its way is let be: what it brings while cut would only be given back.
      const leftMs = startedAt + answerMs - clock.monotonic();
      if (leftMs <= 0) stop();
      else cutTimer = setTimeout(stop, leftMs);
    });
    try {
      const leases = await driver.lease(queue, {
        ...call,
        leaseMs,
        waitMs: options.waitMs,
        signal: cut.signal,
      });
      if (leases.length > 0) {
        leasedCount.inc(leases.length);
        answerMs = Math.min(clock.monotonic() - startedAt, 2 * answerMs, longestAnswerMs);
      }
      // All are held before any is planned: an exception below must not leave one without a heartbeat.
      // A lease begins somewhere in the call that brought it. Most of a long call is the wait before; where it
      // is not, the heartbeat asks the backend at once, because more than a third seems to be over.
      const since = Math.max(startedAt, clock.monotonic() - leaseMs / 2);
      const all = leases.map((lease) => options.held.add(lease, since + leaseMs));
      let bug: unknown;
      const pace = createPacer();
      for (const held of all) {
        try {
          options.admit(held);
        } catch (error) {
          bug ??= error;
          options.fail(held, error);
        }
        // Large jobs take milliseconds each to be planned.
        await pace();
      }
      if (!cut.signal.aborted) prefetch.brought(leases.length, call);
      if (bug !== undefined) throw bug;
      return leases.length;
    } finally {
      clearTimeout(cutTimer);
      context.signal.removeEventListener("abort", stop);
    }
  };

  /** A silence of our own choice is no stall. */
  const pause = (context: ChildContext, ms: number): Promise<void> => {
    context.progress(clock.monotonic() + ms);
    return sleep(ms, context.signal);
  };

  return async (context) => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 5_000 });
    while (!context.signal.aborted) {
      await context.checkpoint();
      if (options.isDraining()) {
        await pause(context, 1_000);
        continue;
      }
      const call = prefetch.next();
      if (call === null) {
        // It takes a second at most, which may be longer than stall_ms.
        context.progress(clock.monotonic() + 1_000);
        await prefetch.room(context.signal);
        continue;
      }
      try {
        const count = await leaseOnce(context, call);
        backoff.reset();
        health.ok("lease");
        if (count === 0 && options.emptyPauseMs > 0) await pause(context, options.emptyPauseMs);
        // A backend in this process answers without a pause: the answers of receivers must come in between.
        if (count > 0) await endOfTick();
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) throw error;
        health.fault("lease", error);
        log.debug("lease failed", { queue, error });
        await pause(context, backoff.next());
      }
    }
  };
}
