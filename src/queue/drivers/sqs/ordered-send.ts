import { isFifoName } from "./address.ts";
import type { OutgoingMessage, QueueRef, SqsApi } from "./api.ts";
import { maxEntries, type BatchResult } from "./batch.ts";
import { messageBytes } from "./body.ts";
import { sqsMaxBytes } from "./queue.ts";
import { sendAll } from "./send.ts";

/** Sends messages; one result each, in order. */
export type OrderedSend = (messages: readonly OutgoingMessage[]) => Promise<BatchResult[]>;

/**
 * Sends messages to a queue so that each FIFO group keeps its order: after one that could not be sent, or of which
 * nobody knows, no other of its group is sent, in later calls neither. Other groups go on.
 *
 * SQS may fail one entry of a batch and take those behind it. So a batch holds one message of each group, and the next
 * batch waits for its answer: messages of one group go one by one. To a standard queue they go ten at a time.
 */
export function createOrderedSend(api: SqsApi, queue: QueueRef): OrderedSend {
  if (!isFifoName(queue.name)) return (messages) => sendAll(api, queue, messages, false);
  const stopped = new Set<string>();

  return async (messages) => {
    const results: BatchResult[] = Array.from({ length: messages.length });
    let left = [...messages.entries()];
    while (left.length > 0) {
      const { batch, rest } = nextBatch(left, stopped, (index, group) => {
        results[index] = { status: "behind", group };
      });
      const sent = await sendAll(
        api,
        queue,
        batch.map(([, message]) => message),
        true,
      );
      for (const [at, [index, { group }]] of batch.entries()) {
        const result = sent[at] as BatchResult;
        results[index] = result;
        if (result.status !== "ok") stopped.add(group ?? "");
      }
      left = rest;
    }
    return results;
  };
}

type Numbered = [index: number, message: OutgoingMessage];

/** The first message of each group that is not stopped, as many as one call takes; the others stay in order. */
function nextBatch(
  left: readonly Numbered[],
  stopped: ReadonlySet<string>,
  onBehind: (index: number, group: string) => void,
): { batch: Numbered[]; rest: Numbered[] } {
  const batch: Numbered[] = [];
  const rest: Numbered[] = [];
  const met = new Set<string>();
  let bytes = 0;
  for (const one of left) {
    const [index, { group: given, body, attributes }] = one;
    const group = given ?? "";
    if (stopped.has(group)) {
      onBehind(index, group);
      continue;
    }
    const size = messageBytes(body, attributes);
    const fits = batch.length === 0 || (batch.length < maxEntries && bytes + size <= sqsMaxBytes);
    if (!met.has(group) && fits) {
      batch.push(one);
      bytes += size;
    } else rest.push(one);
    met.add(group);
  }
  return { batch, rest };
}
