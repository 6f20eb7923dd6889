/**
 * What one attempt came to. A receiver's failure is data, never an exception, and never logged at error.
 */
export type Outcome =
  /** The receiver said 2xx. */
  | { readonly kind: "delivered"; readonly status: number; readonly durationMs: number }
  /** Any other status than 2xx and 3xx. */
  | {
      readonly kind: "http_status";
      readonly status: number;
      /** From Retry-After, not yet clamped; null when absent or unreadable. */
      readonly retryAfterMs: number | null;
      readonly durationMs: number;
    }
  /** 3xx: never followed. `location` holds scheme and host at most. */
  | {
      readonly kind: "redirect";
      readonly status: number;
      readonly location: string | null;
      readonly durationMs: number;
    }
  /** No answer. `code` is the system's or the library's, as in ECONNREFUSED. */
  | {
      readonly kind: "dns" | "connect" | "tls" | "reset" | "protocol";
      readonly code: string;
      readonly durationMs: number;
    }
  /** A Lambda function was invoked and threw. `code` is FunctionError: Handled or Unhandled. */
  | { readonly kind: "function_error"; readonly code: string; readonly durationMs: number }
  /** Nothing was sent: the egress rules forbid the address (`code` names the rule), or `no_signing_key`. */
  | { readonly kind: "blocked"; readonly code: string; readonly durationMs: number }
  /** The total deadline passed, in whatever phase. */
  | { readonly kind: "timeout"; readonly durationMs: number }
  /** Cut off by us: shutdown, a lost lease, a crashed loop. Says nothing of the receiver. */
  | { readonly kind: "aborted"; readonly durationMs: number };

export type OutcomeKind = Outcome["kind"];

/** An outcome before its duration is known. */
export type Verdict = WithoutDuration<Outcome>;

type WithoutDuration<T> = T extends unknown ? Omit<T, "durationMs"> : never;

/** Every kind, for metrics that register their series at start. */
export const outcomeKinds: readonly OutcomeKind[] = [
  "delivered",
  "http_status",
  "redirect",
  "dns",
  "connect",
  "tls",
  "reset",
  "protocol",
  "function_error",
  "blocked",
  "timeout",
  "aborted",
];

/**
 * Whether an outcome says that the endpoint itself is unwell, for its breaker: no answer, 408, 5xx, or a
 * function that failed. A 4xx is about the one request, and a 429 narrows the endpoint's window by itself.
 */
export function isEndpointFailure(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case "delivered":
    case "redirect":
    case "blocked":
    case "aborted":
      return false;
    case "http_status":
      return outcome.status === 408 || outcome.status >= 500;
    default:
      return true;
  }
}

/** The status the receiver answered with, as far as there was one. */
export function outcomeStatus(outcome: Outcome): number | undefined {
  return "status" in outcome ? outcome.status : undefined;
}

/** One short sentence for people, without secrets: a dead letter's detail. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "delivered":
    case "http_status":
      return `HTTP ${outcome.status}`;
    case "redirect":
      return outcome.location === null
        ? `HTTP ${outcome.status}, redirects are not followed`
        : `HTTP ${outcome.status} to ${outcome.location}, redirects are not followed`;
    case "timeout":
      return `no complete answer within ${Math.round(outcome.durationMs)} ms`;
    case "aborted":
      return "cut off before the answer";
    case "function_error":
      return `the Lambda function failed: ${outcome.code}`;
    case "blocked":
      return outcome.code === "no_signing_key"
        ? "not sent: every signing key of the endpoint has expired"
        : `blocked by the egress rules: ${outcome.code}`;
    default:
      return `${outcome.kind}: ${outcome.code}`;
  }
}
