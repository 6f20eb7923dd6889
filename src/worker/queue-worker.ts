import type { Clock } from "../clock.ts";
import type { Cut } from "../delivery/cut.ts";
import type { LiveChange } from "../delivery/live.ts";
import { backoffMs } from "../delivery/retry.ts";
import { decide } from "../delivery/decide.ts";
import type { Outcome } from "../delivery/outcome.ts";
import { unknownHere } from "../delivery/router.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Disposition, QueueDriver } from "../queue/driver.ts";
import { orAborted } from "../wait.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { BackendHealth } from "./backend-health.ts";
import type { Delivery, RecordAttempt } from "./delivery.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { createHeldLeases, type Held } from "./held.ts";
import { createLoop } from "./loop.ts";
import { createLeaseEnds } from "./lease-ends.ts";
import { isPlannedBy, keepMasked, planJob, type Plan } from "./plan.ts";
import { StoredUnreadableError } from "../stored/compile.ts";
import { waitingKey, type StoredApps } from "./stored-apps.ts";
import type { PlanContext } from "./plan-context.ts";
import { createPoller } from "./poller.ts";
import type { Death } from "../problems/recent-deaths.ts";
import type { Gate } from "../endpoints/gate.ts";
import { createScheduler, type Scheduler } from "./schedule/scheduler.ts";
import type { Slots } from "./schedule/slots.ts";
import { createSettler } from "./settler.ts";
import { describeUnwanted } from "./unwanted.ts";

export interface QueueWorkerOptions {
  readonly queue: string;
  readonly driver: QueueDriver;
  /** Told of each dead letter before it is written. */
  readonly onDead?: (death: Death) => void;
  /** The slots of this queue, or of its group; as many worker loops are started. */
  readonly slots: Slots;
  /** Starts in a round of the group's; 1 for a queue alone. */
  readonly weight: number;
  readonly leaseMs: () => number;
  /** Longest wait of one lease call. */
  readonly waitMs: number;
  /** After an empty lease the queue is not asked again for so long. */
  readonly emptyPauseMs: number;
  /** Longest wait of a loop for its turn. */
  readonly turnMs: number;
  /** The first one; `follow` brings the next. */
  readonly plan: PlanContext;
  readonly gateOf: (delivery: Delivery) => Gate;
  readonly stored: StoredApps;
  readonly attempt: (delivery: Delivery, cut: Cut) => Promise<Outcome>;
  readonly record: RecordAttempt;
  readonly health: BackendHealth;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * One queue's consumption: a poller that fills the lanes, loops that empty them, a settler and a
 * heartbeat, each a child of the supervisor.
 */
export interface QueueWorker {
  readonly scheduler: Scheduler;
  start(): void;
  /** The slots are more or fewer since now. */
  resize(): void;
  /**
   * Plans by another context from now on, what is held and has not started included. Attempts in flight end under
   * what they began under.
   */
  follow(plan: PlanContext, change: Pick<LiveChange, "changed" | "removed">): void;
  /**
   * Stops leasing, lets attempts in flight finish until `softDeadline` aborts, cuts the rest off, and gives
   * back what was not finished; resolves when that is confirmed or `hardDeadline` aborts.
   */
  drain(softDeadline: AbortSignal, hardDeadline: AbortSignal): Promise<void>;
}

export function createQueueWorker(options: QueueWorkerOptions): QueueWorker {
  const { queue, driver, slots, clock, log, metrics, supervisor, health, stored } = options;
  let { plan } = options;
  let isDraining = false;
  let loops = 0;

  const settler = createSettler({
    queue,
    driver,
    forget: (done) => held.remove(done),
    metrics,
    log,
    health,
    waitMs: options.turnMs,
  });
  const ends = createLeaseEnds({
    queue,
    settler,
    metrics,
    log,
    mask: (text) => plan.mask(text),
    onDead: options.onDead,
  });
  const { park, giveUp } = ends;
  const held = createHeldLeases(ends.settle);

  const scheduler = createScheduler({
    slots,
    weight: options.weight,
    capacity: capacityFor(slots),
    isSole: isSole(plan),
    gateOf: options.gateOf,
    ownConcurrencyOf: ({ limits }) => limits.concurrency,
    park,
    giveUp,
    needLoop: (running) => {
      if (loops < running) addLoop();
    },
  });

  /** The way back of a job that another process may be able to route; null when it is what it is here. */
  const putBack = ({ lease, jobId }: Held, disposition: Disposition): Disposition | null => {
    if (disposition.verb !== "dead" || !unknownHere.has(disposition.reason)) return null;
    const back = driver.putBack?.(lease) ?? null;
    if (back === null) return null;
    log[back.times === 0 ? "info" : "debug"]("put back: this process cannot route the job, another may", {
      queue,
      job_id: jobId,
      reason: disposition.reason,
      detail: disposition.detail ?? undefined,
      delay_ms: back.delayMs,
    });
    return { verb: "release", delayMs: back.delayMs };
  };

  /** Leases whose jobs are planned as soon as this process is up to date. */
  const looking = new Set<Held>();
  const lookFirst = (lease: Held): void => {
    looking.add(lease);
    const then = (go: () => void) => (): void => {
      looking.delete(lease);
      // It was lost, or given back, meanwhile.
      if (lease.state !== "waiting") return;
      try {
        go();
      } catch (error) {
        fail(lease, error);
      }
    };
    stored.look().then(
      then(() => admit(lease, true)),
      then(() => putAside(lease)),
    );
  };

  /** For a process, or a time, that can read what is stored. */
  const putAside = (lease: Held): void => {
    log.debug("put aside: the job may be for a stored app that cannot be read here", {
      queue,
      job_id: lease.jobId,
    });
    lease.settle({ verb: "park", key: waitingKey });
  };

  const planned = (lease: Held, hasLooked: boolean): Plan | null => {
    try {
      return planJob(lease.lease.job, plan, hasLooked);
    } catch (error) {
      if (!(error instanceof StoredUnreadableError)) throw error;
      return null;
    }
  };

  const admit = (lease: Held, hasLooked = !stored.isShared): void => {
    if (isDraining) return lease.settle({ verb: "release" });
    const step = planned(lease, hasLooked);
    if (step === null) return putAside(lease);
    if (step.kind === "behind") return lookFirst(lease);
    if (step.kind === "settle" && step.unknown !== undefined) {
      if (!hasLooked) return lookFirst(lease);
      if (stored.mayBeUnreadable(step.unknown)) return putAside(lease);
    }
    carryOut(lease, step);
  };

  const carryOut = (lease: Held, planned: Exclude<Plan, { kind: "behind" }>): void => {
    if (planned.kind === "settle") {
      const { disposition } = planned;
      lease.jobId = planned.jobId;
      lease.learntId = planned.learntId;
      if (disposition.verb === "ack") metrics.filteredOut.labels({ queue }).inc();
      if (planned.unwanted !== undefined && log.level === "debug") {
        log.debug("no endpoint wants the job", {
          queue,
          job_id: planned.jobId,
          ...describeUnwanted(planned.unwanted, plan.mask),
        });
      }
      if (disposition.verb === "replace") metrics.expanded.labels({ queue }).inc(disposition.jobs.length - 1);
      return lease.settle(putBack(lease, disposition) ?? disposition);
    }
    lease.jobId = planned.delivery.jobId;
    lease.learntId = planned.learntId;
    const delivery: Delivery = Object.assign(planned.delivery, { held: lease });
    const admitted = scheduler.admit(delivery);
    if (admitted === "park") park([delivery]);
    if (admitted === "dead") giveUp([delivery]);
  };

  const fail = (lease: Held, error: unknown): void => {
    const { id, attempts, body } = lease.lease.job;
    log.error("a job could not be planned; this is a bug", { queue, job_id: id, error });
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    lease.settle(
      attempts >= 2
        ? {
            verb: "dead",
            reason: "internal_error",
            detail,
            endpoint: null,
            attempted: true,
            body: keepMasked(body, plan.mask),
          }
        : { verb: "retry", delayMs: 1_000 },
    );
  };

  /** False: what is in force now may plan its job otherwise. */
  const isCurrent = (delivery: Delivery): boolean => {
    if (!isPlannedBy(delivery, plan)) return false;
    delivery.plannedBy = plan;
    return true;
  };
  const planAgain = ({ held: lease }: Delivery): void => {
    // Its lease was lost while it waited.
    if (lease.state !== "waiting") return;
    try {
      admit(lease);
    } catch (error) {
      fail(lease, error);
    }
  };

  const runLoop = createLoop({
    isCurrent,
    planAgain,
    take: (signal, waitMs) => scheduler.take(signal, waitMs),
    clock,
    waitMs: options.turnMs,
    attempt: options.attempt,
    decide: (delivery, outcome) =>
      decide(outcome, delivery.attempt, delivery.endpoint.retry, {
        random: Math.random,
        ageMs: delivery.enqueuedAt === null ? null : clock.now() - delivery.enqueuedAt,
      }),
    record: options.record,
    crashDelayMs: ({ attempt, endpoint }) => backoffMs(attempt, endpoint.retry, Math.random()),
    isDraining: () => isDraining,
  });
  const addLoop = (): void => {
    loops += 1;
    supervisor.add({ id: `${queue}/loop-${loops}`, run: runLoop });
  };

  const common = { queue, driver, held, leaseMs: options.leaseMs, clock, metrics, log, health };
  const poller = createPoller({
    ...common,
    prefetch: scheduler.prefetch,
    waitMs: options.waitMs,
    emptyPauseMs: options.emptyPauseMs,
    admit,
    fail,
    isDraining: () => isDraining,
    closedToo: () => (stored.isBlind() ? waitingKey : null),
  });
  const heartbeat = createHeartbeat({ ...common, waitMs: options.turnMs });
  const pollerId = `${queue}/poller`;

  return {
    scheduler,
    start() {
      supervisor.add({ id: `${queue}/settler`, run: (context) => settler.run(context) });
      supervisor.add({ id: `${queue}/heartbeat`, run: heartbeat });
      supervisor.add({ id: pollerId, run: poller });
      for (let index = 0; index < slots.total; index += 1) addLoop();
    },
    resize: () => scheduler.resize(capacityFor(slots)),
    follow(next, { changed, removed }) {
      if (isDraining) return;
      plan = next;
      const out = scheduler.takeOut((delivery) => !isCurrent(delivery));
      scheduler.follow({ changed, removed, isSole: isSole(plan) });
      for (const delivery of out) planAgain(delivery);
    },
    async drain(softDeadline, hardDeadline) {
      isDraining = true;
      // Last first: an ordered backend would otherwise hand a successor out before its predecessor.
      for (const { held: lease } of scheduler.drain()) lease.settle({ verb: "release" });
      for (const lease of looking) lease.settle({ verb: "release" });
      const stopped = supervisor.stop((id) => id === pollerId, 1_000);
      await scheduler.idle(softDeadline);
      for (const lease of held.values()) lease.cut?.cut();
      await scheduler.idle(hardDeadline);
      await orAborted(stopped, hardDeadline);
      await settler.idle(hardDeadline);
    },
  };
}

/** Twice the slots: one set at work, the next at hand while the one after is fetched. */
function capacityFor({ total }: Slots): number {
  return Math.max(16, total * 2);
}

/** Whether this queue's jobs can go to one endpoint only. */
function isSole({ directory, rawRoutes }: PlanContext): boolean {
  return (rawRoutes === null ? directory.size : rawRoutes.endpoints.size) <= 1;
}
