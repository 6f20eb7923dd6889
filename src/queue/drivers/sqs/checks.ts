import type { SqsApi } from "./api.ts";
import { SqsCallError } from "./errors.ts";
import type { SqsOptions } from "./options.ts";
import type { SqsQueue } from "./queue.ts";

/** What is wrong with a queue: an operator must change it, or should know of it. */
export interface Findings {
  /** Stops the start. */
  readonly complain: (path: string, message: string) => void;
  /** Usable, but not as it should be. The text names no queue: /health is open to anyone. */
  readonly warn: (queue: string, message: string) => void;
}

const dayMs = 86_400_000;

/** Compares a queue's attributes with what the configuration needs of it. */
export function checkAttributes(
  queue: SqsQueue,
  attributes: Readonly<Record<string, string>>,
  options: SqsOptions,
  { complain, warn }: Findings,
): void {
  const { name, maxReceiveCount } = queue;
  const retentionSeconds = Number(attributes["MessageRetentionPeriod"]);
  if (retentionSeconds * 1000 < options.retryScheduleMs + dayMs) {
    warn(
      name,
      `messages are kept for ${retentionSeconds} s, less than the retry schedule and a day: SQS deletes what waits longer; set MessageRetentionPeriod to 1209600`,
    );
  }
  if (queue.fifo) {
    const scope = attributes["DeduplicationScope"];
    const limit = attributes["FifoThroughputLimit"];
    if (scope !== "messageGroup" || limit !== "perMessageGroupId") {
      warn(
        name,
        "the FIFO queue is not in high throughput mode, and all its groups share 300 calls a second: set DeduplicationScope=messageGroup and FifoThroughputLimit=perMessageGroupId",
      );
    }
  }
  if (maxReceiveCount === null) return;
  if (queue.fifo && options.fifoOnFailure === "block" && maxReceiveCount < 100) {
    complain(
      "queue.sqs.fifo_on_failure",
      `queue ${name} has a RedrivePolicy with maxReceiveCount ${maxReceiveCount}, and messages that wait behind a blocked one are received too: raise it to at least 100, remove the policy, or set "dead"`,
    );
  }
  if (maxReceiveCount - 1 < options.maxAttempts) {
    warn(
      name,
      `the RedrivePolicy's maxReceiveCount ${maxReceiveCount} allows at most ${Math.max(1, maxReceiveCount - 1)} attempts, not ${options.maxAttempts}`,
    );
  }
}

/** A handle that cannot be one: SQS checks the permission first and the handle after. */
const noHandle = "hookline-permission-probe";

/** Proves sqs:DeleteMessage and sqs:ChangeMessageVisibility without touching a message. */
export async function probePermissions(
  api: SqsApi,
  queue: SqsQueue,
  complain: Findings["complain"],
): Promise<void> {
  for (const call of [() => api.removeOne(queue, noHandle), () => api.hideOne(queue, noHandle)]) {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof SqsCallError)) throw error;
      if (error.kind === "denied") complain("queue.sqs", error.message);
      else if (error.kind === "unavailable" || error.kind === "credentials") throw error;
    }
  }
}
