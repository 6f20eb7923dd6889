import type { Clock } from "../../../clock.ts";
import type { PutBack } from "../../driver.ts";
import type { AttemptMemory } from "./attempts.ts";
import type { HeldMessage } from "./message.ts";
import type { SqsQueue } from "./queue.ts";

/** Delays of the first put-back and of the last; they double in between (contract §2, unknown_grace_ms). */
const delayMs = { first: 1_000, last: 30_000 };
/** A message that is hidden on FIFO locks its group. */
const fifoGraceMs = 30_000;

export interface GraceOptions {
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  /** How long after it was sent a job is put back that nobody here can route; 0 = never. */
  readonly unknownGraceMs: number;
  /** Template of the message group id. */
  readonly messageGroupId: string;
}

/**
 * How long a job is hidden that this process cannot route; null when it has been long enough, or must not wait.
 *
 * Processes on one SQS queue may have different configurations, as while a change is rolled out, and SQS has no
 * place where they could compare them. On FIFO a job that waits holds its group: for a short time only, and not
 * at all where all jobs are one group. A RedrivePolicy counts each receive, and moves the message without a word of
 * ours: the last one it allows is kept for the dead letter.
 */
export function createGrace(options: GraceOptions) {
  const { memory, clock, unknownGraceMs } = options;
  const isOneGroup = !options.messageGroupId.includes("{");

  return (queue: SqsQueue, head: HeldMessage): PutBack | null => {
    if (head.sentAt === null || (queue.fifo && isOneGroup)) return null;
    const times = memory.recall(head.id).putBacks;
    if (
      queue.maxReceiveCount !== null &&
      Math.max(head.receiveCount, times + 1) > queue.maxReceiveCount - 2
    ) {
      return null;
    }
    const graceMs = queue.fifo ? Math.min(unknownGraceMs, fifoGraceMs) : unknownGraceMs;
    const leftMs = head.sentAt + graceMs - clock.now();
    if (leftMs <= 0) return null;
    return { times, delayMs: Math.min(leftMs, delayMs.last, delayMs.first * 2 ** Math.min(times, 10)) };
  };
}
