/**
 * A child: one long-running piece of work under the supervisor, such as a worker loop.
 */
export interface ChildSpec {
  /** Unique in the process and stable over restarts, as in `webhooks/loop-3`. */
  readonly id: string;
  /**
   * Does the work until `context.signal` aborts, then returns.
   *
   * A rejection is a crash, and so is a return before the signal aborted. Called again for each restart;
   * whatever the previous run held must have been let go of in its `context.onEnd`.
   */
  run(context: ChildContext): Promise<void>;
}

/** What a child is among its like, for metrics: `webhooks/loop` of `webhooks/loop-3`. */
export function childKind(id: string): string {
  return id.replace(/\/loop-\d+$/, "/loop");
}

/** What one run of a child gets from its supervisor. A restarted child gets a new one. */
export interface ChildContext {
  readonly id: string;
  /** Aborts when this run must end: shutdown, an operator's restart, an injected crash, or a stall. */
  readonly signal: AbortSignal;
  /**
   * Says that the child got something done. A child silent for `stall_ms` is abandoned and replaced.
   *
   * @param busyUntil Monotonic ms until which silence is expected, as an attempt's own deadline.
   */
  progress(busyUntil?: number): void;
  /**
   * Called once when this run ends in any way, also when the supervisor stopped waiting for it.
   * Must be synchronous and must not throw: it is where a held lease is given back.
   */
  onEnd(cleanup: () => void): void;
  /**
   * To be awaited once per round, which is progress: a rehearsed crash or stall (`supervisor.allow_crash`)
   * happens here. Resolves at once otherwise.
   */
  checkpoint(): Promise<void> | void;
}

/** What a child can be at. */
export const childStates = ["starting", "running", "restarting", "stopped", "failed"] as const;

export type ChildState = (typeof childStates)[number];

/** A child as GET /v1/workers shows it. */
export interface ChildStatus {
  readonly id: string;
  readonly state: ChildState;
  readonly restarts: number;
  readonly lastError: string | null;
  /** Epoch ms of the crash that it is being restarted after, or that ended it; null while it runs. */
  readonly downSince: number | null;
  /** Epoch ms; null before the first progress. */
  readonly lastProgressAt: number | null;
  readonly progressAgeMs: number;
}

/** What came of a request: done, no such child, or it is not running just now. */
export type ChildRequest = "done" | "unknown" | "not_running";

/** What the admin API may ask of the supervisor. */
export interface SupervisorView {
  children(): ChildStatus[];
  /** Ends this run and starts the next at once, or cuts the wait for the next short; not counted as a crash. */
  restart(id: string): ChildRequest;
  /** Makes the child throw at its next step. */
  crash(id: string): ChildRequest;
  /** Makes the child wait for ever at its next checkpoint. */
  stall(id: string): ChildRequest;
}
