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
   * An attempt ended.
   *
   * @param inFlight Attempts in flight, that one included.
   * @param answer   "full" = 429 without a time to wait, "other" = neither that nor accepted.
   */
  ended(inFlight: number, answer: "accepted" | "full" | "other"): void;
  /** Unlimited again, by an operator. */
  reset(): void;
}

export function createWindow(): Window {
  let size = Infinity;
  /** Attempts that were in flight when it was narrowed last, and are still. */
  let older = 0;
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
    ended(inFlight, answer) {
      if (older > 0) {
        older -= 1;
      } else if (answer === "full") {
        size = Math.max(1, Math.floor(Math.min(size, inFlight) / 2));
        older = inFlight - 1;
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
      older = 0;
      accepted = 0;
      hasRefused = false;
    },
  };
}
