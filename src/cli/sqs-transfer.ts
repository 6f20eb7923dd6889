import type {
  Message,
  MessageAttributeValue,
  OutgoingMessage,
  QueueRef,
  SqsApi,
} from "../queue/drivers/sqs/api.ts";
import { isFifoName } from "../queue/drivers/sqs/address.ts";
import { inBatches } from "../queue/drivers/sqs/batch.ts";
import { safeId, shortHash } from "../queue/drivers/sqs/ids.ts";
import { UsageError } from "../errors.ts";

/** A message on its way from one place to another. */
export interface Parcel {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  readonly group: string | null;
  readonly deduplicationId: string | null;
}

/** How ids travel to a FIFO queue. */
export interface IdRules {
  /** True: deduplication ids stay. Within five minutes SQS then swallows what it has seen before. */
  readonly keepIds: boolean;
  /** Group of messages that have none; null = such a message is refused. */
  readonly group: string | null;
}

/** Long enough for one batch to be sent and deleted; nothing is held longer. */
const visibilitySeconds = 120;
/** An empty receive of a short poll proves nothing: two long ones in a row end a stream. */
const emptyReceives = 2;

/**
 * Messages of a queue, as many as are available, a receive at a time: nothing is kept in memory but the batch
 * at hand, and the ids and handles of all.
 *
 * Each message comes once, also when its visibility ends before the command does and SQS hands it out again.
 *
 * @param handles Takes the latest handle of each message, by its id.
 */
export async function* receiveAll(
  api: SqsApi,
  queue: QueueRef,
  number: number,
  handles: Map<string, string> = new Map(),
): AsyncGenerator<readonly Message[]> {
  let left = number;
  for (let empty = 0; left > 0 && empty < emptyReceives;) {
    const received = await api.receive(queue, {
      max: Math.min(10, left),
      waitSeconds: 1,
      visibilitySeconds,
      fifo: isFifoName(queue.name),
      complete: true,
    });
    const fresh = received.filter(({ MessageId = "" }) => !handles.has(MessageId));
    for (const { MessageId = "", ReceiptHandle = "" } of received) handles.set(MessageId, ReceiptHandle);
    empty = fresh.length === 0 ? empty + 1 : 0;
    left -= fresh.length;
    if (fresh.length > 0) yield fresh;
  }
}

export function parcelOf(message: Message): Parcel {
  return {
    id: message.MessageId ?? "",
    body: message.Body ?? "",
    attributes: message.MessageAttributes ?? {},
    group: message.Attributes?.["MessageGroupId"] ?? null,
    deduplicationId: message.Attributes?.["MessageDeduplicationId"] ?? null,
  };
}

/**
 * The message to send.
 *
 * The fresh deduplication id follows from message and target, so that a move that was interrupted between
 * send and delete is not a second message when it is repeated within five minutes.
 *
 * @throws UsageError for a FIFO target when the message has no group and none was given.
 */
export function address(parcel: Parcel, target: QueueRef, rules: IdRules): OutgoingMessage {
  const { body, attributes } = parcel;
  if (!isFifoName(target.name)) {
    // A group on a standard queue makes it a fair one; that of a FIFO queue means something else.
    const group = parcel.deduplicationId === null ? parcel.group : null;
    return { body, attributes, group, deduplicationId: null, delaySeconds: null };
  }
  const group = parcel.group ?? rules.group;
  if (group === null) {
    throw new UsageError(
      `${target.name} is FIFO and message ${parcel.id} has no group: give one with --group`,
    );
  }
  const fresh = shortHash(`${parcel.id}\n${target.url}`);
  const kept = parcel.deduplicationId === null ? fresh : safeId(parcel.deduplicationId);
  return {
    body,
    attributes,
    group: safeId(group),
    deduplicationId: rules.keepIds ? kept : fresh,
    delaySeconds: null,
  };
}

/** Shows messages again at once, the last one first, so that a FIFO group comes in order. */
export async function showAgain(api: SqsApi, queue: QueueRef, handles: readonly string[]): Promise<void> {
  await inBatches(handles.toReversed(), (batch) =>
    api.hide(
      queue,
      batch.map((handle) => ({ handle, seconds: 0 })),
    ),
  );
}

/** Deletes messages; resolves with how many are confirmed. */
export async function deleteAll(api: SqsApi, queue: QueueRef, messages: readonly Message[]): Promise<number> {
  const results = await inBatches(messages, (batch) =>
    api.remove(
      queue,
      batch.map(({ ReceiptHandle = "" }) => ReceiptHandle),
    ),
  );
  return results.filter(({ status }) => status === "ok").length;
}
