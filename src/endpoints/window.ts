import type { Outcome } from "../delivery/outcome.ts";
import type { Starts } from "./gate.ts";

/**
 * How many attempts to one endpoint may be in flight, as far as its answers of 429 limit them.
 *
 *     unlimited ──429──▶ half of what is in flight ──429──▶ half of that … down to 1
 *                              ▲                └──a window's worth of accepted deliveries──▶ one more
 *
 * One overload is answered by many 429s at once: attempts that were in flight when the window was narrowed
 * say nothing of the new one, neither for nor against it (as TCP halves its window once in a round trip, RFC
 * 5681 §3.2). It opens only as far as it is what limits the endpoint: up to its share of the slots.
 */
export interface Window {
  /** Most attempts in flight; Infinity while nothing limits them. */
  readonly size: number;
  /** Whether one more may start beside `inFlight` others; a refusal is remembered. */
  admits(inFlight: number): boolean;
  /**
   * The attempt of this number ended.
   *
   * @param inFlight Attempts in flight, that one included.
   * @param answer   "full" = 429 without a time to wait, "other" = neither that nor accepted.
   */
  ended(attempt: number, inFlight: number, answer: "accepted" | "full" | "other"): void;
  /** Unlimited again, by an operator. */
  reset(): void;
}

/** `starts` is read only: the caller counts. */
export function createWindow(starts: Readonly<Starts>): Window {
  let size = Infinity;
  /** The first attempt that began after it was narrowed or reset last: older ones say nothing of it. */
  let firstCounted = 0;
  let accepted = 0;
  /** It has kept an attempt from starting since it was opened or narrowed last. */
  let hasRefused = false;

  return {
    get size() {
      return size;
    },
    admits(inFlight) {
      if (inFlight < size) return true;
      hasRefused = true;
      return false;
    },
    ended(attempt, inFlight, answer) {
      if (attempt < firstCounted) return;
      if (answer === "full") {
        size = Math.max(1, Math.floor(Math.min(size, inFlight) / 2));
        firstCounted = starts.latest + 1;
        accepted = 0;
        hasRefused = false;
      } else if (answer === "accepted" && size !== Infinity) {
        accepted += 1;
        if (accepted < size || !hasRefused) return;
        size += 1;
        accepted = 0;
        hasRefused = false;
      }
    },
    reset() {
      size = Infinity;
      firstCounted = starts.latest + 1;
      accepted = 0;
      hasRefused = false;
    },
  };
}

/** What an outcome says of the window: a 429 that asks for no wait says only that this was too much at once. */
export function windowAnswer(outcome: Outcome | null): "accepted" | "full" | "other" {
  if (outcome === null) return "other";
  if (outcome.kind === "delivered") return "accepted";
  if (outcome.kind !== "http_status" || outcome.status !== 429) return "other";
  return (outcome.retryAfterMs ?? 0) === 0 ? "full" : "other";
}
