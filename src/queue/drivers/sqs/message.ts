import { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import type { MessageInfo } from "../../driver.ts";
import type { Message, MessageAttributeValue } from "./api.ts";
import { decodeBody } from "./body.ts";
import { decodeMeta, metaAttribute } from "./meta.ts";

/** A message this process has received and holds the handle of. */
export interface HeldMessage {
  /** MessageId: the same over all receives. */
  readonly id: string;
  readonly handle: string;
  readonly jobId: string;
  readonly body: JobBody;
  readonly group: string | null;
  readonly receiveCount: number;
  /** Epoch ms by AWS's clock. */
  readonly sentAt: number | null;
  readonly firstReceivedAt: number | null;
  /** Epoch ms; of a fan-out child its parent's. */
  readonly enqueuedAt: number | null;
  /** As received, without ours. */
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  /** Monotonic ms: handles live 12 hours from here. */
  readonly receivedAt: number;
  /** Monotonic ms until which SQS hides it from others. */
  hiddenUntil: number;
}

/**
 * Reads a received message.
 *
 * Its job's id is the one hookline gave it at enqueue, else the MessageId, which stays the same over all
 * receives and a RedrivePolicy's move.
 */
export function readMessage(message: Message, receivedAt: number, visibilityMs: number): HeldMessage {
  const id = message.MessageId ?? "";
  const own = message.MessageAttributes ?? {};
  const system = message.Attributes ?? {};
  const ours = own[metaAttribute];
  const meta = decodeMeta(ours?.StringValue);
  const sentAt = numberOr(system["SentTimestamp"], null);
  return {
    id,
    enqueuedAt: meta.enqueuedAt ?? sentAt,
    handle: message.ReceiptHandle ?? "",
    jobId: meta.id ?? id,
    body: decodeBody(message.Body ?? "", meta.encoding),
    group: system["MessageGroupId"] ?? null,
    receiveCount: numberOr(system["ApproximateReceiveCount"], 1),
    sentAt,
    firstReceivedAt: numberOr(system["ApproximateFirstReceiveTimestamp"], null),
    attributes: ours === undefined ? own : without(own, metaAttribute),
    receivedAt,
    hiddenUntil: receivedAt + visibilityMs,
  };
}

/** What a raw queue's delivery says of the message. */
export function messageInfo(message: HeldMessage): MessageInfo {
  // From entries: SQS allows the name `__proto__`, and an assignment would lose it.
  const attributes = Object.fromEntries(
    Object.entries(message.attributes).map(([name, { StringValue, BinaryValue = "" }]) =>
      StringValue !== undefined
        ? [name, StringValue]
        : // In the name, so that it stays true in an envelope and in fan-out children, which hold only text.
          [`${name}-b64`, Buffer.from(BinaryValue, "base64").toString("base64url")],
    ),
  );
  return {
    id: message.id,
    group: message.group,
    receiveCount: message.receiveCount,
    firstReceivedAt: message.firstReceivedAt,
    attributes,
  };
}

function numberOr<T>(text: string | undefined, otherwise: T): number | T {
  const value = Number(text);
  return text === undefined || Number.isNaN(value) ? otherwise : value;
}

function without<T>(record: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
}
