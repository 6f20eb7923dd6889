import type { Caller } from "../tokens.ts";
import type { ProblemCode } from "../problem.ts";

/** What a bulk request does to many things. */
export const operationKinds = ["redrive", "remove", "resend", "reencrypt"] as const;
export type OperationKind = (typeof operationKinds)[number];

/**
 * - `running`: under way.
 * - `done`: it has been through everything.
 * - `stopped`: somebody stopped it, or the process ended; what was done stays done.
 * - `failed`: the backend did not answer for long; what was done stays done, and the same request again does the rest.
 */
export const operationStates = ["running", "done", "stopped", "failed"] as const;
export type OperationState = (typeof operationStates)[number];

/** How far an operation is; its work writes it. */
export interface OperationProgress {
  /** Things that it may have to look at in all; null where nobody knows. */
  total: number | null;
  looked: number;
  /** Those that are meant. */
  matched: number;
  /** Those that it has been done to. */
  done: number;
  /** Meant and left out, by why. */
  readonly skipped: Record<string, number>;
  /** Meant and refused by the backend, by why. */
  readonly failed: Record<string, number>;
  /** Ids that were given and under which there was nothing. */
  readonly notFound: string[];
  /** False where the backend shows a sample: there may be more that is meant. */
  complete: boolean;
  /** What else its answer holds. */
  extra: Readonly<Record<string, unknown>>;
}

/** A bulk request at work, or that was. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  /** Null where it is about none. */
  readonly queue: string | null;
  readonly isDry: boolean;
  readonly caller: Caller;
  /** The request's body, checked. */
  readonly request: unknown;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly state: OperationState;
  /** Epoch ms; null while it runs. */
  readonly endedAt: number | null;
  readonly progress: Readonly<OperationProgress>;
  /** Why it failed; null for the others. */
  readonly error: { readonly code: ProblemCode; readonly detail: string } | null;
}

/** What an operation's work is given. */
export interface OperationWork {
  readonly progress: OperationProgress;
  /** Aborts when the work is to end after the step that is under way. */
  readonly signal: AbortSignal;
  /** How many may be done in one step, so that the pace is even. */
  readonly mostAtOnce: number;
  /** The request asked for a pace. */
  readonly isPaced: boolean;
  /**
   * Does one step. Before it, waits until the pace allows it, and lets the event loop serve others; while the backend
   * does not answer, or has no room, tries again. A step must be safe to repeat.
   *
   * Gives null when the work is to end: nothing was done then.
   */
  step<Result>(run: () => Promise<Result>): Promise<Result | null>;
}
