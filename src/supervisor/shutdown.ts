/** A signal that aborts at a time, or earlier with another one. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Lets go of the timer. */
  clear(): void;
}

/** @param hurry Aborts the deadline at once, as a second SIGTERM does. */
export function deadlineIn(ms: number, hurry: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, ms);
  if (hurry.aborted) abort();
  hurry.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      hurry.removeEventListener("abort", abort);
    },
  };
}
