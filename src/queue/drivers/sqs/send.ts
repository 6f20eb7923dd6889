import {
  DriverUnavailableError,
  HooklineError,
  PayloadTooLargeError,
  UnsupportedByDriverError,
} from "../../../errors.ts";
import type { EnqueueResult, NewJob } from "../../driver.ts";
import type { OutgoingMessage, QueueRef, SqsApi } from "./api.ts";
import { inBatches, type BatchResult } from "./batch.ts";
import { encodeBody, messageBytes } from "./body.ts";
import { unavailable } from "./errors.ts";
import { deduplicationId, groupId } from "./ids.ts";
import { encodeMeta, metaAttribute } from "./meta.ts";
import type { SqsOptions } from "./options.ts";
import { sqsMaxBytes, type SqsQueue } from "./queue.ts";

/** 15 minutes: API_SendMessage, DelaySeconds. */
export const maxDelayMs = 900_000;
/** Room for the attribute `hookline` in a message: its name, its type, an id of 128 and the encoding. */
export const metaBytes = 256;

/** Sends messages, batches filled by count and by the 1 MiB that their sum may have. One result each, in order. */
export function sendAll(
  api: SqsApi,
  queue: QueueRef,
  messages: readonly OutgoingMessage[],
  inOrder: boolean,
): Promise<BatchResult[]> {
  return inBatches(messages, (batch) => api.send(queue, batch), {
    sizeOf: ({ body, attributes }) => messageBytes(body, attributes),
    maxBytes: sqsMaxBytes,
    inOrder,
    groupOf: ({ group }) => group,
  });
}

/**
 * Enqueues jobs; one result each, in order.
 *
 * On FIFO the batches go one after the other, and what is enqueued of a group is stored in the order given: an entry that
 * SQS fails alone is `failed` when one behind it was taken, and so is what comes behind it in later batches.
 */
export async function enqueueJobs(
  api: SqsApi,
  queue: SqsQueue,
  name: string,
  jobs: readonly NewJob[],
  options: Pick<SqsOptions, "messageGroupId" | "deduplication">,
): Promise<EnqueueResult[]> {
  const results: EnqueueResult[] = Array.from({ length: jobs.length });
  const messages: OutgoingMessage[] = [];
  const indexes: number[] = [];
  for (const [index, job] of jobs.entries()) {
    const refusal = refuse(queue, job);
    const message = refusal === null ? toMessage(queue, name, job, options) : null;
    // The room is kept free for every id, so that the limit is one number and not another for each job.
    const bytes = message === null ? 0 : messageBytes(message.body, {}) + metaBytes;
    if (refusal !== null) results[index] = { status: "failed", id: job.id, error: refusal };
    else if (bytes > queue.maxBytes) {
      const error = new PayloadTooLargeError(
        `job ${job.id} has ${bytes} bytes as an SQS message, queue ${queue.name} takes ${queue.maxBytes}`,
      );
      results[index] = { status: "failed", id: job.id, error };
    } else if (message !== null) {
      messages.push(message);
      indexes.push(index);
    }
  }
  const sent = await sendAll(api, queue, messages, queue.fifo);
  const unknown = sent.find((result) => result.status === "unknown");
  if (
    unknown?.status === "unknown" &&
    sent.every(({ status }) => status === "unknown") &&
    sent.length === jobs.length
  ) {
    throw unavailable(unknown.error);
  }
  for (const [at, result] of sent.entries()) {
    const index = indexes[at] as number;
    const { id } = jobs[index] as NewJob;
    results[index] =
      result.status === "ok"
        ? { status: "enqueued", id }
        : { status: "failed", id, error: sendError(result) };
  }
  return results;
}

/** What to tell of a message that was not sent. */
export function sendError(result: Exclude<BatchResult, { status: "ok" }>): Error {
  switch (result.status) {
    case "unknown":
      return unavailable(result.error);
    case "refused":
      return new HooklineError(
        "unsupported_by_driver",
        `SQS refuses the message: ${result.code}, ${result.message}`,
      );
    case "behind":
      return new DriverUnavailableError(
        `sqs: the message was not sent, because one before it in group ${result.group} was not taken: send them again in their order`,
      );
    default:
      return new DriverUnavailableError(
        `sqs: the message was not taken: ${result.status === "failed" ? result.code : "no answer"}`,
      );
  }
}

/** Why SQS cannot hold this job, or null. */
function refuse(queue: SqsQueue, job: NewJob): Error | null {
  if (queue.fifo) {
    return job.delayMs > 0
      ? new UnsupportedByDriverError(
          "delay_ms: an SQS FIFO queue delays no single message, only all of them (its DelaySeconds)",
        )
      : null;
  }
  if (job.delayMs > maxDelayMs) {
    return new UnsupportedByDriverError(
      `delay_ms: SQS delays a message by at most ${maxDelayMs} ms (15 minutes)`,
    );
  }
  if (job.group !== null) return new UnsupportedByDriverError("group: only an SQS FIFO queue keeps an order");
  if (job.deduplicationId !== null || job.dedup !== null) {
    return new UnsupportedByDriverError(
      "a standard SQS queue cannot deduplicate: send without Idempotency-Key and deduplication_id, or use a FIFO queue",
    );
  }
  return null;
}

function toMessage(
  queue: SqsQueue,
  name: string,
  job: NewJob,
  options: Pick<SqsOptions, "messageGroupId" | "deduplication">,
): OutgoingMessage {
  const { text, encoding } = encodeBody(job.body);
  return {
    body: text,
    attributes: { [metaAttribute]: encodeMeta({ id: job.id, encoding, dead: null }) },
    group: queue.fifo ? groupId(options.messageGroupId, name, job) : null,
    deduplicationId: queue.fifo ? deduplicationId(options.deduplication, job) : null,
    // Whole seconds, rounded up: never early.
    delaySeconds: queue.fifo || job.delayMs === 0 ? null : Math.ceil(job.delayMs / 1000),
  };
}
