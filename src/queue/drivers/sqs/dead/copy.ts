import type { JobBody } from "../../../../jobs/job.ts";
import type { MessageAttributeValue, OutgoingMessage } from "../api.ts";
import { encodeBody, messageBytes, packBody, type EncodedBody } from "../body.ts";
import { shortHash } from "../ids.ts";
import type { HeldMessage } from "../message.ts";
import { encodeMeta, metaAttribute, metaText, type DeadMeta, type MessageMeta } from "../meta.ts";
import type { SqsQueue } from "../queue.ts";

/** sqs-message-metadata.html: "Each message can have up to 10 attributes." */
const maxAttributes = 10;

/** A dead letter as it is to be written. */
export interface DeadCopy {
  readonly jobId: string;
  readonly body: JobBody;
  readonly reason: string;
  readonly detail: string | null;
  readonly endpoint: string | null;
  readonly attempts: number;
}

/**
 * The message to put into the dead letter queue; null when it cannot be made to fit.
 *
 * The body and the message's own attributes stay as they are, so that any SQS tool can read and redrive
 * it; what hookline knows travels in the attribute `hookline`. Where all ten attributes are taken, the body
 * is wrapped as `{"hookline_dead": …, "body": …}` instead; where it would not fit, the body is packed.
 * The deduplication id is the message's, so that a copy written twice (an answer lost) is one.
 */
export function deadMessage(
  queue: SqsQueue,
  message: HeldMessage,
  copy: DeadCopy,
  failedAt: number,
): OutgoingMessage | null {
  const dead: DeadMeta = {
    reason: copy.reason,
    detail: copy.detail,
    endpoint: copy.endpoint,
    attempts: copy.attempts,
    failedAt,
    enqueuedAt: message.enqueuedAt,
    queue: queue.name,
    group: message.group,
  };
  const id = copy.jobId;
  const build = (encoded: EncodedBody, attributes: Readonly<Record<string, MessageAttributeValue>>) =>
    withMeta(encoded, attributes, { id, encoding: encoded.encoding, dead });
  const packed = (): EncodedBody => packBody(copy.body);
  const candidates = [
    () => build(encodeBody(copy.body), message.attributes),
    () => build(packed(), message.attributes),
    // The message's own attributes are the least of what it says.
    () => build(packed(), {}),
  ];
  for (const candidate of candidates) {
    const { body, attributes } = candidate();
    if (messageBytes(body, attributes) > queue.maxBytes) continue;
    return {
      body,
      attributes,
      group: queue.fifo ? (message.group ?? "default") : null,
      deduplicationId: queue.fifo ? shortHash(`${message.id}\n${copy.jobId}\ndead`) : null,
      delaySeconds: null,
    };
  }
  return null;
}

/** A body and what hookline says of it: in its attribute, or around the body where no attribute is free. */
function withMeta(
  encoded: EncodedBody,
  attributes: Readonly<Record<string, MessageAttributeValue>>,
  meta: MessageMeta,
): { body: string; attributes: Record<string, MessageAttributeValue> } {
  if (Object.keys(attributes).length < maxAttributes) {
    return { body: encoded.text, attributes: { ...attributes, [metaAttribute]: encodeMeta(meta) } };
  }
  const body = `{"hookline_dead":${metaText(meta)},"body":${JSON.stringify(encoded.text)}}`;
  return { body, attributes: { ...attributes } };
}
