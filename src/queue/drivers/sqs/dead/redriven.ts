import type { BatchResult } from "../batch.ts";

/** What became of a redrive. */
export interface Redriven {
  readonly redriven: number;
  /** Of those: how many are in the dead letter queue, too, because SQS did not delete them. */
  readonly undeleted: number;
  /** Those that could not be sent, and why the first of them; they stay where they are. */
  readonly failed: number;
  readonly why: Error | null;
  /** Dead letters of other queues that were met: several queues may share one dead letter queue. */
  readonly others: number;
}

/** What SQS did not do. */
export type Failure = Exclude<BatchResult, { status: "ok" }>;

export const nothing: Redriven = { redriven: 0, undeleted: 0, failed: 0, why: null, others: 0 };

/** Both together. */
export function sum(a: Redriven, b: Redriven): Redriven {
  return {
    redriven: a.redriven + b.redriven,
    undeleted: a.undeleted + b.undeleted,
    failed: a.failed + b.failed,
    why: a.why ?? b.why,
    others: 0,
  };
}

/** Why a dead letter is still there, as an error. */
export function notDeleted(result: Failure | undefined): unknown {
  if (result?.status === "unknown") return result.error;
  const code = result !== undefined && "code" in result ? result.code : "no answer";
  return new Error(`the dead letter was not deleted: ${code}`);
}
