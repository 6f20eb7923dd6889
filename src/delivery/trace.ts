import type { HeaderEntry } from "./headers.ts";

/** What an attempt leaves for the history: written by the parts that it goes through, and read when it has ended. */
export interface AttemptTrace {
  /** As they were sent; null when nothing was. */
  headers: readonly HeaderEntry[] | null;
  /**
   * The beginning of the answer's body as text, where one came; "" for one without a body. It goes on beyond what is
   * shown, so that a secret which the cut goes through is found (secrets/masked-start.ts). May hold secrets.
   */
  answer: string | null;
}

/** Read beyond what is shown of an answer. */
const lookaheadBytes = 512;

/** Bytes of an answer that are kept where so many are shown. */
export function keptAnswerBytes(shownBytes: number): number {
  return shownBytes === 0 ? 0 : shownBytes + lookaheadBytes;
}

export function createAttemptTrace(): AttemptTrace {
  return { headers: null, answer: null };
}
