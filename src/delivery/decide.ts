import { describeOutcome, type Outcome } from "./outcome.ts";
import { backoffMs, type RetryPolicy } from "./retry.ts";

/**
 * What becomes of a delivery after an attempt; the verbs are those of the driver's Disposition.
 *
 * Dead reasons: `http_<status>`, `redirect`, `blocked`, `attempts_exhausted`, `max_age`.
 */
export type Decision =
  | { readonly verb: "ack" }
  | { readonly verb: "retry"; readonly delayMs: number }
  | { readonly verb: "dead"; readonly reason: string; readonly detail: string };

/** An outcome that says something of the receiver. After `aborted` the loop releases or retries by itself. */
export type DecidableOutcome = Exclude<Outcome, { readonly kind: "aborted" }>;

export interface DecideContext {
  /** Numbers in [0, 1); Math.random, or a fake in tests. */
  readonly random: () => number;
  /** Time since the job was enqueued, for `max_age_ms`; absent or null where the backend does not tell. */
  readonly ageMs?: number | null;
}

/**
 * Decides by contract §3: 2xx is delivered; 408, 409, 425, 429, 5xx, transport errors and failed Lambda
 * functions are retried until maxAttempts; everything else is dead at once. Pure but for `random`.
 *
 * Retry-After is honoured up to maxBackoffMs and never shortens the backoff: a receiver that asks for
 * one second gets no more attempts per hour than one that asks for nothing.
 *
 * @param attempt The attempt that led to the outcome; the first is 1.
 */
export function decide(
  outcome: DecidableOutcome,
  attempt: number,
  policy: RetryPolicy,
  context: DecideContext,
): Decision {
  if (outcome.kind === "delivered") return { verb: "ack" };
  const detail = describeOutcome(outcome);
  const fatal = fatalReason(outcome, policy);
  if (fatal !== null) return { verb: "dead", reason: fatal, detail };
  if (attempt >= policy.maxAttempts) return { verb: "dead", reason: "attempts_exhausted", detail };

  const backoff = backoffMs(attempt, policy, context.random());
  const asked = outcome.kind === "http_status" ? (outcome.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(backoff, Math.min(asked, policy.maxBackoffMs));
  const age = context.ageMs ?? null;
  const maxAge = policy.maxAgeMs;
  if (age !== null && maxAge !== null && age + delayMs > maxAge) {
    return { verb: "dead", reason: "max_age", detail };
  }
  return { verb: "retry", delayMs };
}

/** Why no further attempt can help, or null. */
function fatalReason(outcome: DecidableOutcome, policy: RetryPolicy): string | null {
  switch (outcome.kind) {
    case "blocked":
      return "blocked";
    case "redirect":
      if (policy.deadOn.includes(outcome.status)) return "redirect";
      return policy.retryOn.includes(outcome.status) ? null : "redirect";
    case "http_status":
      if (policy.deadOn.includes(outcome.status)) return `http_${outcome.status}`;
      if (policy.retryOn.includes(outcome.status)) return null;
      return isRetryableStatus(outcome.status) ? null : `http_${outcome.status}`;
    default:
      return null;
  }
}

/** Statuses that say "not now" rather than "not this": contract §3. */
function isRetryableStatus(status: number): boolean {
  return (
    status === 408 || status === 409 || status === 425 || status === 429 || (status >= 500 && status <= 599)
  );
}
