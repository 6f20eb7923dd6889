/** Callers that wait for a value which somebody else will have. */
export interface Waiters<T> {
  /**
   * Resolves with what `hand` or `handAll` gives; with `otherwise` after `waitMs`, with `aborted` when the signal aborts.
   */
  wait(options: { signal: AbortSignal; waitMs: number; otherwise: T; aborted: T }): Promise<T>;
  /** Gives the value to the one who came last: the loop that was busy a moment ago is warmest. False: nobody waits. */
  hand(value: T): boolean;
  handAll(value: T): void;
  readonly count: number;
}

export function createWaiters<T>(): Waiters<T> {
  let waiting: ((value: T) => void)[] = [];
  return {
    wait({ signal, waitMs, otherwise, aborted }) {
      if (signal.aborted) return Promise.resolve(aborted);
      return new Promise((resolve) => {
        const settle = (value: T): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", abort);
          resolve(value);
        };
        const leave = (value: T): void => {
          waiting = waiting.filter((waiter) => waiter !== settle);
          settle(value);
        };
        const abort = (): void => leave(aborted);
        const timer = setTimeout(() => leave(otherwise), waitMs);
        signal.addEventListener("abort", abort, { once: true });
        waiting.push(settle);
      });
    },
    hand(value) {
      const waiter = waiting.pop();
      waiter?.(value);
      return waiter !== undefined;
    },
    handAll(value) {
      for (const waiter of waiting.splice(0)) waiter(value);
    },
    get count() {
      return waiting.length;
    },
  };
}
