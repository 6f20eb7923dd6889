import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { ChildContext, ChildSpec } from "./child.ts";

/** Why a run ended. */
export type RunEnd =
  /** It was asked to: shutdown or an operator's restart. */
  | { readonly kind: "asked" }
  /** It threw, returned uncalled, was made to crash, or stalled. */
  | { readonly kind: "crashed"; readonly error: Error };

/** One run of a child, from its start to the moment its supervisor stops counting on it. */
export interface ChildRun {
  /** Settles once, when the run ended or was abandoned; never rejects. */
  readonly ended: Promise<RunEnd>;
  /**
   * Monotonic ms of the last progress, as exact as this is asked for: progress only leaves a mark, and whoever
   * asks first gives it the time. Children report it tens of thousands of times a second.
   */
  lastProgress(now: number): number;
  /** Monotonic ms until which silence is expected. */
  readonly busyUntil: number;
  /** Asks the run to end. It is abandoned when it has not within `graceMs`. */
  stop(graceMs: number): void;
  /** Ends the run as a crash with this error, whether it reacts or not. */
  abandon(error: Error): void;
  /** Makes it throw at its next step. */
  crash(): void;
  /** Makes it wait for ever at its next checkpoint. */
  stall(): void;
}

/** Thrown inside a child by a rehearsed crash (`supervisor.allow_crash`). */
export class RehearsedCrashError extends Error {
  override readonly name = "RehearsedCrashError";
  constructor(childId: string) {
    super(`${childId} was made to crash over the admin API`);
  }
}

/** A rehearsed crash waits this long for the child's next step. */
const crashGraceMs = 100;

/**
 * Starts a child.
 *
 * An abandoned run's promise is left behind on purpose: an await that never settles cannot be ended from
 * outside. Its signal is aborted and its `onEnd` has run, so it holds nothing and settles nothing.
 */
export function startRun(spec: ChildSpec, clock: Clock, log: Logger): ChildRun {
  const controller = new AbortController();
  const cleanups: (() => void)[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<RunEnd>();
  let over = false;
  let asked = false;
  let fault: Error | null = null;
  let stalled = false;
  let lastProgress = clock.monotonic();
  let hasProgressed = false;
  let busyUntil = 0;
  let graceTimer: ReturnType<typeof setTimeout> | undefined;

  const finish = (end: RunEnd): void => {
    if (over) return;
    over = true;
    clearTimeout(graceTimer);
    controller.abort();
    for (const cleanup of cleanups) {
      try {
        cleanup();
      } catch (error) {
        log.error("a child's clean-up threw; this is a bug", { child: spec.id, error });
      }
    }
    resolve(end);
  };

  const context: ChildContext = {
    id: spec.id,
    signal: controller.signal,
    progress(until = 0) {
      hasProgressed = true;
      busyUntil = until;
    },
    onEnd(cleanup) {
      if (over) cleanup();
      else cleanups.push(cleanup);
    },
    checkpoint() {
      hasProgressed = true;
      busyUntil = 0;
      if (fault !== null) throw fault;
      return stalled ? new Promise<never>(() => undefined) : undefined;
    },
  };

  const run = async (): Promise<void> => {
    try {
      await spec.run(context);
      if (fault !== null) finish({ kind: "crashed", error: fault });
      else if (asked) finish({ kind: "asked" });
      else
        finish({ kind: "crashed", error: new Error(`${spec.id} returned although nothing had stopped it`) });
    } catch (thrown) {
      if (over) return;
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      // A child that was asked to end may throw its signal's reason on the way out; a fault of its own counts.
      if (asked && fault === null && controller.signal.aborted) finish({ kind: "asked" });
      else finish({ kind: "crashed", error });
    }
  };
  void run();

  return {
    ended,
    lastProgress(now) {
      if (hasProgressed) lastProgress = now;
      hasProgressed = false;
      return lastProgress;
    },
    get busyUntil() {
      return busyUntil;
    },
    stop(graceMs) {
      if (over || asked) return;
      asked = true;
      graceTimer = setTimeout(() => finish({ kind: "asked" }), graceMs);
      controller.abort();
    },
    abandon: (error) => finish({ kind: "crashed", error }),
    crash() {
      if (over || fault !== null) return;
      const error = new RehearsedCrashError(spec.id);
      fault = error;
      // A child in the middle of a long attempt crashes now, not when that is over.
      graceTimer = setTimeout(() => finish({ kind: "crashed", error }), crashGraceMs);
      controller.abort();
    },
    stall() {
      stalled = true;
    },
  };
}
