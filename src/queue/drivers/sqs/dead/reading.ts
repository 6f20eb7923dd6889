import type { JobBody } from "../../../../jobs/job.ts";
import type { DeadLetter } from "../../../driver.ts";
import type { Message, OutgoingMessage } from "../api.ts";
import { decodeBody, encodeBody, messageBytes, packBody } from "../body.ts";
import { shortHash } from "../ids.ts";
import type { HeldMessage } from "../message.ts";
import { decodeMeta, encodeMeta, metaAttribute, readMeta, type DeadMeta } from "../meta.ts";
import type { SqsQueue } from "../queue.ts";

/** A dead letter that this process holds for a while. */
export interface Listed {
  readonly letter: DeadLetter;
  readonly message: HeldMessage;
  readonly group: string | null;
}

/** Name of the queue a dead letter came from: hookline's word, else SQS's own; else this one. */
export function originOf(message: Message, otherwise: string): string {
  const { dead } = metaOf(message);
  const source = message.Attributes?.["DeadLetterQueueSourceArn"];
  return dead?.queue ?? source?.split(":").pop() ?? otherwise;
}

/** What hookline wrote of it, in the attribute or around the body; `body` is the job's own text then. */
function metaOf(message: Message) {
  const own = decodeMeta(message.MessageAttributes?.[metaAttribute]?.StringValue);
  if (own.dead !== null || message.Body?.startsWith('{"hookline_dead":') !== true) {
    return { ...own, wrapped: null };
  }
  try {
    const { hookline_dead, body } = JSON.parse(message.Body) as { hookline_dead: unknown; body: unknown };
    const meta = readMeta(hookline_dead);
    return { ...meta, wrapped: typeof body === "string" ? body : null };
  } catch {
    // Somebody else's body that begins alike.
    return { ...own, wrapped: null };
  }
}

/** @param taken Ids of dead letters that are held already. */
export function readDeadLetter(
  message: Message,
  held: HeldMessage,
  taken: ReadonlyMap<string, unknown>,
): Listed {
  const { id, dead, encoding, wrapped } = metaOf(message);
  const jobId = id ?? held.jobId;
  let letterId = jobId;
  for (let n = 2; taken.has(letterId); n += 1) letterId = `${jobId}.${n}`;
  const body: JobBody = wrapped === null ? held.body : decodeBody(wrapped, encoding);
  // Without a word of ours, the queue's RedrivePolicy moved it; its count is all that is known.
  const native: DeadMeta = {
    reason: "max_receive_count",
    detail: "moved by the queue's RedrivePolicy",
    endpoint: null,
    attempts: held.receiveCount,
    failedAt: held.firstReceivedAt ?? held.sentAt ?? 0,
    enqueuedAt: held.sentAt,
    queue: "",
    group: held.group,
  };
  const { reason, detail, endpoint, attempts, failedAt, enqueuedAt, group } = dead ?? native;
  return {
    letter: { id: letterId, jobId, reason, detail, endpoint, attempts, failedAt, enqueuedAt, body },
    message: held,
    group,
  };
}

/**
 * A dead letter as a live message again: its id, bytes and attributes, and on FIFO its group.
 *
 * The deduplication id is not the job's, which SQS would swallow for five minutes, but the dead letter's: one whose
 * redrive is repeated, because its answer was lost, comes back once.
 */
export function revived(queue: SqsQueue, { letter, message, group }: Listed): OutgoingMessage {
  const attributesOf = (encoding: ReturnType<typeof encodeBody>["encoding"]) =>
    Object.keys(message.attributes).length < 10
      ? { ...message.attributes, [metaAttribute]: encodeMeta({ id: letter.jobId, encoding, dead: null }) }
      : message.attributes;
  let encoded = encodeBody(letter.body);
  if (messageBytes(encoded.text, attributesOf(encoded.encoding)) > queue.maxBytes)
    encoded = packBody(letter.body);
  return {
    body: encoded.text,
    attributes: attributesOf(encoded.encoding),
    group: queue.fifo ? (group ?? message.group ?? "default") : null,
    deduplicationId: queue.fifo ? shortHash(`${message.id}\nredriven`) : null,
    delaySeconds: null,
  };
}
