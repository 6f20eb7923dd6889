import type { Outcome } from "../../delivery/outcome.ts";
import type { DeliveryState, HistoryEntry, RecordedAttempt } from "../entry.ts";
import { readBody } from "./record.ts";

/** A delivery as both tables have it. */
export interface HistoryRow {
  readonly number: number;
  readonly queue: string;
  readonly app: string | null;
  readonly endpoint: string;
  readonly job_id: string;
  readonly webhook_id: string;
  readonly events: string;
  readonly state: DeliveryState;
  readonly reason: string | null;
  readonly endpoint_name: string;
  readonly resend_of: string | null;
  readonly attempts: string;
  readonly attempts_left_out: number;
  readonly cancelled_at: number | null;
  readonly headers: string | null;
  readonly job: string | null;
  readonly body: string | null;
}

/** An attempt as it stands in `contents.attempts`. */
export type WrittenAttempt = {
  readonly attempt: number;
  readonly at: number;
  readonly duration_ms: number;
  readonly outcome: Outcome["kind"];
  readonly status?: number;
  readonly answer?: string;
  readonly [fact: string]: unknown;
};

export function readRow(row: HistoryRow): HistoryEntry {
  const attempts = (JSON.parse(row.attempts) as WrittenAttempt[]).map(readAttempt);
  return {
    number: row.number,
    queue: row.queue,
    appId: row.app,
    endpoint: row.endpoint_name,
    label: row.endpoint,
    jobId: row.job_id,
    webhookId: row.webhook_id,
    resendOf: row.resend_of,
    events: (JSON.parse(row.events) as string[]).map((name) => ({ name, channel: null })),
    attempts,
    attemptsLeftOut: row.attempts_left_out,
    state: row.state,
    deadReason: row.reason,
    cancelledAt: row.cancelled_at,
    headers: row.headers === null ? null : (JSON.parse(row.headers) as [string, string][]),
    body: readBody(row.job, row.body),
    isFailure: attempts.some(({ outcome }) => outcome.kind !== "delivered"),
    bytes: 0,
  };
}

function readAttempt({
  answer,
  attempt,
  at,
  duration_ms,
  outcome,
  ...rest
}: WrittenAttempt): RecordedAttempt {
  const whole = { ...rest, kind: outcome, durationMs: duration_ms } as unknown as Outcome;
  return { attempt, at, outcome: whole, answer: answer ?? null };
}
