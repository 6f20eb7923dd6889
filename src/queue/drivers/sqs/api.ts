/** A message attribute as it travels: binary values in base64. */
export interface MessageAttributeValue {
  readonly DataType?: string;
  readonly StringValue?: string;
  readonly BinaryValue?: string;
}

/** A received message, with what was asked of it. */
export interface Message {
  readonly MessageId?: string;
  readonly ReceiptHandle?: string;
  readonly Body?: string;
  readonly Attributes?: Readonly<Record<string, string>>;
  readonly MessageAttributes?: Readonly<Record<string, MessageAttributeValue>>;
}

/** A message to be sent. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  readonly group: string | null;
  readonly deduplicationId: string | null;
  readonly delaySeconds: number | null;
}

/** What became of one entry of a batch. */
export type EntryResult =
  | { readonly status: "ok"; readonly messageId: string | null }
  /** The handle has no power any more. */
  | { readonly status: "gone" }
  /** The entry is wrong; repeating it does not help. */
  | { readonly status: "refused"; readonly code: string; readonly message: string }
  /** SQS failed at this entry: it may be tried again. */
  | { readonly status: "failed"; readonly code: string };

/**
 * The calls to SQS that hookline makes; every one may throw SqsCallError. Batches hold 1 to 10 entries
 * (AWS quota) and are answered entry by entry, in order. `url` addresses the queue, `name` stands in errors.
 */
export interface SqsApi {
  receive(queue: QueueRef, options: ReceiveOptions): Promise<Message[]>;
  send(queue: QueueRef, messages: readonly OutgoingMessage[]): Promise<EntryResult[]>;
  remove(queue: QueueRef, handles: readonly string[]): Promise<EntryResult[]>;
  hide(queue: QueueRef, entries: readonly { handle: string; seconds: number }[]): Promise<EntryResult[]>;
  /** For permission probes: one handle, errors thrown. */
  removeOne(queue: QueueRef, handle: string): Promise<void>;
  hideOne(queue: QueueRef, handle: string): Promise<void>;
  findUrl(name: string, owner: string | null): Promise<string>;
  attributes(queue: QueueRef, names?: readonly string[]): Promise<Record<string, string>>;
  create(name: string, attributes: Record<string, string>): Promise<string>;
  /** Names and URLs, all pages. */
  list(prefix: string): AsyncIterable<QueueRef>;
  purge(queue: QueueRef): Promise<void>;
  deleteQueue(queue: QueueRef): Promise<void>;
  /** Cuts receives off that wait in SQS. */
  cutPolls(): void;
  /** Lets go of connections. */
  destroy(): void;
}

export interface QueueRef {
  readonly url: string;
  readonly name: string;
}

export interface ReceiveOptions {
  readonly max: number;
  readonly waitSeconds: number;
  readonly visibilitySeconds: number;
  readonly fifo: boolean;
  /** Every system attribute, for tools that copy messages. */
  readonly complete?: boolean;
}
