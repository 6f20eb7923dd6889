import { describe, expect, test } from "bun:test";
import type { ConfigInput } from "../../src/config/schema.ts";
import type { Lease, QueueDriver } from "../../src/queue/driver.ts";
import { createAttemptMemory } from "../../src/queue/drivers/sqs/attempts.ts";
import { createGrace } from "../../src/queue/drivers/sqs/grace.ts";
import type { HeldMessage } from "../../src/queue/drivers/sqs/message.ts";
import type { SqsQueue } from "../../src/queue/drivers/sqs/queue.ts";
import { startReceiver } from "../support/receiver.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";
import { startWorker, type WorkerBench } from "../support/worker.ts";
import { job } from "./conformance-bench.ts";
import { openSqs } from "./sqs-subject.ts";

// A job that this process cannot route goes back for a while: on SQS another may know better (unknown_grace_ms).

describe("how long it goes back", () => {
  const sentAt = 1_000_000;
  const rules = (
    at: number,
    {
      fifo = false,
      maxReceiveCount = null as number | null,
      messageGroupId = "{app_id}",
      graceMs = 900_000,
    } = {},
  ) => {
    const memory = createAttemptMemory();
    const clock = { now: () => sentAt + at, monotonic: () => 0 };
    const grace = createGrace({ memory, clock, unknownGraceMs: graceMs, messageGroupId });
    const queue = { fifo, maxReceiveCount } as SqsQueue;
    return (putBacks: number, receiveCount = putBacks + 1) => {
      memory.remember("m", { putBacks });
      return grace(queue, { id: "m", sentAt, receiveCount } as HeldMessage)?.delayMs ?? null;
    };
  };

  test("one second, doubling to thirty, until the grace is over", () => {
    expect([0, 1, 2, 3, 4, 5, 6, 100].map((times) => rules(0)(times))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(rules(890_000)(50)).toBe(10_000);
    expect([rules(899_999)(50), rules(900_000)(50)]).toEqual([1, null]);
    expect([rules(0, { graceMs: 0 })(0), rules(4_000, { graceMs: 5_000 })(3)]).toEqual([null, 1_000]);
  });

  test("with a RedrivePolicy at most maxReceiveCount - 2 times, other receives counted", () => {
    const back = rules(0, { maxReceiveCount: 5 });
    expect([back(0), back(1), back(2), back(3)]).toEqual([1_000, 2_000, 4_000, null]);
    expect([back(0, 3), back(0, 4)]).toEqual([1_000, null]);
    expect(rules(0, { maxReceiveCount: 2 })(0)).toBeNull();
  });

  test("on FIFO at most 30 s, and not at all where all jobs are one group", () => {
    const fifo = { fifo: true };
    expect([rules(0, fifo)(0), rules(29_000, fifo)(5), rules(30_000, fifo)(5)]).toEqual([1_000, 1_000, null]);
    expect(rules(0, { ...fifo, messageGroupId: "default" })(0)).toBeNull();
    expect(rules(0, { messageGroupId: "default" })(0)).toBe(1_000);
  });
});

async function take(driver: QueueDriver): Promise<Lease> {
  const wish = { max: 1, leaseMs: 30_000, waitMs: 100, closedKeys: new Set<string>(), parkedMax: 1 };
  return until(
    async () => (await driver.lease("webhooks", { ...wish, signal: new AbortController().signal }))[0],
    { what: "a lease" },
  );
}

test("put back, the job is visible to others after the delay, and no attempt is charged", async () => {
  const model = createSqsModel();
  const [driver, other] = await Promise.all([openSqs(model.endpoint), openSqs(model.endpoint)]);
  await driver.enqueue("webhooks", [job("x")]);
  for (const expected of [
    { delayMs: 1_000, times: 0 },
    { delayMs: 2_000, times: 1 },
  ]) {
    const held = await take(driver);
    const back = driver.putBack?.(held);
    expect([back, held.job.attempts]).toEqual([expected, 0]);
    const release = { verb: "release", delayMs: back?.delayMs ?? 0, lease: held } as const;
    expect(await driver.settle([release])).toEqual([{ status: "settled" }]);
    expect(model.queues.get("webhooks")?.counts()).toMatchObject({ visible: 0, inFlight: 1 });
    model.clock.advance(expected.delayMs);
    expect(model.queues.get("webhooks")?.counts()).toMatchObject({ visible: 1, inFlight: 0 });
  }
  const theirs = await take(other);
  expect([theirs.job.attempts, other.putBack?.(theirs)?.times]).toEqual([0, 0]);
  model.endPolls();
  await Promise.all([driver.close(), other.close()]);
  await model.stop();
});

test("a job that SQS fails to hide waits in this process, and is not asked for in a tight loop", async () => {
  const model = createSqsModel();
  const driver = await openSqs(model.endpoint);
  await driver.enqueue("webhooks", [job("x")]);
  const held = await take(driver);
  model.faults.failEntry = () => "InternalError";
  const startedAt = performance.now();
  await driver.settle([{ verb: "release", delayMs: 1_000, lease: held }]);
  model.faults.failEntry = null;
  const again = await take(driver);
  expect(performance.now() - startedAt).toBeGreaterThan(990);
  expect([again.job.attempts, driver.putBack?.(again)?.times]).toEqual([0, 1]);
  model.endPolls();
  await driver.close();
  await model.stop();
});

describe.concurrent("two processes with different configurations", () => {
  const start = async (model: SqsModel, config: ConfigInput, sqs: object = {}): Promise<WorkerBench> => {
    const bench = await startWorker({
      start: false,
      config: {
        ...config,
        queue: {
          driver: "sqs",
          ...config.queue,
          sqs: {
            endpoint_url: model.endpoint,
            client_options: { accessKeyId: "t", secretAccessKey: "t" },
            wait_time_seconds: 1,
            ...sqs,
          },
        },
      },
    });
    await bench.memory.open(new AbortController().signal);
    bench.consumption.start();
    return bench;
  };
  const app = (id: string, url: string): NonNullable<ConfigInput["apps"]>[number] => ({
    id,
    key: `${id}-key`,
    secret: `${id}-secret`,
    webhooks: [{ url, event_types: ["channel_occupied"] }],
  });
  const put = (model: SqsModel, appId: string): void => {
    model.queues.get("webhooks")?.send({
      body: `{"app_key":"${appId}-key","app_id":"${appId}","payload":{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c"}]},"original_signature":"x"}`,
      attributes: {},
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
  };

  test("what the older one does not know is delivered by the newer, without a dead letter", async () => {
    const model = createSqsModel();
    await using receiver = await startReceiver();
    const older = await start(model, { apps: [app("old", receiver.url)] });
    put(model, "new");
    const isPutBack = (line: string): boolean => line.includes("put back");
    await until(() => older.logged.some(isPutBack), { what: "the put-back" });
    expect(JSON.parse(older.logged.find(isPutBack) ?? "{}")).toMatchObject({
      level: "info",
      reason: "unknown_app",
      delay_ms: 1_000,
    });
    const newer = await start(model, { apps: [app("old", receiver.url), app("new", receiver.url)] });
    // SQS may hand it to the older one again and again, each time twice as late.
    await older.memory.pause("webhooks");
    await receiver.waitForCount(1);
    await until(() => model.queues.get("webhooks")?.messages.size === 0, { what: "the deletion" });
    expect(model.queues.get("webhooks-dead")?.messages.size).toBe(0);
    model.endPolls();
    await Promise.all([older[Symbol.asyncDispose](), newer[Symbol.asyncDispose]()]);
    await model.stop();
  });

  test("after the grace it is a dead letter that says how often it went back", async () => {
    const model = createSqsModel();
    const bench = await start(model, {
      apps: [app("old", "http://127.0.0.1:9/")],
      queue: { reliability: { unknown_grace_ms: 1_500 } },
    });
    put(model, "new");
    await until(() => model.queues.get("webhooks-dead")?.messages.size === 1, { what: "the dead letter" });
    const [letter] = await bench.dead();
    expect(letter).toMatchObject({ reason: "unknown_app", attempts: 0 });
    expect(letter?.detail).toMatch(/^there is no app of this id or key; put back [12] times before$/);
    const counted = bench.metrics.deadLettered.labels({ queue: "webhooks", reason: "unknown_app" });
    expect(counted.value).toBe(1);
    model.endPolls();
    await bench[Symbol.asyncDispose]();
    await model.stop();
  });

  test("what no process could route is dead at once", async () => {
    const model = createSqsModel();
    const bench = await start(model, { apps: [app("old", "http://127.0.0.1:9/")] });
    model.queues.get("webhooks")?.send({
      body: "not json",
      attributes: {},
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
    await until(() => model.queues.get("webhooks-dead")?.messages.size === 1, { what: "the dead letter" });
    expect(await bench.dead()).toMatchObject([{ reason: "malformed", detail: "not JSON" }]);
    model.endPolls();
    await bench[Symbol.asyncDispose]();
    await model.stop();
  });
});
