import type { EventText } from "./events.ts";

/** Events of one app that go into one job. */
export interface EventBatch {
  readonly queue: string;
  readonly appId: string;
  /** Epoch ms of the oldest event. */
  readonly timeMs: number;
  /** In the order they were added; at most `size`. */
  readonly events: readonly EventText[];
}

export interface EventBatcherOptions<Result> {
  /** How long the first event of a batch may wait for others. */
  readonly durationMs: () => number;
  /** Most events in a batch. */
  readonly size: () => number;
  /** Writes a batch; resolves once the driver has it. */
  readonly enqueue: (batch: EventBatch) => Promise<Result>;
}

/** Gathers an app's events for a short while, so that many small requests become few jobs. */
export interface EventBatcher<Result> {
  /**
   * Adds events to the open batch of this app and queue; more than fit go into the next ones.
   *
   * Resolves with the results of the batches they went into, in order, once the driver has them all.
   * Rejects when one of those batches could not be written; the others of them may have been.
   *
   * @param timeMs Epoch ms of these events.
   */
  add(queue: string, appId: string, timeMs: number, events: readonly EventText[]): Promise<Result[]>;
  /** Writes everything that waits, and resolves when it and what was being written has ended, either way. */
  flush(): Promise<void>;
}

/**
 * Batches per app and queue, never across either (`webhooks.batching`).
 *
 * Nothing is acknowledged that is only in here: what a caller added is in the driver, or its promise is
 * still open, so that a crash loses nothing that was confirmed.
 */
export function createEventBatcher<Result>(options: EventBatcherOptions<Result>): EventBatcher<Result> {
  const open = new Map<string, OpenBatch<Result>>();
  const writing = new Set<Promise<Result>>();

  const write = (key: string, batch: OpenBatch<Result>): void => {
    clearTimeout(batch.timer);
    open.delete(key);
    const { queue, appId, timeMs, events } = batch;
    const written = Promise.resolve().then(() => options.enqueue({ queue, appId, timeMs, events }));
    writing.add(written);
    const forget = (): void => void writing.delete(written);
    written.then(forget, forget);
    written.then(batch.resolve, batch.reject);
  };

  const openBatch = (key: string, queue: string, appId: string): OpenBatch<Result> => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const timer = setTimeout(() => write(key, batch), options.durationMs());
    const batch: OpenBatch<Result> = {
      queue,
      appId,
      timeMs: Infinity,
      events: [],
      timer,
      promise,
      resolve,
      reject,
    };
    open.set(key, batch);
    return batch;
  };

  return {
    add(queue, appId, timeMs, events) {
      // Queue names have no slash, so that no two pairs make the same key.
      const key = `${queue}/${appId}`;
      const results: Promise<Result>[] = [];
      const size = options.size();
      for (let from = 0; from < events.length;) {
        const batch = open.get(key) ?? openBatch(key, queue, appId);
        if (batch.events.length >= size) {
          // It was opened when the size was larger.
          write(key, batch);
          continue;
        }
        const part = events.slice(from, from + size - batch.events.length);
        batch.events.push(...part);
        batch.timeMs = Math.min(batch.timeMs, timeMs);
        results.push(batch.promise);
        if (batch.events.length >= size) write(key, batch);
        from += part.length;
      }
      return Promise.all(results);
    },
    async flush() {
      for (const [key, batch] of open) write(key, batch);
      await Promise.allSettled(writing);
    },
  };
}

interface OpenBatch<Result> {
  readonly queue: string;
  readonly appId: string;
  timeMs: number;
  readonly events: EventText[];
  readonly timer: ReturnType<typeof setTimeout>;
  readonly promise: Promise<Result>;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}
