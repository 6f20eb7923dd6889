import type { SQSClientConfig } from "@aws-sdk/client-sqs";
import { findOthers, readFilesAnew, refusesCredentials } from "../../../aws-credentials.ts";
import { shortened } from "../../../bounded-text.ts";
import type { EntryResult, Message, QueueRef, SqsApi } from "./api.ts";
import { createDirectCaller } from "./direct.ts";
import { callError, classifyCode, codeOf } from "./errors.ts";

/** What is asked of a message; each one more costs time for every message. */
const systemAttributes = [
  "SentTimestamp",
  "ApproximateReceiveCount",
  "ApproximateFirstReceiveTimestamp",
  "MessageGroupId",
  "DeadLetterQueueSourceArn",
];

export interface ApiOptions {
  readonly region: string;
  readonly endpointUrl: string | null;
  /** Names of SDK v3, as mapClientOptions gives them. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly requestTimeoutMs: number | null;
  readonly warn: (message: string) => void;
}

/**
 * Half of what a heartbeat has left after a third of a 30 s lease, with the SDK's three attempts in mind.
 */
const defaultTimeoutMs = 5_000;

/**
 * The calls: those that move messages directly (direct.ts says why), the others with AWS's own client, which
 * also finds the credentials. It is loaded here, so that other drivers do not pay for it.
 */
export async function createSqsApi(options: ApiOptions): Promise<SqsApi> {
  const sdk = await import("@aws-sdk/client-sqs");
  const timeoutMs = options.requestTimeoutMs ?? defaultTimeoutMs;
  const quiet = (): void => undefined;
  const warn = (...parts: unknown[]): void => {
    const text = parts.filter((part) => typeof part === "string").join(" ");
    if (text !== "") options.warn(text);
  };
  const config: SQSClientConfig = {
    region: options.region,
    ...(options.endpointUrl === null ? {} : { endpoint: options.endpointUrl }),
    maxAttempts: 3,
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs, throwOnRequestTimeout: true },
    // TLS already proves the bytes, and FIPS machines have no MD5.
    md5: false,
    // Its `error` gets each failed call as an object, input included; the call throws the same.
    logger: { trace: quiet, debug: quiet, info: quiet, warn, error: quiet },
    ...options.config,
  };
  const client = new sdk.SQSClient({ ...config, ...readFilesAnew });
  const { credentials } = client.config;
  const direct = createDirectCaller({
    region: typeof config.region === "string" ? config.region : options.region,
    endpointUrl: typeof config.endpoint === "string" ? config.endpoint : options.endpointUrl,
    credentials,
    maxAttempts: await client.config.maxAttempts(),
    timeoutMs,
  });

  const call = async <T>(action: string, queue: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw callError(error, action, queue);
    }
  };
  /** A call of AWS's client, which by itself never looks for other credentials when its own are refused. */
  const callClient = <T>(action: string, queue: string, run: () => Promise<T>): Promise<T> =>
    call(action, queue, async () => {
      try {
        return await run();
      } catch (error) {
        if (!refusesCredentials(codeOf(error)) || !(await findOthers(credentials))) throw error;
        return await run();
      }
    });
  const batch = (action: string, queue: QueueRef, Entries: readonly object[]): Promise<BatchAnswer> =>
    call(action, queue.name, () => direct.call(action, queue.url, { QueueUrl: queue.url, Entries }));

  return {
    receive: (queue, { max, waitSeconds, visibilitySeconds, fifo, complete }) =>
      call("ReceiveMessage", queue.name, async () => {
        const names = complete === true ? ["All"] : systemAttributes;
        const input = {
          QueueUrl: queue.url,
          MaxNumberOfMessages: max,
          WaitTimeSeconds: waitSeconds,
          VisibilityTimeout: visibilitySeconds,
          MessageSystemAttributeNames: names,
          // The older name of the same, which emulators know.
          AttributeNames: names,
          MessageAttributeNames: ["All"],
          // API_ReceiveMessage: a repetition with the same id gets the same messages, so that an answer
          // lost on the way does not lock its groups until the visibility ends.
          ...(fifo ? { ReceiveRequestAttemptId: crypto.randomUUID() } : {}),
        };
        const answer = await direct.call<{ Messages?: Message[] }>("ReceiveMessage", queue.url, input, {
          waitMs: waitSeconds * 1000,
        });
        return answer.Messages ?? [];
      }),

    async send(queue, messages) {
      const entries = messages.map((message, index) => ({
        Id: String(index),
        MessageBody: message.body,
        ...(Object.keys(message.attributes).length === 0 ? {} : { MessageAttributes: message.attributes }),
        ...(message.group === null ? {} : { MessageGroupId: message.group }),
        ...(message.deduplicationId === null ? {} : { MessageDeduplicationId: message.deduplicationId }),
        ...(message.delaySeconds === null ? {} : { DelaySeconds: message.delaySeconds }),
      }));
      return entryResults(messages.length, await batch("SendMessageBatch", queue, entries));
    },

    async remove(queue, handles) {
      const entries = handles.map((handle, index) => ({ Id: String(index), ReceiptHandle: handle }));
      return handleResults(handles.length, await batch("DeleteMessageBatch", queue, entries));
    },

    async hide(queue, hidden) {
      const entries = hidden.map(({ handle, seconds }, index) => ({
        Id: String(index),
        ReceiptHandle: handle,
        VisibilityTimeout: seconds,
      }));
      return handleResults(hidden.length, await batch("ChangeMessageVisibilityBatch", queue, entries));
    },

    removeOne: (queue, handle) =>
      callClient("DeleteMessage", queue.name, async () => {
        await client.send(new sdk.DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: handle }));
      }),

    hideOne: (queue, handle) =>
      callClient("ChangeMessageVisibility", queue.name, async () => {
        await client.send(
          new sdk.ChangeMessageVisibilityCommand({
            QueueUrl: queue.url,
            ReceiptHandle: handle,
            VisibilityTimeout: 0,
          }),
        );
      }),

    findUrl: (name, owner) =>
      callClient("GetQueueUrl", name, async () => {
        const command = new sdk.GetQueueUrlCommand({
          QueueName: name,
          ...(owner === null ? {} : { QueueOwnerAWSAccountId: owner }),
        });
        return (await client.send(command)).QueueUrl ?? "";
      }),

    attributes: (queue, names = ["All"]) =>
      callClient("GetQueueAttributes", queue.name, async () => {
        const command = new sdk.GetQueueAttributesCommand({
          QueueUrl: queue.url,
          AttributeNames: names as "All"[],
        });
        return (await client.send(command)).Attributes ?? {};
      }),

    create: (name, attributes) =>
      callClient("CreateQueue", name, async () => {
        const command = new sdk.CreateQueueCommand({ QueueName: name, Attributes: attributes });
        return (await client.send(command)).QueueUrl ?? "";
      }),

    async *list(prefix) {
      let token: string | undefined;
      do {
        const page = await callClient("ListQueues", "", () =>
          client.send(
            new sdk.ListQueuesCommand({
              MaxResults: 1000,
              ...(prefix === "" ? {} : { QueueNamePrefix: prefix }),
              ...(token === undefined ? {} : { NextToken: token }),
            }),
          ),
        );
        for (const url of page.QueueUrls ?? []) yield { url, name: url.split("/").pop() ?? url };
        token = page.NextToken;
      } while (token !== undefined && token !== "");
    },

    purge: (queue) =>
      callClient("PurgeQueue", queue.name, async () => {
        await client.send(new sdk.PurgeQueueCommand({ QueueUrl: queue.url }));
      }),

    deleteQueue: (queue) =>
      callClient("DeleteQueue", queue.name, async () => {
        await client.send(new sdk.DeleteQueueCommand({ QueueUrl: queue.url }));
      }),

    cutPolls: () => direct.cutPolls(),
    destroy: () => client.destroy(),
  };
}

interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string; readonly MessageId?: string }[];
  readonly Failed?: readonly {
    readonly Id?: string;
    readonly Code?: string;
    readonly SenderFault?: boolean;
    readonly Message?: string;
  }[];
}

/** The same for calls with handles: a FIFO queue says InvalidParameterValue of an expired one. */
function handleResults(count: number, answer: BatchAnswer): EntryResult[] {
  return entryResults(count, answer).map((result) =>
    result.status === "refused" && classifyCode(result.code) === "refused" ? { status: "gone" } : result,
  );
}

/** One result per entry; an entry that the answer does not name may or may not have happened: `failed`. */
function entryResults(count: number, answer: BatchAnswer): EntryResult[] {
  const results: EntryResult[] = Array.from({ length: count }, () => ({
    status: "failed",
    code: "NoAnswer",
  }));
  for (const { Id, MessageId } of answer.Successful ?? []) {
    results[Number(Id)] = { status: "ok", messageId: MessageId ?? null };
  }
  for (const { Id, Code = "unknown", SenderFault, Message = "" } of answer.Failed ?? []) {
    const kind = classifyCode(Code);
    if (kind === "gone") results[Number(Id)] = { status: "gone" };
    else {
      const code = shortened(Code, 100);
      results[Number(Id)] =
        SenderFault === true
          ? { status: "refused", code, message: shortened(Message, 500) }
          : { status: "failed", code };
    }
  }
  return results;
}
