/** Callers that wait for a value which somebody else will have. */
export interface Waiters<T> {
  /**
   * Resolves with what `hand` or `handAll` gives; with `otherwise` after `waitMs` or a little more, with
   * `aborted` when the signal aborts.
   */
  wait(options: WaitOptions<T>): Promise<T>;
  /** Gives the value to the one who came last: the loop that was busy a moment ago is warmest. False: nobody waits. */
  hand(value: T): boolean;
  handAll(value: T): void;
  readonly count: number;
}

export interface WaitOptions<T> {
  readonly signal: AbortSignal;
  readonly waitMs: number;
  readonly otherwise: T;
  readonly aborted: T;
}

interface Waiter<T> {
  readonly options: WaitOptions<T>;
  /** Monotonic ms. */
  readonly until: number;
  readonly resolve: (value: T) => void;
}

/**
 * Loops wait and are handed something tens of thousands of times a second: no wait sets a timer or a listener
 * of its own. One timer stands for all of them, and each signal is listened to once for as long as it lives.
 */
export function createWaiters<T>(): Waiters<T> {
  let waiting: Waiter<T>[] = [];
  const heard = new WeakSet<AbortSignal>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let timerAt = Number.POSITIVE_INFINITY;

  const disarm = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    timerAt = Number.POSITIVE_INFINITY;
  };

  const arm = (at: number): void => {
    disarm();
    timerAt = at;
    // setTimeout treats anything above 2^31-1 as 1 ms, and writes a warning to stderr about less than none.
    const ms = Math.max(0, at - performance.now());
    timer = setTimeout(expire, Math.min(ms, 2_147_483_647));
  };

  /** Takes those out that the test names, in the order they came. */
  const leave = (isOver: (waiter: Waiter<T>) => boolean): Waiter<T>[] => {
    const over = waiting.filter(isOver);
    if (over.length > 0) waiting = waiting.filter((waiter) => !over.includes(waiter));
    return over;
  };

  const expire = (): void => {
    disarm();
    const now = performance.now();
    for (const { options, resolve } of leave(({ until }) => until <= now)) resolve(options.otherwise);
    for (const { until } of waiting) if (until < timerAt) arm(until);
  };

  const listen = (signal: AbortSignal): void => {
    heard.add(signal);
    signal.addEventListener("abort", () => {
      for (const { options, resolve } of leave((waiter) => waiter.options.signal === signal)) {
        resolve(options.aborted);
      }
      if (waiting.length === 0) disarm();
    });
  };

  return {
    wait(options) {
      const { signal, waitMs, aborted } = options;
      if (signal.aborted) return Promise.resolve(aborted);
      if (!heard.has(signal)) listen(signal);
      const until = performance.now() + waitMs;
      if (until < timerAt) arm(until);
      return new Promise((resolve) => {
        waiting.push({ options, until, resolve });
      });
    },
    hand(value) {
      const waiter = waiting.pop();
      waiter?.resolve(value);
      return waiter !== undefined;
    },
    handAll(value) {
      for (const waiter of waiting.splice(0)) waiter.resolve(value);
      disarm();
    },
    get count() {
      return waiting.length;
    },
  };
}
