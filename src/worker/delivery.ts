import type { App, Endpoint } from "../delivery/endpoint.ts";
import type { Outcome } from "../delivery/outcome.ts";
import type { AttemptTrace } from "../delivery/trace.ts";
import type { BoundEvents, DecodedJob, JobBody } from "../jobs/job.ts";
import type { Disposition, MessageInfo } from "../queue/driver.ts";
import type { Held } from "./held.ts";
import type { PlanContext } from "./plan-context.ts";

/** One attempt to be made: a leased job, bound to one endpoint. */
export interface Delivery {
  readonly held: Held;
  readonly endpoint: Endpoint;
  /** What was enqueued. */
  readonly jobId: string;
  /** The webhook-id: the same over all attempts and doubles. */
  readonly id: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** The exact body to send. */
  readonly content: JobBody;
  /** Which of a Pusher job's events the content holds; null for other jobs. */
  readonly boundEvents: BoundEvents | null;
  /** Epoch ms of the enqueue; null where unknown. */
  readonly enqueuedAt: number | null;
  /** What the backend says of the message; null where it says nothing. */
  readonly message: MessageInfo | null;
  readonly job: DecodedJob;
  /** The app whose endpoint it is; null for a named one. */
  readonly app: App | null;
  /** What it was planned by, or would be planned the same by. */
  plannedBy: PlanContext;
  /** What its attempt leaves for the history; null before, and where nobody keeps one. */
  trace: AttemptTrace | null;
  /**
   * The bytes to keep the job as, or undefined to leave them as they are: bound to the endpoint and
   * without app_secret. Made only when the job is kept.
   */
  keep(): JobBody | undefined;
}

/** Keeps what an attempt came to, for those who ask later; must not throw. */
export type RecordAttempt = (delivery: Delivery, outcome: Outcome, disposition: Disposition) => void;
