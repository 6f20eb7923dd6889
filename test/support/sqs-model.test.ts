import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  type Message,
  type ReceiveMessageCommandInput,
} from "@aws-sdk/client-sqs";
import { createSqsModel, type SqsModel } from "./sqs-model.ts";

// The model is what the driver is held against, so it is held against AWS's pages here: each claim is theirs.

let model: SqsModel;
let client: SQSClient;
beforeEach(() => {
  model = createSqsModel();
  client = new SQSClient({
    region: "us-east-1",
    endpoint: model.endpoint,
    maxAttempts: 1,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
});
afterEach(async () => {
  client.destroy();
  await model.stop();
});

const fifoAttributes = { FifoQueue: "true", ContentBasedDeduplication: "true" };

async function send(url: string, bodies: readonly string[], group?: string): Promise<void> {
  for (const body of bodies) {
    await client.send(
      new SendMessageCommand({
        QueueUrl: url,
        MessageBody: body,
        ...(group === undefined ? {} : { MessageGroupId: group }),
      }),
    );
  }
}

async function receive(url: string, options: Partial<ReceiveMessageCommandInput> = {}): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: 10,
    MessageSystemAttributeNames: ["All"],
    MessageAttributeNames: ["All"],
    ...options,
  });
  return (await client.send(command)).Messages ?? [];
}

const bodies = (messages: readonly Message[]): string[] => messages.map(({ Body }) => Body ?? "");
const remove = (url: string, message: Message | undefined): Promise<unknown> =>
  client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle }));

/** Name of the error a call ends with; "" when it succeeds. */
async function errorOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "";
  } catch (error) {
    return (error as Error).name;
  }
}

describe("standard", () => {
  test("a received message is hidden until its visibility ends, and comes back with another handle", async () => {
    const { url } = model.create("a");
    await send(url, ["1"]);
    const [first] = await receive(url, { VisibilityTimeout: 30 });
    expect(await receive(url)).toEqual([]);
    model.clock.advance(30_000);
    const [second] = await receive(url);
    expect(second?.MessageId).toBe(first?.MessageId);
    expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle);
    expect(second?.Attributes?.ApproximateReceiveCount).toBe("2");
  });

  test("a delete with an old handle succeeds and deletes nothing", async () => {
    const { url, messages } = model.create("a");
    await send(url, ["1"]);
    const [old] = await receive(url, { VisibilityTimeout: 1 });
    model.clock.advance(1_000);
    await receive(url);
    expect(await errorOf(remove(url, old))).toBe("");
    expect(messages.size).toBe(1);
  });

  test("a delete with a handle that never was is ReceiptHandleIsInvalid", async () => {
    const { url } = model.create("a");
    expect(await errorOf(remove(url, { ReceiptHandle: "x" }))).toBe("ReceiptHandleIsInvalid");
  });

  test("a long poll ends when a message arrives, and when one becomes visible", async () => {
    const { url } = model.create("a");
    const waiting = receive(url, { WaitTimeSeconds: 20 });
    await send(url, ["1"]);
    const [message] = await waiting;
    expect(message?.Body).toBe("1");
    const again = receive(url, { WaitTimeSeconds: 20 });
    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: message?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );
    expect(bodies(await again)).toEqual(["1"]);
  });

  test("visibility beyond 12 hours from the receive is refused", async () => {
    const { url } = model.create("a");
    await send(url, ["1"]);
    const [message] = await receive(url, { VisibilityTimeout: 43_200 });
    model.clock.advance(3_600_000);
    const hide = (seconds: number) =>
      client.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: url,
          ReceiptHandle: message?.ReceiptHandle,
          VisibilityTimeout: seconds,
        }),
      );
    expect(await errorOf(hide(43_200))).toBe("InvalidParameterValue");
    expect(await errorOf(hide(39_000))).toBe("");
  });

  test("a delayed message is counted as delayed and comes when it is due", async () => {
    const { url } = model.create("a");
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "1", DelaySeconds: 900 }));
    expect(await receive(url)).toEqual([]);
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }),
    );
    expect(Attributes?.["ApproximateNumberOfMessagesDelayed"]).toBe("1");
    model.clock.advance(900_000);
    expect(bodies(await receive(url))).toEqual(["1"]);
  });

  test("what the RedrivePolicy has received often enough goes to its target, with its MessageId", async () => {
    const dead = model.create("a-dead");
    const { url } = model.create("a", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 2 }),
    });
    await send(url, ["1"]);
    const [first] = await receive(url, { VisibilityTimeout: 0 });
    expect(await receive(url, { VisibilityTimeout: 0 })).toHaveLength(1);
    expect(await receive(url)).toEqual([]);
    const [moved] = await receive(dead.url);
    expect(moved?.MessageId).toBe(first?.MessageId);
    expect(moved?.Attributes?.DeadLetterQueueSourceArn).toContain(":a");
  });

  test("deduplication ids and per-message delays above 15 minutes are refused, group ids are not", async () => {
    const { url } = model.create("a");
    const put = (extra: object) =>
      client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "1", ...extra }));
    expect(await errorOf(put({ MessageDeduplicationId: "x" }))).toBe("InvalidParameterValue");
    expect(await errorOf(put({ DelaySeconds: 901 }))).toBe("InvalidParameterValue");
    expect(await errorOf(put({ MessageGroupId: "fair" }))).toBe("");
  });
});

describe("fifo", () => {
  test("a receive gives up to 10 of one group in order, then of others, and locks their groups", async () => {
    const { url } = model.create("a.fifo", fifoAttributes);
    await send(
      url,
      Array.from({ length: 8 }, (_, n) => `a${n}`),
      "a",
    );
    await send(url, ["b0", "b1", "b2", "b3"], "b");
    expect(bodies(await receive(url))).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "b0", "b1"]);
    expect(await receive(url)).toEqual([]);
  });

  test("a group is locked until the last of its messages in flight is gone or visible", async () => {
    const { url } = model.create("a.fifo", fifoAttributes);
    await send(url, ["1", "2", "3"], "g");
    const [one, two] = await receive(url, { MaxNumberOfMessages: 2 });
    await remove(url, one);
    expect(await receive(url)).toEqual([]);
    await remove(url, two);
    expect(bodies(await receive(url))).toEqual(["3"]);
  });

  test("messages that come back come in order again", async () => {
    const { url } = model.create("a.fifo", fifoAttributes);
    await send(url, ["1", "2", "3"], "g");
    await receive(url, { VisibilityTimeout: 5 });
    model.clock.advance(5_000);
    expect(bodies(await receive(url))).toEqual(["1", "2", "3"]);
  });

  test("an expired handle deletes and hides nothing", async () => {
    const { url, messages } = model.create("a.fifo", fifoAttributes);
    await send(url, ["1"], "g");
    const [message] = await receive(url, { VisibilityTimeout: 5 });
    model.clock.advance(5_000);
    expect(await errorOf(remove(url, message))).toBe("InvalidParameterValue");
    const entry = { Id: "0", ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 5 };
    const hidden = await client.send(
      new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries: [entry] }),
    );
    expect(hidden.Failed).toHaveLength(1);
    expect(messages.size).toBe(1);
  });

  test("a duplicate within five minutes is answered like the first and stored once, also after its delete", async () => {
    const { url, messages } = model.create("a.fifo", fifoAttributes);
    const put = () =>
      client.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: String(Math.random()),
          MessageGroupId: "g",
          MessageDeduplicationId: "same",
        }),
      );
    const first = await put();
    const again = await put();
    expect([again.MessageId, again.SequenceNumber]).toEqual([first.MessageId, first.SequenceNumber]);
    await remove(url, (await receive(url))[0]);
    await put();
    expect(messages.size).toBe(0);
    model.clock.advance(300_000);
    await put();
    expect(messages.size).toBe(1);
  });

  test("a message without a group, and one with a delay of its own, is refused", async () => {
    const { url } = model.create("a.fifo", fifoAttributes);
    const put = (extra: object) =>
      client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "1", ...extra }));
    expect(await errorOf(put({}))).toBe("MissingParameter");
    expect(await errorOf(put({ MessageGroupId: "g", DelaySeconds: 1 }))).toBe("InvalidParameterValue");
    expect(await errorOf(put({ MessageGroupId: "g".repeat(129) }))).toBe("InvalidParameterValue");
  });

  test("sequence numbers grow", async () => {
    const { url } = model.create("a.fifo", fifoAttributes);
    await send(url, ["1", "2"], "g");
    const [one, two] = (await receive(url)).map(({ Attributes }) => Attributes?.SequenceNumber ?? "");
    expect(BigInt(two ?? 0)).toBeGreaterThan(BigInt(one ?? 0));
  });
});

describe("limits", () => {
  test("1 MiB is the limit of a message and of a batch's sum, attributes included", async () => {
    const { url } = model.create("a");
    const put = (body: string, extra: object = {}) =>
      client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, ...extra }));
    expect(await errorOf(put("x".repeat(1_048_576)))).toBe("");
    const attribute = { MessageAttributes: { a: { DataType: "String", StringValue: "v" } } };
    expect(await errorOf(put("x".repeat(1_048_576), attribute))).toBe("InvalidParameterValue");
    const Entries = ["0", "1"].map((Id) => ({ Id, MessageBody: "x".repeat(600_000) }));
    expect(await errorOf(client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries })))).toBe(
      "BatchRequestTooLong",
    );
  });

  test("batches take 1 to 10 entries with distinct ids", async () => {
    const { url } = model.create("a");
    const batch = (ids: readonly string[]) =>
      client.send(
        new DeleteMessageBatchCommand({
          QueueUrl: url,
          Entries: ids.map((Id) => ({ Id, ReceiptHandle: "x" })),
        }),
      );
    expect(await errorOf(batch([]))).toBe("EmptyBatchRequest");
    expect(await errorOf(batch(["a", "a"]))).toBe("BatchEntryIdsNotDistinct");
    expect(await errorOf(batch("abcdefghijk".split("")))).toBe("TooManyEntriesInBatchRequest");
    expect((await batch(["a"])).Failed).toHaveLength(1);
  });

  test("past the in-flight quota a standard queue answers OverLimit, a FIFO queue nothing", async () => {
    const small = createSqsModel({ inFlightQuota: { standard: 1, fifo: 1 } });
    const other = new SQSClient({
      region: "us-east-1",
      endpoint: small.endpoint,
      maxAttempts: 1,
      credentials: { accessKeyId: "t", secretAccessKey: "t" },
    });
    const { url } = small.create("a");
    const fifo = small.create("a.fifo", fifoAttributes);
    for (const body of ["1", "2"]) {
      await other.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
      await other.send(
        new SendMessageCommand({ QueueUrl: fifo.url, MessageBody: body, MessageGroupId: body }),
      );
    }
    const take = (QueueUrl: string) => other.send(new ReceiveMessageCommand({ QueueUrl }));
    await take(url);
    await take(fifo.url);
    expect(await errorOf(take(url))).toBe("OverLimit");
    expect((await take(fifo.url)).Messages ?? []).toEqual([]);
    other.destroy();
    await small.stop();
  });

  test("a queue created twice alike is one; with other attributes it is QueueNameExists", async () => {
    const create = (seconds: string) =>
      client.send(new CreateQueueCommand({ QueueName: "a", Attributes: { VisibilityTimeout: seconds } }));
    const first = await create("30");
    expect((await create("30")).QueueUrl).toBe(first.QueueUrl);
    expect(await errorOf(create("31"))).toBe("QueueNameExists");
  });
});

describe("ordered failures", () => {
  test("denied actions, throttling, expired credentials and outages are answered as SQS does", async () => {
    const { url } = model.create("a");
    const call = () => errorOf(receive(url));
    model.faults.denied.add("ReceiveMessage");
    expect(await call()).toBe("AccessDenied");
    model.faults.denied.clear();
    model.faults.throttle = 1;
    expect(await call()).toBe("RequestThrottled");
    model.faults.expiredToken = true;
    expect(await call()).toBe("ExpiredToken");
    model.faults.expiredToken = false;
    model.faults.outage = true;
    expect(await call()).toBe("ServiceUnavailable");
    model.faults.outage = false;
    expect(await call()).toBe("");
    expect(model.requests.get("ReceiveMessage")).toBe(5);
  });

  test("single entries of a batch fail alone", async () => {
    const { url, messages } = model.create("a");
    await send(url, ["1", "2"]);
    const held = await receive(url);
    model.faults.failEntry = (_, { Id }) => (Id === "0" ? "InternalError" : null);
    const Entries = held.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    const answer = await client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }));
    expect(answer.Failed?.map(({ Id, SenderFault }) => [Id, SenderFault])).toEqual([["0", false]]);
    expect(messages.size).toBe(1);
  });
});
