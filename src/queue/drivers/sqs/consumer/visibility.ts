import type { Clock } from "../../../../clock.ts";
import type { SqsApi } from "../api.ts";
import { inBatches, type BatchResult } from "../batch.ts";
import type { HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";

/** SQS refuses to hide a message for longer than this after its receive: API_ChangeMessageVisibility. */
const handleLifeMs = 43_200_000;
/** Kept clear of that end, for clocks and calls on their way. */
const handleMarginMs = 60_000;

/** What SQS shows and hides of the messages that this process has received. */
export interface Visibility {
  /** Hides each message until so many ms from now; corrects `hiddenUntil` of those that worked. */
  readonly hide: (entries: readonly { message: HeldMessage; forMs: number }[]) => Promise<BatchResult[]>;
  /**
   * Lets messages be received again at once, by anyone; in order of lines, last message first. Those that SQS fails to show
   * are `returning`.
   */
  readonly giveBack: (messages: readonly HeldMessage[]) => Promise<BatchResult[]>;
  /** Asks again for those that SQS has failed to show, until their visibility ends by itself. */
  giveBackAgain(): Promise<void>;
  /** Messages that SQS has failed to show: others may be idle, and a FIFO group waits for each of them. */
  readonly returning: number;
  /** Longest that SQS may still hide this message. */
  readonly hideableMs: (message: HeldMessage) => number;
  /** Counts work as under way. */
  readonly track: <T>(work: Promise<T>) => Promise<T>;
  /** Resolves when nothing is under way any more. */
  settled(): Promise<void>;
}

export function createVisibility(options: {
  readonly queue: SqsQueue;
  readonly api: SqsApi;
  readonly clock: Clock;
}): Visibility {
  const { queue, api, clock } = options;
  const underway = new Set<Promise<unknown>>();
  const returning = new Set<HeldMessage>();

  const track = <T>(work: Promise<T>): Promise<T> => {
    underway.add(work);
    void work.finally(() => underway.delete(work)).catch(() => undefined);
    return work;
  };
  const hideableMs = (message: HeldMessage): number =>
    message.receivedAt + handleLifeMs - handleMarginMs - clock.monotonic();

  const hide: Visibility["hide"] = async (entries) => {
    const sentAt = clock.monotonic();
    const seconds = entries.map(({ message, forMs }) =>
      // Whole seconds, rounded up: early would be a second delivery, late is only late.
      Math.max(0, Math.ceil(Math.min(forMs, hideableMs(message)) / 1000)),
    );
    const results = await track(
      inBatches(
        entries.map(({ message }, index) => ({ handle: message.handle, seconds: seconds[index] as number })),
        (batch) => api.hide(queue, batch),
      ),
    );
    for (const [index, { message }] of entries.entries()) {
      if (results[index]?.status === "ok") message.hiddenUntil = sentAt + (seconds[index] as number) * 1000;
    }
    return results;
  };

  const giveBack: Visibility["giveBack"] = async (messages) => {
    const reversed = messages.toReversed();
    const results = await hide(reversed.map((message) => ({ message, forMs: 0 })));
    for (const [at, message] of reversed.entries()) {
      const status = results[at]?.status;
      if (status === "ok" || status === "gone") returning.delete(message);
      else returning.add(message);
    }
    return results;
  };

  return {
    hide,
    giveBack,
    async giveBackAgain() {
      const now = clock.monotonic();
      for (const message of returning) if (message.hiddenUntil <= now) returning.delete(message);
      if (returning.size > 0) await giveBack([...returning]);
    },
    get returning() {
      return returning.size;
    },
    hideableMs,
    track,
    async settled() {
      while (underway.size > 0) await Promise.allSettled(underway);
    },
  };
}
