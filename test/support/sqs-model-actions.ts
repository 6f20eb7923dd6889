import type { ModelClock } from "./sqs-model-clock.ts";
import { invalidHandle, invalidValue, noSuchQueue, SqsError } from "./sqs-model-errors.ts";
import { failedEntry, type ModelFaults } from "./sqs-model-faults.ts";
import {
  attributesMd5,
  checkContents,
  checkIdentifier,
  maxMessageBytes,
  md5,
  messageBytes,
  type ModelAttribute,
  type ModelMessage,
} from "./sqs-model-message.ts";
import type { ModelQueue } from "./sqs-model-queue.ts";

/** What the actions work on. */
export interface ModelAccount {
  readonly clock: ModelClock;
  readonly faults: ModelFaults;
  /** By name. */
  readonly queues: Map<string, ModelQueue>;
  create(name: string, attributes: Record<string, string>): ModelQueue;
}

type Input = Record<string, unknown>;
type Entry = { Id: string } & Record<string, unknown>;

/** A text parameter; anything else counts as absent. */
function textIn(input: Input, name: string): string {
  const value = input[name];
  return typeof value === "string" ? value : "";
}

/** Every action of the model, by its name in X-Amz-Target. */
export const actions: Readonly<Record<string, (account: ModelAccount, input: Input) => unknown>> = {
  CreateQueue(account, input) {
    const name = textIn(input, "QueueName");
    const attributes = (input["Attributes"] ?? {}) as Record<string, string>;
    // API_CreateQueue: up to 80 characters, alphanumerics, hyphens, underscores; FIFO ends with .fifo.
    if (!/^(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?$/.test(name)) {
      throw invalidValue(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
      );
    }
    checkAttributes(name, attributes);
    const existing = account.queues.get(name);
    if (existing !== undefined) {
      for (const [key, value] of Object.entries(attributes)) {
        if (attributesOf(existing)[key] === value) continue;
        throw new SqsError(
          "QueueNameExists",
          `A queue already exists with the same name and a different value for attribute ${key}`,
          "QueueAlreadyExists",
        );
      }
      return { QueueUrl: existing.url };
    }
    return { QueueUrl: account.create(name, attributes).url };
  },

  DeleteQueue(account, input) {
    account.queues.delete(queueOf(account, input).name);
    return {};
  },

  PurgeQueue(account, input) {
    queueOf(account, input).purge();
    return {};
  },

  GetQueueUrl(account, input) {
    const queue = account.queues.get(textIn(input, "QueueName"));
    if (queue === undefined) throw noSuchQueue();
    return { QueueUrl: queue.url };
  },

  ListQueues(account, input) {
    const prefix = textIn(input, "QueueNamePrefix");
    const urls = [...account.queues.values()].filter((queue) => queue.name.startsWith(prefix));
    return { QueueUrls: urls.map((queue) => queue.url) };
  },

  GetQueueAttributes(account, input) {
    const all = attributesOf(queueOf(account, input));
    const wanted = (input["AttributeNames"] ?? []) as string[];
    if (wanted.includes("All")) return { Attributes: all };
    return { Attributes: Object.fromEntries(Object.entries(all).filter(([key]) => wanted.includes(key))) };
  },

  SetQueueAttributes(account, input) {
    const queue = queueOf(account, input);
    const attributes = (input["Attributes"] ?? {}) as Record<string, string>;
    checkAttributes(queue.name, attributes);
    Object.assign(queue.attributes, attributes);
    return {};
  },

  SendMessage(account, input) {
    return send(queueOf(account, input), input);
  },

  SendMessageBatch(account, input) {
    const queue = queueOf(account, input);
    const entries = entriesOf(input);
    const bytes = entries.reduce(
      (sum, entry) => sum + messageBytes(textIn(entry, "MessageBody"), attributesIn(entry)),
      0,
    );
    // API_SendMessageBatch: the sum of all messages has the same limit as one message.
    if (bytes > maxMessageBytes) {
      throw new SqsError(
        "BatchRequestTooLong",
        `Batch requests cannot be longer than ${maxMessageBytes} bytes. You have sent ${bytes} bytes.`,
        "AWS.SimpleQueueService.BatchRequestTooLong",
      );
    }
    return eachEntry(account, "SendMessageBatch", entries, (entry) => send(queue, entry));
  },

  DeleteMessage(account, input) {
    queueOf(account, input).remove(handleOf(input));
    return {};
  },

  DeleteMessageBatch(account, input) {
    const queue = queueOf(account, input);
    return eachEntry(account, "DeleteMessageBatch", entriesOf(input), (entry) => {
      queue.remove(handleOf(entry));
      return {};
    });
  },

  ChangeMessageVisibility(account, input) {
    queueOf(account, input).changeVisibility(handleOf(input), secondsOf(input));
    return {};
  },

  ChangeMessageVisibilityBatch(account, input) {
    const queue = queueOf(account, input);
    return eachEntry(account, "ChangeMessageVisibilityBatch", entriesOf(input), (entry) => {
      queue.changeVisibility(handleOf(entry), secondsOf(entry));
      return {};
    });
  },

  async ReceiveMessage(account, input) {
    const queue = queueOf(account, input);
    const max = Number(input["MaxNumberOfMessages"] ?? 1);
    // API_ReceiveMessage: 1 to 10.
    if (!(max >= 1 && max <= 10)) {
      throw invalidValue(
        `Value ${max} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`,
      );
    }
    const wait = Number(input["WaitTimeSeconds"] ?? queue.attributes["ReceiveMessageWaitTimeSeconds"] ?? 0);
    if (!(wait >= 0 && wait <= 20)) {
      throw invalidValue(
        `Value ${wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.`,
      );
    }
    const visibility =
      Number(input["VisibilityTimeout"] ?? queue.attributes["VisibilityTimeout"] ?? 30) * 1000;
    const deadline = account.clock.now() + wait * 1000;
    for (;;) {
      const taken = queue.receive(max, visibility);
      if (taken.length > 0) return { Messages: taken.map((message) => shown(message, input)) };
      if (account.clock.now() >= deadline || account.faults.outage || account.faults.noWaiting) return {};
      await queue.wait(deadline);
    }
  },
};

/** The queue's attributes with the counted ones, as GetQueueAttributes shows them. */
function attributesOf(queue: ModelQueue): Record<string, string> {
  const { visible, inFlight, delayed } = queue.counts();
  return {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(inFlight),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    VisibilityTimeout: "30",
    MaximumMessageSize: String(maxMessageBytes),
    // API_CreateQueue: 345,600 s (4 days) by default.
    MessageRetentionPeriod: "345600",
    DelaySeconds: "0",
    ReceiveMessageWaitTimeSeconds: "0",
    ...(queue.fifo
      ? {
          FifoQueue: "true",
          ContentBasedDeduplication: "false",
          DeduplicationScope: "queue",
          FifoThroughputLimit: "perQueue",
        }
      : {}),
    ...queue.attributes,
  };
}

function checkAttributes(name: string, attributes: Record<string, string>): void {
  const fifo = name.endsWith(".fifo");
  if (fifo && "FifoQueue" in attributes && attributes["FifoQueue"] !== "true")
    throw invalidValue("The name of a FIFO queue requires FifoQueue=true.");
  if (!fifo && "FifoQueue" in attributes) {
    throw new SqsError("InvalidAttributeName", "Unknown Attribute FifoQueue.", "InvalidAttributeName");
  }
  for (const key of ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]) {
    if (!fifo && key in attributes)
      throw new SqsError("InvalidAttributeName", `Unknown Attribute ${key}.`, "InvalidAttributeName");
  }
  const ranges: Record<string, readonly [number, number]> = {
    VisibilityTimeout: [0, 43_200],
    MessageRetentionPeriod: [60, 1_209_600],
    DelaySeconds: [0, 900],
    ReceiveMessageWaitTimeSeconds: [0, 20],
    MaximumMessageSize: [1024, maxMessageBytes],
  };
  for (const [key, [low, high]] of Object.entries(ranges)) {
    const value = attributes[key];
    if (value !== undefined && !(Number(value) >= low && Number(value) <= high)) {
      throw new SqsError(
        "InvalidAttributeValue",
        `Invalid value for the parameter ${key}.`,
        "InvalidAttributeValue",
      );
    }
  }
}

function queueOf(account: ModelAccount, input: Input): ModelQueue {
  const name = textIn(input, "QueueUrl").split("/").pop() ?? "";
  const queue = account.queues.get(name);
  if (queue === undefined) throw noSuchQueue();
  return queue;
}

const attributesIn = (entry: Input): Record<string, ModelAttribute> =>
  (entry["MessageAttributes"] ?? {}) as Record<string, ModelAttribute>;

function handleOf(input: Input): string {
  const handle = input["ReceiptHandle"];
  if (typeof handle !== "string" || handle === "") throw invalidHandle(textIn(input, "ReceiptHandle"));
  return handle;
}

function secondsOf(input: Input): number {
  const seconds = Number(input["VisibilityTimeout"]);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 43_200) {
    throw invalidValue(
      `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.`,
    );
  }
  return seconds;
}

function entriesOf(input: Input): Entry[] {
  const entries = (input["Entries"] ?? []) as Entry[];
  if (entries.length === 0)
    throw new SqsError(
      "EmptyBatchRequest",
      "There should be at least one entry in the request.",
      "AWS.SimpleQueueService.EmptyBatchRequest",
    );
  if (entries.length > 10)
    throw new SqsError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are 10. You have sent ${entries.length}.`,
      "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    );
  if (new Set(entries.map((entry) => entry.Id)).size < entries.length) {
    throw new SqsError(
      "BatchEntryIdsNotDistinct",
      "Ids of the entries are not distinct.",
      "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    );
  }
  if (!entries.every((entry) => /^[A-Za-z0-9_-]{1,80}$/.test(entry.Id))) {
    throw new SqsError(
      "InvalidBatchEntryId",
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores.",
      "AWS.SimpleQueueService.InvalidBatchEntryId",
    );
  }
  return entries;
}

function eachEntry(account: ModelAccount, action: string, entries: Entry[], run: (entry: Entry) => object) {
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    const ordered = failedEntry(account.faults, action, entry);
    if (ordered !== null) {
      Failed.push(ordered);
      continue;
    }
    try {
      Successful.push({ Id: entry.Id, ...run(entry) });
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push({ Id: entry.Id, Code: error.queryCode, SenderFault: true, Message: error.message });
    }
  }
  return { Successful, Failed };
}

function send(queue: ModelQueue, input: Input) {
  const body = input["MessageBody"];
  const attributes = attributesIn(input);
  checkContents(body, attributes, Number(attributesOf(queue)["MaximumMessageSize"]));
  const group = (input["MessageGroupId"] ?? null) as string | null;
  const deduplicationId = (input["MessageDeduplicationId"] ?? null) as string | null;
  const delaySeconds = (input["DelaySeconds"] ?? null) as number | null;
  if (group !== null) checkIdentifier("MessageGroupId", group);
  if (deduplicationId !== null) checkIdentifier("MessageDeduplicationId", deduplicationId);
  const wrongType = (name: string, value: string | number): SqsError =>
    invalidValue(
      `Value ${String(value)} for parameter ${name} is invalid. Reason: The request include parameter that is not valid for this queue type.`,
    );
  if (queue.fifo) {
    if (group === null)
      throw new SqsError("MissingParameter", "The request must contain the parameter MessageGroupId.");
    if (deduplicationId === null && queue.attributes["ContentBasedDeduplication"] !== "true") {
      throw invalidValue(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      );
    }
    // API_SendMessage, DelaySeconds: on FIFO it can only be set for the queue.
    if (delaySeconds !== null) throw wrongType("DelaySeconds", delaySeconds);
  } else {
    if (deduplicationId !== null) throw wrongType("MessageDeduplicationId", deduplicationId);
    if (delaySeconds !== null && !(delaySeconds >= 0 && delaySeconds <= 900)) {
      throw invalidValue(
        `Value ${delaySeconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.`,
      );
    }
  }
  const sent = queue.send({ body, attributes, group, deduplicationId, delaySeconds });
  return {
    MessageId: sent.id,
    MD5OfMessageBody: md5(body),
    ...(Object.keys(attributes).length === 0 ? {} : { MD5OfMessageAttributes: attributesMd5(attributes) }),
    ...(sent.sequence === null ? {} : { SequenceNumber: sent.sequence }),
  };
}

/** A message as ReceiveMessage shows it: only the attributes that were asked for. */
function shown(message: ModelMessage, input: Input) {
  const system: Record<string, string> = {
    SenderId: "AIDAEXAMPLE",
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
    ...(message.group === null ? {} : { MessageGroupId: message.group }),
    ...(message.deduplicationId === null
      ? {}
      : {
          MessageDeduplicationId: message.deduplicationId,
          SequenceNumber: message.sequence.toString().padStart(20, "0"),
        }),
    ...(message.deadLetterSource === null ? {} : { DeadLetterQueueSourceArn: message.deadLetterSource }),
  };
  const wanted = [
    ...((input["AttributeNames"] ?? []) as string[]),
    ...((input["MessageSystemAttributeNames"] ?? []) as string[]),
  ];
  const wantedOwn = (input["MessageAttributeNames"] ?? []) as string[];
  const takes = (name: string): boolean =>
    wantedOwn.some(
      (pattern) =>
        pattern === "All" ||
        pattern === ".*" ||
        pattern === name ||
        (pattern.endsWith(".*") && name.startsWith(pattern.slice(0, -2))),
    );
  const attributes = wanted.includes("All")
    ? system
    : Object.fromEntries(Object.entries(system).filter(([key]) => wanted.includes(key)));
  const own = Object.fromEntries(Object.entries(message.attributes).filter(([name]) => takes(name)));
  return {
    MessageId: message.id,
    ReceiptHandle: message.handle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    ...(Object.keys(attributes).length === 0 ? {} : { Attributes: attributes }),
    ...(Object.keys(own).length === 0
      ? {}
      : { MessageAttributes: own, MD5OfMessageAttributes: attributesMd5(own) }),
  };
}
