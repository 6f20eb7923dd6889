import type { Clock } from "../../../../clock.ts";
import { orLate } from "../../../../wait.ts";
import type { Logger } from "../../../../log.ts";
import type { QueueRef, SqsApi } from "../api.ts";
import type { AttemptMemory } from "../attempts.ts";
import { inBatches } from "../batch.ts";
import type { Ended } from "./ended.ts";
import type { MessageLine } from "./message-line.ts";
import type { MessageLines } from "./message-lines.ts";
import type { HeldMessage } from "../message.ts";

/** Pauses between rounds: they double from the first to the last while nothing is deleted. */
const pauseMs = { first: 500, last: 30_000 };
/** With so many undeleted nothing more is received: what were delivered then could only be delivered again. */
const maxHeld = 250;
const flushMs = 2_000;

/** Deletes messages that SQS did not delete when their jobs ended, for as long as they are in our hands. */
export interface Deletions {
  /**
   * Takes over a line whose head's job has ended; what waits behind the head goes on once it is deleted.
   *
   * @param failure What SQS said to the deletion; null when it was not asked yet.
   */
  hold(line: MessageLine, failure: string | null): void;
  /** Asks SQS for what is due; to be called now and then. */
  beat(): Promise<void>;
  /** Asks SQS for all of them, for the last time; within two seconds, as it is part of the shutdown. */
  flush(): Promise<void>;
  /** So many are held that nothing more should be received. */
  readonly isFull: boolean;
}

export interface DeletionsOptions {
  readonly queue: QueueRef;
  readonly api: SqsApi;
  readonly lines: MessageLines;
  readonly memory: AttemptMemory;
  readonly ended: Ended;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gives up a line whose head is no longer ours, and gives back what waits behind it. */
  readonly abandon: (line: MessageLine, head: HeldMessage) => void;
  /** Something was deleted: what waited behind it may start, and receives may go on. */
  readonly onDeleted: () => void;
}

export function createDeletions(options: DeletionsOptions): Deletions {
  const { queue, api, lines, memory, ended, clock, log } = options;
  let nextAt = 0;
  let waitMs = pauseMs.first;
  let isTold = false;

  const askAll = async (): Promise<void> => {
    const held = [...lines.ended()];
    const heads = held.map(({ messages }) => messages[0] as HeldMessage);
    const results = await inBatches(
      heads,
      (batch) =>
        api.remove(
          queue,
          batch.map(({ handle }) => handle),
        ),
      { repeats: 0 },
    );
    const now = clock.monotonic();
    let count = 0;
    for (const [at, line] of held.entries()) {
      const head = heads[at] as HeldMessage;
      const isHeld = line.messages[0] === head;
      if (results[at]?.status === "ok") {
        count += 1;
        ended.deleted(head.id);
        memory.forget(head.id);
        if (isHeld) lines.next(line, now);
      } else {
        ended.failed(head.id);
        // Its handle has no power: SQS hands it out again, and it is deleted then.
        if (results[at]?.status === "gone" && isHeld) options.abandon(line, head);
      }
    }
    waitMs = count > 0 ? pauseMs.first : Math.min(pauseMs.last, waitMs * 2);
    nextAt = now + waitMs;
    if (count > 0) options.onDeleted();
    if (isTold && lines.endedCount === 0) {
      isTold = false;
      log.info("SQS has deleted what it did not delete before", { queue: queue.name });
    }
  };

  return {
    hold(line, failure) {
      const now = clock.monotonic();
      if (failure === null) nextAt = Math.min(nextAt, now);
      else {
        if (lines.endedCount === 0) nextAt = now + (waitMs = pauseMs.first);
        ended.failed((line.messages[0] as HeldMessage).id);
        if (!isTold) {
          isTold = true;
          log.warn("SQS does not delete messages whose jobs have ended; they are held until it does", {
            queue: queue.name,
            code: failure,
          });
        }
      }
      lines.end(line, now);
    },
    async beat() {
      if (lines.endedCount > 0 && clock.monotonic() >= nextAt) await askAll();
    },
    async flush() {
      if (lines.endedCount === 0) return;
      await orLate(askAll(), flushMs);
    },
    get isFull() {
      return lines.endedCount >= maxHeld;
    },
  };
}
