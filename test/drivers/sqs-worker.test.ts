import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { readFileSync } from "node:fs";
import Pusher from "pusher";
import type { ConfigInput } from "../../src/config/schema.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { startWorker, type WorkerBench } from "../support/worker.ts";

interface Captured {
  readonly body: string;
  readonly MessageGroupId: string;
  readonly MessageDeduplicationId: string;
}

/** What a Soketi 1.6.1 with queue.driver=sqs put on its FIFO queue. */
const captured = JSON.parse(
  readFileSync(new URL("../fixtures/soketi-1.6.1-sqs-fifo.json", import.meta.url), "utf8"),
) as Captured[];

/** The payload's bytes as they stand in a message. */
const payloadOf = ({ body }: Captured): string =>
  body.slice(body.indexOf('"payload":') + 10, body.lastIndexOf(',"originalPusherSignature"'));

let model: SqsModel;
let receiver: Receiver;
beforeEach(async () => {
  model = createSqsModel();
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  await model.stop();
});

/** The whole worker on the sqs driver. */
async function start(queue: ConfigInput["queue"], config: ConfigInput = {}): Promise<WorkerBench> {
  const webhooks = [{ url: `${receiver.url}/hook`, event_types: captured.map(eventOf) }];
  const bench = await startWorker({
    start: false,
    config: {
      apps: [{ id: "app-1", key: "app-key", secret: "app-secret", webhooks }],
      ...config,
      queue: {
        driver: "sqs",
        ...queue,
        sqs: {
          endpoint_url: model.endpoint,
          client_options: { accessKeyId: "t", secretAccessKey: "t" },
          wait_time_seconds: 1,
          ...queue?.sqs,
        },
      },
    },
  });
  await bench.memory.open(new AbortController().signal);
  bench.consumption.start();
  return bench;
}

const eventOf = ({ body }: Captured): string =>
  (JSON.parse(body) as { payload: { events: { name: string }[] } }).payload.events[0]?.name ?? "";

async function stop(bench: WorkerBench): Promise<void> {
  model.endPolls();
  await bench[Symbol.asyncDispose]();
}

describe("Soketi drop-in", () => {
  const url = () => `${model.endpoint}/123456789012/soketi.fifo`;
  const put = (messages: readonly Captured[]): void => {
    for (const { body, MessageGroupId, MessageDeduplicationId } of messages) {
      model.queues.get("soketi.fifo")?.send({
        body,
        attributes: {},
        group: MessageGroupId,
        deduplicationId: MessageDeduplicationId,
        delaySeconds: null,
      });
    }
  };

  test("captured messages are delivered in group order, bytes and signatures intact", async () => {
    model.create("soketi.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    put(captured);
    let failed = 0;
    receiver.behave((_, n) => {
      if (n % 3 !== 0) return answer(200);
      failed += 1;
      return answer(503);
    });
    const bench = await start({
      // Soketi has six logical queues at one URL; one name is enough here, and more do no harm.
      queues: ["client_event_webhooks", "member_added_webhooks"],
      sqs: { queue_url: url() },
    });
    await until(() => model.queues.get("soketi.fifo")?.messages.size === 0, { what: "an empty queue" });
    const delivered = receiver.requests.filter((_, index) => (index + 1) % 3 !== 0);
    expect(delivered).toHaveLength(captured.length);
    expect(failed).toBeGreaterThan(0);
    expect(delivered.map(({ text }) => text).sort()).toEqual(captured.map(payloadOf).sort());
    for (const [group, messages] of Map.groupBy(captured, ({ MessageGroupId }) => MessageGroupId)) {
      const expected = messages.map(payloadOf);
      expect([group, delivered.map(({ text }) => text).filter((text) => expected.includes(text))]).toEqual([
        group,
        expected,
      ]);
    }
    const pusher = new Pusher({ appId: "app-1", key: "app-key", secret: "app-secret", cluster: "x" });
    for (const { headers, text } of delivered) {
      const webhook = pusher.webhook({ headers: Object.fromEntries(Object.entries(headers)), rawBody: text });
      expect(webhook.isValid()).toBe(true);
    }
    await stop(bench);
  });

  test("with two endpoints every delivery keeps the order of its channel's events", async () => {
    model.create("soketi.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    put(captured);
    const bench = await start(
      { queues: ["webhooks"], sqs: { queue_url: url() } },
      {
        apps: [
          {
            id: "app-1",
            key: "app-key",
            secret: "app-secret",
            webhooks: ["one", "two"].map((name) => ({
              name,
              url: `${receiver.url}/${name}`,
              event_types: captured.map(eventOf),
            })),
          },
        ],
      },
    );
    await until(() => receiver.count >= captured.length * 2, { what: "both deliveries of each" });
    for (const path of ["/one", "/two"]) {
      const got = receiver.requests.filter(({ path: at }) => at === path).map(({ text }) => text);
      for (const messages of Map.groupBy(captured, ({ MessageGroupId }) => MessageGroupId).values()) {
        const expected = messages.map(payloadOf);
        expect(got.filter((text) => expected.includes(text))).toEqual(expected);
      }
    }
    await stop(bench);
  });
});

test("fifo_on_failure dead: the dead letter names endpoint and answer", async () => {
  model.create("webhooks.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" }).send({
    body: captured[0]?.body ?? "",
    attributes: {},
    group: "g",
    deduplicationId: "d",
    delaySeconds: null,
  });
  receiver.behave(() => answer(503));
  const bench = await start({ queues: ["webhooks"], sqs: { fifo: true, fifo_on_failure: "dead" } });
  await until(() => model.queues.get("webhooks-dead.fifo")?.messages.size === 1, { what: "the dead letter" });
  expect((await bench.dead())[0]).toMatchObject({
    reason: "fifo_on_failure",
    endpoint: bench.directory.apps[0]?.endpoints[0]?.label ?? "",
    detail: expect.stringContaining("503") as unknown,
  });
  await stop(bench);
});

test("without sqs:SendMessage a fan-out fails, and the fault names permission and queue", async () => {
  model.create("webhooks.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" }).send({
    body: captured[0]?.body ?? "",
    attributes: {},
    group: "g",
    deduplicationId: "d",
    delaySeconds: null,
  });
  const webhooks = ["one", "two"].map((name) => ({
    name,
    url: `${receiver.url}/${name}`,
    event_types: captured.map(eventOf),
  }));
  model.faults.denied.add("SendMessage");
  const bench = await start(
    { queues: ["webhooks"], sqs: { fifo: true } },
    { apps: [{ id: "app-1", key: "app-key", secret: "app-secret", webhooks }] },
  );
  await until(() => bench.faults.findings().length > 0, { what: "the fault" });
  const said = "sqs:SendMessage on queue webhooks.fifo is denied: ";
  expect(bench.faults.findings()).toMatchObject([
    { kind: "backend_refuses_writes", detail: expect.stringContaining(said) as unknown },
  ]);
  expect(bench.logged.filter((line) => line.includes(said))).not.toEqual([]);
  model.faults.denied.clear();
  await receiver.waitFor(2);
  await until(() => bench.faults.findings().length === 0, { what: "the end of the fault" });
  await stop(bench);
});

test("a raw queue delivers body and attributes of any SDK's message, and deletes it", async () => {
  model.create("orders").send({
    body: "not json, any text",
    attributes: {
      shoryuken_class: { DataType: "String", StringValue: "MailWorker" },
      bytes: { DataType: "Binary", BinaryValue: "+/8=" },
    },
    group: null,
    deduplicationId: null,
    delaySeconds: null,
  });
  const bench = await start(
    {
      queues: [
        {
          name: "orders",
          format: "raw",
          routes: [{ match: { attribute: "shoryuken_class", equals: "MailWorker" }, endpoint: "mail" }],
        },
      ],
    },
    { endpoints: { mail: { url: `${receiver.url}/mail` } } },
  );
  const request = await receiver.waitFor(1);
  expect([request.path, request.text]).toEqual(["/mail", "not json, any text"]);
  expect(request.headers).toMatchObject({
    "x-hookline-attr-shoryuken_class": "MailWorker",
    "x-hookline-attr-bytes-b64": "-_8",
  });
  await until(() => model.queues.get("orders")?.messages.size === 0, { what: "the delete" });
  await stop(bench);
});

describe("producers", () => {
  const sockudo = (channel: string) =>
    `{"app_key":"app-key","app_id":"app-1","app_secret":"app-secret","payload":{"time_ms":1,"events":[{"name":"channel_occupied","channel":"${channel}"}]},"original_signature":"x"}`;

  const channels = (): string[] =>
    receiver.requests.map(({ text }) => /"channel":"(\w+)"/.exec(text)?.[1] ?? "").sort();

  test("npm's @aws-sdk/client-sqs, with and without message attributes", async () => {
    const { url } = model.create("webhooks");
    const client = new SQSClient({
      region: "us-east-1",
      endpoint: model.endpoint,
      credentials: { accessKeyId: "t", secretAccessKey: "t" },
    });
    const MessageAttributes = {
      text: { DataType: "String", StringValue: "v" },
      bytes: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 255) },
    };
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: sockudo("plain") }));
    await client.send(
      new SendMessageCommand({ QueueUrl: url, MessageBody: sockudo("more"), MessageAttributes }),
    );
    client.destroy();
    const bench = await start({ queues: ["webhooks"] });
    await receiver.waitFor(2);
    expect(channels()).toEqual(["more", "plain"]);
    await stop(bench);
  });

  const aws = Bun.which("aws");
  test.skipIf(aws === null)("the aws CLI, with and without message attributes", async () => {
    model.create("webhooks");
    const send = async (...more: readonly string[]): Promise<number> => {
      const child = Bun.spawn(
        `${aws} sqs send-message --region us-east-1 --endpoint-url ${model.endpoint} --queue-url ${model.endpoint}/123456789012/webhooks`
          .split(" ")
          .concat(more),
        {
          env: { ...process.env, AWS_ACCESS_KEY_ID: "t", AWS_SECRET_ACCESS_KEY: "t", AWS_PAGER: "" },
          stdout: "ignore",
          stderr: "inherit",
        },
      );
      return child.exited;
    };
    const attributes = '{"text":{"DataType":"String","StringValue":"v"}}';
    const codes = await Promise.all([
      send("--message-body", sockudo("plain")),
      send("--message-body", sockudo("more"), "--message-attributes", attributes),
    ]);
    expect(codes).toEqual([0, 0]);
    const bench = await start({ queues: ["webhooks"] });
    await receiver.waitFor(2);
    expect(channels()).toEqual(["more", "plain"]);
    await stop(bench);
  });
});

test("a byte order mark before a job is skipped, and an envelope of SNS is a dead letter that says what to switch on", async () => {
  model.create("webhooks");
  const job = `{"app_key":"app-key","app_id":"app-1","payload":{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"}]},"original_signature":"x"}`;
  // What SNS sends to a queue (SNS developer guide, "Parsing message formats").
  const envelope = JSON.stringify({
    Type: "Notification",
    MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    TopicArn: "arn:aws:sns:us-east-1:123456789012:webhooks",
    Message: job,
    Timestamp: "2026-11-30T12:00:00.000Z",
    SignatureVersion: "1",
    Signature: "x",
    SigningCertURL: "https://sns.us-east-1.amazonaws.com/x.pem",
    UnsubscribeURL: "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
  });
  for (const body of [`\ufeff${job}`, envelope]) {
    const message = { body, attributes: {}, group: null, deduplicationId: null, delaySeconds: null };
    model.queues.get("webhooks")?.send(message);
  }
  const bench = await start({ queues: ["webhooks"] });
  await receiver.waitFor(1);
  await until(() => model.queues.get("webhooks-dead")?.messages.size === 1, { what: "the dead letter" });
  const [letter] = await bench.dead();
  expect(letter?.reason).toBe("malformed");
  expect(letter?.detail).toContain("SNS raw message delivery");
  expect([receiver.count, receiver.requests[0]?.text]).toEqual([
    1,
    '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"}]}',
  ]);
  await stop(bench);
});

test("an SQS that answers errors for a while, then recovers: no restart, nothing lost", async () => {
  const seconds = process.env["HOOKLINE_LONG"] === "1" ? 20 : 2;
  const bench = await start({ queues: ["webhooks"], sqs: { concurrency: 8, visibility_timeout: 30 } });
  const queue = model.queues.get("webhooks");
  const total = 300;
  for (let n = 0; n < total; n += 1) {
    queue?.send({
      body: `{"app_key":"app-key","app_id":"app-1","payload":{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c${n}"}]},"original_signature":"x"}`,
      attributes: {},
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
  }
  await receiver.waitForCount(50);
  model.faults.outage = true;
  const end = performance.now() + seconds * 1_000;
  await until(() => performance.now() > end, { timeoutMs: 30_000, everyMs: 50 });
  model.faults.outage = false;
  await until(() => queue?.messages.size === 0, { timeoutMs: 90_000, what: "an empty queue" });
  const channels = new Set(receiver.requests.map(({ text }) => /"channel":"(c\d+)"/.exec(text)?.[1]));
  expect(channels.size).toBe(total);
  expect(bench.supervisor.children().reduce((sum, { restarts }) => sum + restarts, 0)).toBe(0);
  await stop(bench);
}, 240_000);
