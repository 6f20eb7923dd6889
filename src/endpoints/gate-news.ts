import type { Clock } from "../clock.ts";

/** Tells those who wait for an endpoint's gate that asking it again makes sense. */
export interface GateNews {
  readonly onChange: (listener: () => void) => void;
  /** Tells all of them now. */
  readonly announce: () => void;
  /** Sees to it that they are told when the wait is over that stands at `now`, monotonic ms. */
  readonly announceWhenOver: (now: number) => void;
  /** Somebody was kept from starting and waits to be told; false again as soon as anything is announced. */
  isAwaited: boolean;
  /** Tells nobody of waits any more, and lets go of the timer. */
  close(): void;
}

/**
 * One timer for an endpoint, set for the end of its wait and looked at again then: the wait may have grown meanwhile.
 *
 * @param waitMs Milliseconds of the wait at that monotonic time; 0 or less = none.
 */
export function createGateNews(clock: Clock, waitMs: (now: number) => number): GateNews {
  const listeners: (() => void)[] = [];
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let timerAt = Infinity;

  const announce = (): void => {
    news.isAwaited = false;
    // Where only one may start, it is not always the same queue's turn.
    const first = listeners.shift();
    if (first !== undefined) listeners.push(first);
    for (const listener of listeners) listener();
  };
  const announceWhenOver = (now: number): void => {
    const ms = waitMs(now);
    if (isClosed || ms <= 0 || timerAt <= now + ms) return;
    if (timer !== null) clearTimeout(timer);
    timerAt = now + ms;
    timer = setTimeout(() => {
      timer = null;
      timerAt = Infinity;
      const later = clock.monotonic();
      if (waitMs(later) > 0) announceWhenOver(later);
      else announce();
    }, Math.ceil(ms));
  };

  const news: GateNews = {
    isAwaited: false,
    onChange: (listener) => void listeners.push(listener),
    announce,
    announceWhenOver,
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
  return news;
}
