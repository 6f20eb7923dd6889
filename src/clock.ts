/** Time as the program sees it; replaced by a fake in tests. */
export interface Clock {
  /** Wall clock, epoch milliseconds. May jump either way: for timestamps that people and receivers see. */
  now(): number;
  /** Milliseconds that only ever grow: for leases, deadlines, delays and durations. */
  monotonic(): number;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/**
 * Resolves after `ms` milliseconds, or at once when the signal aborts; never rejects.
 *
 * The caller looks at the signal afterwards: most loops end the same way after either.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    // setTimeout treats anything above 2^31-1 as 1 ms.
    const timer = setTimeout(done, Math.min(ms, 2_147_483_647));
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * The work's result, or a rejection once `ms` have passed, whether or not the work minds its signal.
 */
export async function withDeadline<T>(work: (signal: AbortSignal) => Promise<T>, ms: number): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${ms} ms`));
      controller.abort();
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
