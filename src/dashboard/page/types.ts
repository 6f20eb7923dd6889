/** What the API answers, as far as the page reads it. Times are ISO 8601. */

export type Scope = "read" | "enqueue" | "operate";

export interface Token {
  /** Null for a local client without one. */
  readonly name: string | null;
  readonly scope: Scope;
}

export interface Problem {
  readonly id: string;
  readonly kind: string;
  readonly severity: "error" | "warning" | "note";
  readonly object: string;
  readonly since: string;
  readonly detail: string;
  readonly remedy: string;
  /** Path of the page that says more. */
  readonly docs?: string;
}

export interface Health {
  readonly status: string;
  readonly version: string;
  readonly uptime_ms: number;
  readonly driver: string;
  readonly durable: boolean;
}

/** Counts by step over five minutes, the oldest step first. */
export interface Rates {
  readonly step_ms: number;
  readonly ends_at: string;
  readonly delivered: readonly number[];
  readonly failed: readonly number[];
  readonly dead: readonly number[];
}

/** Null stands for what the backend cannot tell. */
export interface Queue {
  readonly name: string;
  readonly driver: string;
  readonly ready: number | null;
  readonly delayed: number | null;
  readonly leased: number | null;
  readonly parked: number | null;
  readonly dead: number | null;
  readonly oldest_ready_age_ms: number | null;
  readonly paused: boolean;
  readonly scope: "cluster" | "process";
  readonly rates: Rates;
}

export interface Endpoint {
  readonly app: string | null;
  readonly name: string;
  readonly label: string;
  readonly target:
    | { readonly kind: "http"; readonly url: string }
    | { readonly kind: "lambda"; readonly function: string; readonly region: string };
  readonly mode: "enabled" | "paused" | "disabled";
  readonly scope: "cluster" | "process";
  readonly breaker: "closed" | "open" | "half_open";
  readonly open_until: string | null;
  readonly held_ms: number;
  readonly in_flight: number;
  readonly window: number | null;
  readonly waiting: number | null;
  readonly oldest_waiting_age_ms: number | null;
  readonly rates: Rates;
  readonly signing: readonly string[];
  readonly limits: Readonly<Record<string, unknown>>;
}

export interface Attempt {
  readonly attempt: number;
  readonly at: string;
  readonly outcome: string;
  readonly status: number | null;
  readonly detail: string;
  readonly duration_ms: number;
  readonly retry_after_ms: number | null;
  /** The first `history.response_bytes` of the answer's body; absent in an endpoint's own log. */
  readonly answer?: string | null;
}

/** An attempt in an endpoint's own log. */
export interface LoggedAttempt extends Attempt {
  readonly delivery_id: string;
  readonly job_id: string;
  readonly queue: string;
  readonly next: string;
  readonly retry_in_ms: number | null;
  readonly dead_reason: string | null;
}

export type DeliveryState = "delivered" | "retrying" | "dead" | "released" | "cancelled";

export interface Delivery {
  readonly id: string;
  readonly queue: string;
  readonly app: string | null;
  readonly endpoint: string;
  readonly job_id: string;
  readonly webhook_id: string;
  readonly resend_of: string | null;
  readonly events: readonly string[];
  readonly state: DeliveryState;
  readonly dead_reason: string | null;
  readonly outcome: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly attempts: readonly Attempt[];
  readonly attempts_left_out?: number;
  readonly request_headers: Readonly<Record<string, string>> | null;
  readonly body_kept: boolean;
  readonly body?: string;
  readonly body_base64?: string;
  readonly truncated?: boolean;
  readonly body_bytes?: number;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
  readonly complete: boolean;
}

export interface DeadLetter {
  readonly id: string;
  readonly reason: string;
  readonly detail: string | null;
  readonly attempts: number;
  readonly failed_at: string | null;
  readonly endpoint: string | null;
  readonly delivery_id: string | null;
  readonly job: {
    readonly id: string;
    readonly enqueued_at: string | null;
    readonly body?: string;
    readonly body_base64?: string;
    readonly truncated?: boolean;
    readonly body_bytes?: number;
  };
}

export interface Worker {
  readonly id: string;
  readonly state: string;
  readonly restarts: number;
  readonly last_error: string | null;
  readonly last_progress_at: string | null;
  readonly progress_age_ms: number;
}

export interface Process {
  readonly id: string;
  readonly host: string;
  readonly started_at: string;
  readonly version: string;
  readonly rank: number | null;
  readonly behind: boolean | null;
  readonly queues: unknown;
}

export interface ConfigEntry {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
}

/** Dead letters counted by endpoint and reason. */
export interface DeadSummary {
  readonly count: number;
  readonly bytes: number | null;
  readonly complete: boolean;
  readonly groups: readonly DeadGroup[];
  readonly more_groups: number;
}

export interface DeadGroup {
  readonly endpoint: string | null;
  readonly app: string | null;
  readonly reason: string;
  readonly count: number;
}

/** A bulk run, under way or ended. */
export interface Operation {
  readonly id: string;
  readonly kind: string;
  readonly state: "running" | "done" | "stopped" | "failed";
  readonly queue: string | null;
  readonly dry_run: boolean;
  readonly started_at: string;
  readonly total: number | null;
  readonly looked: number;
  readonly matched: number;
  readonly done: number;
  readonly skipped?: Readonly<Record<string, number>>;
  readonly failed?: Readonly<Record<string, number>>;
  readonly error?: { readonly code: string; readonly detail: string } | null;
  readonly resendable?: number;
}

export type JobState = "ready" | "delayed" | "leased" | "parked" | "dead";

/** A job as the backend has it. */
export interface Job {
  readonly ref?: string;
  readonly queue?: string;
  readonly state: JobState;
  readonly id: string | null;
  readonly job_id: string | null;
  readonly attempts: number;
  readonly enqueued_at: string | null;
  readonly due_at: string | null;
  readonly lease_ends_at: string | null;
  readonly endpoint: string | null;
  readonly events: readonly string[];
  readonly delivery_id: string | null;
  readonly malformed?: string;
  /** Of a dead one. */
  readonly reason?: string;
  readonly detail?: string | null;
  readonly failed_at?: string | null;
  readonly body?: string;
  readonly body_base64?: string;
  readonly truncated?: boolean;
  readonly body_bytes?: number;
}

/** Where a job is. */
export interface JobStory {
  readonly id: string;
  readonly queue: string | null;
  readonly state: JobState | "delivered" | "cancelled" | "unknown";
  readonly endpoint: string | null;
  readonly attempts: number | null;
  readonly due_at: string | null;
  readonly complete: boolean;
  readonly jobs: readonly Job[];
  readonly deliveries: readonly Delivery[];
}
