import type { Clock } from "../clock.ts";
import { sleep } from "../wait.ts";
import { RestartIntensityError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ChildRequest, ChildSpec, ChildState, ChildStatus, SupervisorView } from "./child.ts";
import { startRun, type ChildRun } from "./child-run.ts";
import { createIntensity } from "./intensity.ts";

/** When to restart, when to give up, and what counts as a stall; times in ms. */
export interface RestartPolicy {
  readonly maxRestarts: number;
  readonly withinMs: number;
  readonly restartDelayMs: number;
  readonly maxRestartDelayMs: number;
  readonly stallMs: number;
}

export interface SupervisorOptions extends RestartPolicy {
  readonly clock: Clock;
  readonly log: Logger;
  /** Called at each restart, for the metric. */
  readonly onRestart: (childId: string) => void;
}

/**
 * Keeps children running, one for one.
 *
 * A child's life:
 *
 *     running ──throws, returns, or is silent for stallMs──▶ restarting ──delay──▶ running
 *        │                                                      └──past the intensity──▶ failed
 *        └──stop──▶ stopped
 *
 * The delay doubles from restartDelayMs to maxRestartDelayMs and starts over after 60 s alive. When one
 * child is past its intensity, `failed` resolves; the owner stops everything and exits 1.
 */
export interface Supervisor extends SupervisorView {
  /** Starts a child and keeps it running. Ids must be unique. */
  add(spec: ChildSpec): void;
  /** Stops these children for good; resolves when each has ended or `graceMs` is over. */
  stop(which: (childId: string) => boolean, graceMs: number): Promise<void>;
  /** Resolves when a child is past its restart intensity; pending otherwise. */
  readonly failed: Promise<RestartIntensityError>;
  /** Whether at least one child is running, for health. */
  isAlive(): boolean;
}

interface Child {
  readonly spec: ChildSpec;
  state: ChildState;
  run: ChildRun | null;
  restarts: number;
  lastError: string | null;
  downSince: number | null;
  readonly stopping: AbortController;
  /** Ends the wait before the next run. */
  waking: AbortController;
  /** Settles when the child has stopped or failed for good. */
  done: Promise<void>;
}

/** A child that lived this long has recovered: its next restart waits the shortest delay again. */
const recoveredAfterMs = 60_000;
/** An operator's restart waits this long for the old run before it leaves it behind. */
const restartGraceMs = 1_000;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { clock, log } = options;
  const children = new Map<string, Child>();
  const { promise: failed, resolve: fail } = Promise.withResolvers<RestartIntensityError>();

  const keepRunning = async (child: Child): Promise<void> => {
    const intensity = createIntensity(options);
    let delayMs = options.restartDelayMs;
    for (;;) {
      const startedAt = clock.monotonic();
      child.state = "running";
      child.downSince = null;
      child.waking = new AbortController();
      child.run = startRun(child.spec, clock, log);
      if (child.stopping.signal.aborted) child.run.stop(0);
      const end = await child.run.ended;
      if (child.stopping.signal.aborted) {
        child.state = "stopped";
        return;
      }
      child.state = "restarting";
      child.downSince = clock.now();
      if (end.kind === "asked") {
        child.restarts += 1;
        options.onRestart(child.spec.id);
        continue;
      }
      child.lastError = `${end.error.name}: ${end.error.message}`;
      if (!intensity.allows(clock.monotonic())) {
        child.state = "failed";
        log.error("a worker crashes again and again; giving up", { child: child.spec.id, error: end.error });
        fail(
          new RestartIntensityError(
            child.spec.id,
            `${child.spec.id} needed more than ${options.maxRestarts} restarts in ${options.withinMs} ms; the last crash was: ${child.lastError}`,
          ),
        );
        return;
      }
      if (clock.monotonic() - startedAt >= recoveredAfterMs) delayMs = options.restartDelayMs;
      log.warn("a worker crashed and is restarted", {
        child: child.spec.id,
        delay_ms: delayMs,
        error: end.error,
      });
      await sleep(delayMs, child.waking.signal);
      if (child.stopping.signal.aborted) {
        child.state = "stopped";
        return;
      }
      delayMs = Math.min(delayMs * 2, options.maxRestartDelayMs);
      child.restarts += 1;
      options.onRestart(child.spec.id);
    }
  };

  const watchEveryMs = Math.min(2_000, Math.max(25, options.stallMs / 20));
  let watchedAt = clock.monotonic();
  /** Nobody counts as silent before it. */
  let awakeSince = 0;
  const watch = (): void => {
    const now = clock.monotonic();
    // The process itself stood still (a suspended machine, a blocked runtime): that is no child's stall.
    if (now - watchedAt > watchEveryMs * 3) awakeSince = now;
    watchedAt = now;
    for (const child of children.values()) {
      if (child.state !== "running" || child.run === null) continue;
      const silentMs = now - Math.max(child.run.lastProgress(now), child.run.busyUntil, awakeSince);
      // Two rounds early, so that a stalled child is replaced within stallMs: its last progress may have been
      // right after a round, and the next look is a round later.
      if (silentMs > options.stallMs - 2 * watchEveryMs) {
        child.run.abandon(new Error(`stalled: no progress for ${Math.round(silentMs)} ms`));
      }
    }
  };
  const watchdog = setInterval(watch, watchEveryMs);

  const statusOf = (child: Child): ChildStatus => {
    const now = clock.monotonic();
    const ageMs = child.run === null ? 0 : Math.max(0, now - child.run.lastProgress(now));
    return {
      id: child.spec.id,
      state: child.state,
      restarts: child.restarts,
      lastError: child.lastError,
      downSince: child.downSince,
      lastProgressAt: child.run === null ? null : Math.round(clock.now() - ageMs),
      progressAgeMs: Math.round(ageMs),
    };
  };
  const withRun = (id: string, act: (run: ChildRun) => void): ChildRequest => {
    const child = children.get(id);
    if (child === undefined) return "unknown";
    if (child.run === null || child.state !== "running") return "not_running";
    act(child.run);
    return "done";
  };

  return {
    failed,
    add(spec) {
      if (children.has(spec.id)) throw new Error(`a child named ${spec.id} is running already`);
      const child: Child = {
        spec,
        state: "starting",
        run: null,
        restarts: 0,
        lastError: null,
        downSince: null,
        stopping: new AbortController(),
        waking: new AbortController(),
        done: Promise.resolve(),
      };
      children.set(spec.id, child);
      child.done = keepRunning(child);
    },
    async stop(which, graceMs) {
      const chosen = [...children.values()].filter((child) => which(child.spec.id));
      for (const child of chosen) {
        child.stopping.abort();
        child.waking.abort();
        child.run?.stop(graceMs);
      }
      await Promise.all(chosen.map((child) => child.done));
      if ([...children.values()].every(({ state }) => state === "stopped" || state === "failed")) {
        clearInterval(watchdog);
      }
    },
    children: () => [...children.values()].map(statusOf),
    isAlive: () => children.size === 0 || [...children.values()].some(({ state }) => state === "running"),
    restart(id) {
      const child = children.get(id);
      if (child?.state !== "restarting") return withRun(id, (run) => run.stop(restartGraceMs));
      child.waking.abort();
      return "done";
    },
    crash: (id) => withRun(id, (run) => run.crash()),
    stall: (id) => withRun(id, (run) => run.stall()),
  };
}
