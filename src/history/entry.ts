import type { AttemptTrace } from "../delivery/trace.ts";
import type { Endpoint } from "../delivery/endpoint.ts";
import type { HeaderEntry } from "../delivery/headers.ts";
import type { Outcome } from "../delivery/outcome.ts";
import type { BoundEvents, DecodedJob, JobBody, JobEvent } from "../jobs/job.ts";

/** What the history takes of a delivery that was attempted; the worker's own fits it. */
export interface AttemptedDelivery {
  /** Its configured headers are secret: a history that leaves the process hides them. */
  readonly endpoint: Pick<Endpoint, "name" | "label"> & Partial<Pick<Endpoint, "headers">>;
  /** The webhook-id. */
  readonly id: string;
  readonly jobId: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly held: { readonly lease: { readonly queue: string } };
  readonly app: { readonly id: string } | null;
  readonly job: DecodedJob;
  readonly boundEvents: BoundEvents | null;
  readonly content: JobBody;
  readonly trace: AttemptTrace | null;
}

/** One attempt of a delivery. */
export interface RecordedAttempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** Epoch ms of its beginning. */
  readonly at: number;
  readonly outcome: Outcome;
  /** The beginning of what was answered, longer than what is shown of it; null where nothing came or is kept. */
  readonly answer: string | null;
}

/**
 * What became of a delivery, as far as this process knows:
 * - `delivered`: the receiver took it.
 * - `retrying`: it failed and is to be tried again.
 * - `dead`: given up; it is among the dead letters.
 * - `released`: its last attempt was cut off, and the job is ready again for any process.
 * - `cancelled`: an operator removed its job before it was delivered.
 */
export type DeliveryState = "delivered" | "retrying" | "dead" | "released" | "cancelled";

export const deliveryStates: readonly DeliveryState[] = [
  "delivered",
  "retrying",
  "dead",
  "released",
  "cancelled",
];

/** What the history takes of a delivery whose job was cancelled. */
export interface CancelledDelivery extends Pick<
  AttemptedDelivery,
  "id" | "jobId" | "app" | "job" | "boundEvents" | "content"
> {
  readonly queue: string;
  /** Null where nobody knows for whom it was. */
  readonly endpoint: AttemptedDelivery["endpoint"] | null;
}

/** A job and the exact bytes that were sent for it. */
export interface KeptBody {
  readonly job: DecodedJob;
  readonly boundEvents: BoundEvents | null;
  readonly content: JobBody;
}

/** One delivery in the history. What is shown of it is made when somebody asks. */
export interface HistoryEntry {
  /** Counted from 1 in this process: the higher, the newer. */
  readonly number: number;
  readonly queue: string;
  /** Null for a named endpoint. */
  readonly appId: string | null;
  /** The endpoint's name in its app, or among the named ones; "" where a job was cancelled that had none yet. */
  readonly endpoint: string;
  /** "" as `endpoint`. */
  readonly label: string;
  readonly jobId: string;
  readonly webhookId: string;
  /** The id of the entry that it sends again; null where it sends none. */
  readonly resendOf: string | null;
  /** The app's events, or the one type of a generic job; empty for a raw one. */
  readonly events: readonly JobEvent[];
  /** Oldest first. */
  readonly attempts: RecordedAttempt[];
  /** Attempts that had no room. */
  attemptsLeftOut: number;
  state: DeliveryState;
  /** Why it is dead; null while it is not. */
  deadReason: string | null;
  /** Epoch ms at which its job was cancelled; null while it is not. */
  cancelledAt: number | null;
  /** The last attempt's; null when nothing was sent. */
  headers: readonly HeaderEntry[] | null;
  /** Null where it is not kept, or no longer. */
  body: KeptBody | null;
  /** Whether an attempt has failed: it stands among the failures, which have room of their own. */
  readonly isFailure: boolean;
  /** What it takes in memory, about. */
  bytes: number;
}
