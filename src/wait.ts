import { setImmediate } from "node:timers";

/**
 * Every wait for time, for a signal or for somebody's word. Each lets go of its timer and of its listener when it
 * ends, however it ends: signals here live as long as the process, and timers keep it alive.
 */

/** setTimeout treats anything above 2^31-1 as 1 ms. */
const longestTimerMs = 2_147_483_647;

/**
 * Resolves after `ms` milliseconds, or at once when the signal aborts; never rejects.
 *
 * The caller looks at the signal afterwards: most loops end the same way after either.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return createBell().wait(ms, signal);
}

/** Something that several wait for, and that may happen again and again. */
export interface Bell {
  /** Ends every wait that is under way; one that begins afterwards waits for the next ring. */
  ring(): void;
  /** Resolves at the next ring, after `ms` (Infinity = no limit), or when the signal aborts; never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Whether anybody waits. */
  readonly isAwaited: boolean;
}

export function createBell(): Bell {
  const waits = new Set<() => void>();
  return {
    ring() {
      for (const end of waits) end();
    },
    wait(ms, signal) {
      if (signal?.aborted === true) return Promise.resolve();
      return new Promise((resolve) => {
        const end = (): void => {
          if (timer !== null) clearTimeout(timer);
          signal?.removeEventListener("abort", end);
          waits.delete(end);
          resolve();
        };
        // Rounded up, or it would end just before the time; less than none makes the runtime write a warning.
        const timer =
          ms === Infinity ? null : setTimeout(end, Math.min(Math.max(0, Math.ceil(ms)), longestTimerMs));
        signal?.addEventListener("abort", end, { once: true });
        waits.add(end);
      });
    },
    get isAwaited() {
      return waits.size > 0;
    },
  };
}

/**
 * The promise's value, or null as soon as the signal aborts: at once when it has already.
 *
 * The promise itself goes on then; a rejection that comes later is nobody's.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(null);
    const letGo = (): void => signal.removeEventListener("abort", abort);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(
      (value) => {
        letGo();
        resolve(value);
      },
      (error: Error) => {
        letGo();
        reject(error);
      },
    );
  });
}

/** The promise's value, or null once `ms` have passed. The promise itself goes on, as with orAborted. */
export async function orLate<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), Math.min(ms, longestTimerMs));
  try {
    return await orAborted(promise, late.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The work's result, or a rejection once `ms` have passed, whether or not the work minds its signal. The signal
 * aborts then, and only then.
 */
export function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        reject(new Error(`no answer within ${ms} ms`));
        late.abort();
      },
      Math.min(ms, longestTimerMs),
    );
    // In a function of its own: what the work throws at once is a rejection too.
    const run = async (): Promise<T> => work(late.signal);
    run()
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}

/** Resolves when all that the event loop has at hand now has been done. */
export function endOfTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
