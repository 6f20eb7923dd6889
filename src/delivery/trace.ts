import type { HeaderEntry } from "./headers.ts";

/** What an attempt leaves for the history: written by the parts that it goes through, and read when it has ended. */
export interface AttemptTrace {
  /** As they were sent; null when nothing was. */
  headers: readonly HeaderEntry[] | null;
}

export function createAttemptTrace(): AttemptTrace {
  return { headers: null };
}
