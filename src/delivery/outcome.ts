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
  /** The total deadline passed, in whatever phase. */
  | { readonly kind: "timeout"; readonly durationMs: number }
  /** Cut off by us: shutdown, a lost lease, a crashed loop. Says nothing of the receiver. */
  | { readonly kind: "aborted"; readonly durationMs: number };

export type OutcomeKind = Outcome["kind"];
