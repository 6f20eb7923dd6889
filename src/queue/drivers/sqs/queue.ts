import type { QueueRef } from "./api.ts";

/** 1 MiB: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
export const sqsMaxBytes = 1_048_576;

/** A queue in SQS, found or created at start. */
export interface SqsQueue extends QueueRef {
  readonly fifo: boolean;
  /** Configured queues that it serves: several, where they share a URL. */
  readonly logical: readonly string[];
  /** Where its dead letters go. */
  readonly dead: QueueRef;
  /** Largest message it and its dead letter queue take, attributes included. */
  readonly maxBytes: number;
  /** Its own RedrivePolicy; null when it has none. */
  readonly maxReceiveCount: number | null;
}
