import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { ConfigError, DriverUnavailableError } from "../../src/errors.ts";
import { createLogger, silentLogger } from "../../src/log.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { createSqsDriver } from "../../src/queue/drivers/sqs/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { noEvents, openSqs, sqsOptions } from "./sqs-subject.ts";

let model: SqsModel;
const opened: QueueDriver[] = [];
beforeEach(() => {
  model = createSqsModel();
});
/** What a driver says stands wrong. */
function problemDetails(driver: QueueDriver): string[] {
  return (driver.problems?.() ?? []).map(({ detail }) => detail);
}
afterEach(async () => {
  model.endPolls();
  for (const driver of opened.splice(0)) await driver.close();
  await model.stop();
});

async function open(overrides: Partial<SqsOptions> = {}): Promise<QueueDriver> {
  const driver = await openSqs(model.endpoint, overrides);
  opened.push(driver);
  return driver;
}

/** Messages of the issues an open ends with; empty when it succeeds. */
async function issuesOf(overrides: Partial<SqsOptions> = {}): Promise<string[]> {
  try {
    const driver = createSqsDriver(sqsOptions(model.endpoint, overrides), {
      clock: systemClock,
      log: silentLogger,
      events: noEvents,
    });
    opened.push(driver);
    await driver.open(new AbortController().signal);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues.map(({ path, message }) => `${path}: ${message}`);
  }
}

const account = () => `${model.endpoint}/123456789012`;

describe("queues", () => {
  test("missing ones are created with their dead letter queues, for high throughput and 14 days", async () => {
    await open({ fifo: true });
    expect([...model.queues.keys()].sort()).toEqual(["webhooks-dead.fifo", "webhooks.fifo"]);
    expect(model.queues.get("webhooks.fifo")?.attributes).toEqual({
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      VisibilityTimeout: "30",
      MessageRetentionPeriod: "1209600",
      ReceiveMessageWaitTimeSeconds: "20",
    });
  });

  test("without auto_create a missing queue is named", async () => {
    expect(await issuesOf({ autoCreate: false })).toEqual([
      expect.stringContaining("queue webhooks does not exist"),
    ]);
    expect(model.queues.size).toBe(0);
  });

  test("where creation is denied, the missing permission is named", async () => {
    model.faults.denied.add("CreateQueue");
    expect(await issuesOf()).toEqual([
      expect.stringContaining("sqs:CreateQueue on queue webhooks is denied: "),
    ]);
  });

  test("names, URLs, prefixes and ARNs of any partition lead to the same queue", async () => {
    model.create("webhooks");
    model.create("webhooks-dead");
    for (const overrides of [
      {},
      { queueUrl: `${account()}/webhooks` },
      { queueUrlPrefix: `${account()}/` },
      { queueUrl: "arn:aws-cn:sqs:us-east-1:123456789012:webhooks" },
      { queues: [{ name: "x", url: `${account()}/webhooks` }] },
    ]) {
      const driver = await open(overrides);
      const name = "queues" in overrides ? "x" : "webhooks";
      expect((await driver.stats(name)).ready).toBe(0);
    }
    expect([...model.queues.keys()]).toEqual(["webhooks", "webhooks-dead"]);
  });

  test("several queues at one URL are one consumer, and each may lease from it", async () => {
    const names = ["client_event_webhooks", "member_added_webhooks"];
    const driver = await open({
      queues: names.map((name) => ({ name, url: null })),
      queueUrl: `${account()}/soketi.fifo`,
      fifo: true,
    });
    const wish = {
      max: 10,
      leaseMs: 30_000,
      waitMs: 1_000,
      closedKeys: new Set<string>(),
      parkedMax: 1,
      signal: new AbortController().signal,
    };
    model.resetRequests();
    const waiting = names.map((name) => driver.lease(name, wish));
    model.queues
      .get("soketi.fifo")
      ?.send({ body: "1", attributes: {}, group: "g", deduplicationId: "1", delaySeconds: null });
    const leases = (await Promise.all(waiting)).flat();
    expect(leases).toHaveLength(1);
    expect(await driver.settle([{ verb: "ack", lease: leases[0]! }])).toEqual([{ status: "settled" }]);
  });

  test("a queue in another region than the configured one is said so", async () => {
    const url = "https://sqs.eu-central-1.amazonaws.com/123456789012/webhooks";
    expect(await issuesOf({ queueUrl: url, endpointUrl: null })).toEqual([
      expect.stringContaining("queue.sqs.region: queue webhooks is in eu-central-1"),
    ]);
  });

  test("an existing RedrivePolicy is used: its target takes the dead letters, its count bounds the attempts", async () => {
    const target = model.create("their-dead");
    model.create("webhooks", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 4 }),
    });
    const driver = await open();
    expect([...model.queues.keys()]).toEqual(["their-dead", "webhooks"]);
    const warnings = problemDetails(driver).join("\n");
    expect(warnings).toContain("at most 3 attempts, not 12");
  });

  test("FIFO, block and a small maxReceiveCount contradict each other", async () => {
    const target = model.create("their-dead.fifo", { FifoQueue: "true" });
    model.create("webhooks.fifo", {
      FifoQueue: "true",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 5 }),
    });
    expect(await issuesOf({ fifo: true })).toEqual([expect.stringContaining("queue.sqs.fifo_on_failure")]);
    expect(await issuesOf({ fifo: true, fifoOnFailure: "dead" })).toEqual([]);
  });

  test("short retention and low throughput are warnings, said and logged", async () => {
    model.create("webhooks.fifo", { FifoQueue: "true", MessageRetentionPeriod: "3600" });
    const lines: string[] = [];
    const log = createLogger({
      level: "info",
      format: "json",
      write: (line) => void lines.push(line),
      mask: (text) => text,
      now: () => 0,
    });
    const driver = await openSqs(model.endpoint, { fifo: true }, { log });
    opened.push(driver);
    expect(problemDetails(driver)).toHaveLength(2);
    expect(lines.join("")).toContain("MessageRetentionPeriod to 1209600");
    expect(lines.join("")).toContain("FifoThroughputLimit=perMessageGroupId");
  });
});

describe("permissions", () => {
  for (const action of ["DeleteMessage", "ChangeMessageVisibility", "ReceiveMessage", "GetQueueAttributes"]) {
    test(`a missing sqs:${action} stops the start and is named`, async () => {
      model.create("webhooks");
      model.create("webhooks-dead");
      model.faults.denied.add(action);
      expect((await issuesOf()).join("\n")).toMatch(
        new RegExp(`sqs:${action} on queue webhooks\\S* is denied: .* add sqs:${action} to`),
      );
    });
  }

  test("all that is missing is said at once", async () => {
    model.create("webhooks");
    model.create("webhooks-dead");
    model.faults.denied.add("DeleteMessage").add("ChangeMessageVisibility");
    expect(await issuesOf()).toHaveLength(2);
  });

  test("a producer alone needs neither to receive nor to delete", async () => {
    model.create("webhooks");
    model.create("webhooks-dead");
    for (const action of ["DeleteMessage", "ChangeMessageVisibility", "ReceiveMessage"]) {
      model.faults.denied.add(action);
    }
    expect(await issuesOf({ consume: false })).toEqual([]);
  });

  test("credentials are found where AWS's tools find them", async () => {
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = "test";
    expect(await issuesOf({ clientOptions: {} })).toEqual([]);
    for (const [index, name] of names.entries()) {
      if (before[index] === undefined) delete process.env[name];
      else process.env[name] = before[index];
    }
  });

  test("expired credentials are said plainly", async () => {
    model.faults.expiredToken = true;
    expect(await issuesOf()).toEqual([expect.stringContaining("SQS does not accept the credentials")]);
  });

  test("an SQS that does not answer is unavailable, not misconfigured", async () => {
    model.faults.outage = true;
    await expect(issuesOf()).rejects.toBeInstanceOf(DriverUnavailableError);
  });

  test("a driver that could not open is opened once SQS answers", async () => {
    const driver = createSqsDriver(sqsOptions(model.endpoint), {
      clock: systemClock,
      log: silentLogger,
      events: noEvents,
    });
    opened.push(driver);
    const { signal } = new AbortController();
    model
      .create("webhooks")
      .send({ body: "1", attributes: {}, group: null, deduplicationId: null, delaySeconds: null });
    model.create("webhooks-dead");
    model.faults.outage = true;
    await expect(driver.open(signal)).rejects.toBeInstanceOf(DriverUnavailableError);
    model.faults.outage = false;
    model.faults.denied.add("ReceiveMessage");
    await expect(driver.open(signal)).rejects.toBeInstanceOf(ConfigError);
    model.faults.denied.clear();
    await driver.open(signal);
    const wish = { max: 10, leaseMs: 30_000, waitMs: 0, closedKeys: new Set<string>(), parkedMax: 1, signal };
    expect(await driver.lease("webhooks", wish)).toHaveLength(1);
  });

  test("a missing sqs:SendMessage is told to whoever enqueues", async () => {
    const driver = await open();
    model.faults.denied.add("SendMessage");
    const job = {
      id: "1",
      body: "{}",
      delayMs: 0,
      group: null,
      deduplicationId: null,
      routing: null,
      dedup: null,
    };
    await expect(driver.enqueue("webhooks", [job])).rejects.toThrow("add sqs:SendMessage");
  });
});

describe("client options", () => {
  test("SDK v2 names are mapped, unknown ones refused without their values", async () => {
    const issues = await issuesOf({
      clientOptions: {
        accessKeyId: "a",
        secretAccessKey: "hidden-secret",
        maxRetries: 1,
        s3ForcePathStyle: "x9z",
      },
    });
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain("queue.sqs.client_options.s3ForcePathStyle: unknown option");
    expect(issues.join("")).not.toContain("hidden-secret");
    expect(issues.join("")).not.toContain("x9z");
  });

  test("half a pair of credentials is an issue", async () => {
    expect(await issuesOf({ clientOptions: { accessKeyId: "a" } })).toEqual([
      expect.stringContaining("belong together"),
    ]);
  });

  test("another deduplication_ttl_ms than SQS's five minutes is an issue with FIFO", async () => {
    expect(await issuesOf({ fifo: true, deduplicationTtlMs: 1_000 })).toEqual([
      expect.stringContaining("deduplicates for 300000 ms"),
    ]);
  });
});
