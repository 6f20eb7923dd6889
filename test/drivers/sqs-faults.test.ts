import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { DriverUnavailableError, PayloadTooLargeError } from "../../src/errors.ts";
import type { Disposition, Lease, NewJob, OwnDeadLetter, QueueDriver } from "../../src/queue/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";
import { noEvents, openSqs } from "./sqs-subject.ts";

let model: SqsModel;
const opened: QueueDriver[] = [];
beforeEach(() => {
  model = createSqsModel();
});
afterEach(async () => {
  model.endPolls();
  for (const driver of opened.splice(0)) await driver.close();
  await model.stop();
});

/** What the driver said that it gave up by itself. */
let givenUp: [queue: string, letter: OwnDeadLetter][] = [];

async function open(overrides: Partial<SqsOptions> = {}): Promise<QueueDriver> {
  givenUp = [];
  const events = {
    ...noEvents,
    deadLettered: (queue: string, letter: OwnDeadLetter) => void givenUp.push([queue, letter]),
  };
  const driver = await openSqs(model.endpoint, { waitTimeSeconds: 1, ...overrides }, { events });
  opened.push(driver);
  return driver;
}

const job = (id: string, body: NewJob["body"] = id): NewJob => ({
  id,
  body,
  delayMs: 0,
  group: null,
  deduplicationId: null,
  routing: null,
  dedup: null,
});
const jobs = (count: number): NewJob[] => Array.from({ length: count }, (_, n) => job(`j${n}`));
const wish = { max: 10, leaseMs: 30_000, waitMs: 0, closedKeys: new Set<string>(), parkedMax: 100 };
const lease = (driver: QueueDriver, overrides: Partial<typeof wish> = {}): Promise<Lease[]> =>
  driver.lease("webhooks", { ...wish, ...overrides, signal: new AbortController().signal });
const settle = async (driver: QueueDriver, disposition: Disposition, ...leases: Lease[]): Promise<string[]> =>
  (await driver.settle(leases.map((held) => ({ ...disposition, lease: held })))).map(({ status }) => status);
const ack: Disposition = { verb: "ack" };
const dead: Disposition = {
  verb: "dead",
  reason: "http_410",
  detail: null,
  endpoint: "a/b",
  attempted: true,
};
const bodies = (name = "webhooks"): string[] =>
  [...(model.queues.get(name)?.messages.values() ?? [])].map(({ body }) => body);

async function collect(driver: QueueDriver, count: number, leaseMs = 30_000): Promise<Lease[]> {
  const held: Lease[] = [];
  await until(
    async () => {
      held.push(...(await lease(driver, { waitMs: 100, max: count - held.length, leaseMs })));
      return held.length >= count;
    },
    { what: `${count} leases`, timeoutMs: 90_000 },
  );
  return held;
}

describe("batches", () => {
  test("leases, acks and enqueues of 100 jobs are at most a quarter of a request a job", async () => {
    const driver = await open();
    model.resetRequests();
    await driver.enqueue("webhooks", jobs(100));
    expect(model.requests.get("SendMessageBatch")).toBe(10);
    const held = await collect(driver, 100);
    await settle(driver, ack, ...held);
    expect(model.requests.get("DeleteMessageBatch")).toBe(10);
    expect(model.requests.get("ReceiveMessage") ?? 0).toBeLessThan(16);
  });

  test("an idle queue costs one request a wait time", async () => {
    const driver = await open();
    model.resetRequests();
    expect(await lease(driver, { waitMs: 900, max: 200 })).toEqual([]);
    expect(model.requestCount()).toBe(1);
  });

  test("entries that SQS fails are tried again alone, and the right ones stay", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(30));
    const held = await collect(driver, 30);
    const failing = new Set(held.slice(3, 6).map(({ token }) => token.slice(token.indexOf(":") + 1)));
    model.faults.failEntry = (action, entry) =>
      action === "DeleteMessageBatch" && failing.has(entry["ReceiptHandle"] as string)
        ? "InternalError"
        : null;
    // Their jobs have ended: they are deleted when SQS does so (sqs-undeleted.test.ts).
    expect(new Set(await settle(driver, ack, ...held))).toEqual(new Set(["settled"]));
    expect(bodies().sort()).toEqual(
      held
        .slice(3, 6)
        .map(({ job }) => job.id)
        .sort(),
    );
  });

  test("an entry that fails once is settled at the second try", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(10));
    const held = await collect(driver, 10);
    let failures = 0;
    model.faults.failEntry = (action) => {
      if (action !== "DeleteMessageBatch" || failures >= 4) return null;
      failures += 1;
      return "InternalError";
    };
    expect(new Set(await settle(driver, ack, ...held))).toEqual(new Set(["settled"]));
    expect(bodies()).toEqual([]);
  });

  test("a job that SQS refuses fails alone", async () => {
    const driver = await open();
    model.faults.failEntry = (_, entry) => (entry["MessageBody"] === "j1" ? "InvalidParameterValue" : null);
    const results = await driver.enqueue("webhooks", jobs(3));
    expect(results.map(({ status }) => status)).toEqual(["enqueued", "failed", "enqueued"]);
  });

  test("large jobs share batches up to 1 MiB", async () => {
    const driver = await open();
    model.resetRequests();
    const large = Array.from({ length: 5 }, (_, n) => job(`l${n}`, "x".repeat(400_000)));
    expect((await driver.enqueue("webhooks", large)).map(({ status }) => status)).toEqual(
      large.map(() => "enqueued"),
    );
    expect(model.requests.get("SendMessageBatch")).toBe(3);
  });

  test("the queue's own MaximumMessageSize counts", async () => {
    model.create("webhooks", { MaximumMessageSize: "2048", MessageRetentionPeriod: "1209600" });
    const driver = await open();
    expect(driver.capabilities.maxPayloadBytes).toBe(2048 - 256);
    const [fits, large] = await driver.enqueue("webhooks", [
      job("fits", "x".repeat(2048 - 256)),
      job("large", "x".repeat(2048 - 255)),
    ]);
    expect(fits?.status).toBe("enqueued");
    expect(large?.status === "failed" && large.error).toBeInstanceOf(PayloadTooLargeError);
  });
});

test("one lease that SQS fails to extend costs the others nothing", async () => {
  const driver = await open();
  await driver.enqueue("webhooks", jobs(3));
  const held = await collect(driver, 3);
  const failing = held[1]!.token.split("#")[1] ?? "";
  model.faults.failEntry = (action, entry) =>
    action === "ChangeMessageVisibilityBatch" && String(entry["ReceiptHandle"]).endsWith(failing)
      ? "InternalError"
      : null;
  expect(await driver.extend(held, 30_000)).toEqual(["extended", "unknown", "extended"]);
  await expect(driver.extend([held[1]!], 30_000)).rejects.toBeInstanceOf(DriverUnavailableError);
  model.faults.failEntry = null;
  expect(await driver.extend(held, 30_000)).toEqual(["extended", "extended", "extended"]);
});

describe("outages", () => {
  test("an SQS that answers errors, then recovers: calls say unavailable, nothing is lost", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(10));
    const held = await collect(driver, 10);
    model.faults.outage = true;
    // A wait that ends while the client still repeats its call brings nothing; the next one says why.
    const leaseInTheEnd = async () => {
      for (;;) expect(await lease(driver, { max: 50, waitMs: 500 })).toEqual([]);
    };
    await expect(leaseInTheEnd()).rejects.toBeInstanceOf(DriverUnavailableError);
    await expect(settle(driver, ack, ...held)).rejects.toBeInstanceOf(DriverUnavailableError);
    await expect(driver.extend(held, 30_000)).rejects.toBeInstanceOf(DriverUnavailableError);
    await expect(driver.enqueue("webhooks", jobs(1))).rejects.toBeInstanceOf(DriverUnavailableError);
    await expect(driver.ping(new AbortController().signal)).rejects.toBeInstanceOf(DriverUnavailableError);
    model.faults.outage = false;
    // Nothing was settled, so that settling again is safe.
    expect(new Set(await settle(driver, ack, ...held))).toEqual(new Set(["settled"]));
    expect(bodies()).toEqual([]);
    await driver.enqueue("webhooks", jobs(1));
    expect((await collect(driver, 1))[0]?.job.id).toBe("j0");
  }, 120_000);

  test("throttling is waited out by the client", async () => {
    const driver = await open();
    model.faults.throttle = 2;
    expect((await driver.enqueue("webhooks", jobs(1))).map(({ status }) => status)).toEqual(["enqueued"]);
  });

  test("a gateway's error page is an outage", async () => {
    const driver = await open();
    model.faults.gateway = true;
    await expect(driver.enqueue("webhooks", jobs(1))).rejects.toBeInstanceOf(DriverUnavailableError);
    model.faults.gateway = false;
  });

  test("a permission that is withdrawn later is unavailable, and its name is said", async () => {
    const driver = await open();
    model.faults.denied.add("ReceiveMessage");
    await expect(lease(driver, { waitMs: 500 })).rejects.toThrow("sqs:ReceiveMessage");
  });

  test("a delete whose answer was lost is settled all the same", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(3));
    const held = await collect(driver, 3);
    model.faults.loseAnswer.add("DeleteMessageBatch");
    expect(await settle(driver, ack, ...held)).toEqual(["settled", "settled", "settled"]);
  });

  test("settlements of a call that threw are told when they are settled again", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(2));
    const [one, two] = await collect(driver, 2);
    const settlements = [
      { verb: "retry", delayMs: 60_000, lease: one! },
      { ...ack, lease: two! },
    ] as const;
    model.faults.outage = true;
    await expect(driver.settle(settlements)).rejects.toBeInstanceOf(DriverUnavailableError);
    model.faults.outage = false;
    expect(await driver.settle(settlements)).toEqual([{ status: "settled" }, { status: "settled" }]);
  });
});

describe("attempts and ages", () => {
  test("group mates and deferrals do not count: attempts are ours", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    for (let round = 0; round < 3; round += 1) {
      const [held] = await collect(driver, 1);
      expect([held?.job.attempts, held?.job.message?.receiveCount]).toEqual([0, round + 1]);
      await settle(driver, { verb: "release" }, held!);
    }
  });

  describe("how long a job has been failing", () => {
    const retry = (delayMs: number, attemptMs: number): Disposition => ({
      verb: "retry",
      delayMs,
      attemptMs,
      endpoint: "a/b",
      detail: "status 503",
      body: "kept",
    });
    const letters = async (driver: QueueDriver) =>
      (await driver.deadLetters("webhooks", { limit: 10, cursor: null })).items;

    test("longer than its schedule times 1.5, it is dead, and the text says so", async () => {
      const driver = await open({ retryScheduleMs: 4_000, retryDelaysMs: [4_000] });
      await driver.enqueue("webhooks", jobs(1));
      // The first attempt may take any time: until it ends, nothing has failed.
      expect(await settle(driver, retry(10, 60_000), ...(await collect(driver, 1)))).toEqual(["settled"]);
      expect(await settle(driver, retry(10, 5_000), ...(await collect(driver, 1)))).toEqual(["settled"]);
      expect(await settle(driver, retry(10, 1_200), ...(await collect(driver, 1)))).toEqual(["settled"]);
      const [letter] = await letters(driver);
      // What came of the attempt, and what of the limit; the bytes are those that may be kept.
      const detail =
        "status 503; failing for 6.2 s since its first attempt, waits for its turn left out; the limit is 6 s, 1.5 times its retry schedule";
      const told = { jobId: "j0", reason: "max_age", endpoint: "a/b", detail };
      expect(letter).toMatchObject({ ...told, attempts: 3, body: "kept" });
      expect(givenUp).toEqual([["webhooks", expect.objectContaining(told)]]);
    });

    test("waiting does not count: in the queue, parked, given back", async () => {
      const driver = await open({ retryScheduleMs: 100, retryDelaysMs: [100] });
      await driver.enqueue("webhooks", jobs(1));
      model.clock.advance(3_600_000);
      const [held] = await collect(driver, 1);
      await settle(driver, { verb: "park", key: "lane" }, held!);
      const end = performance.now() + 400;
      const closedKeys = new Set(["lane"]);
      while (performance.now() < end) expect(await lease(driver, { waitMs: 50, closedKeys })).toEqual([]);
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const [again] = await collect(driver, 1);
        expect(again?.job.attempts).toBe(attempt - 1);
        await settle(driver, { verb: "park", key: "lane" }, again!);
        const later = performance.now() + 200;
        while (performance.now() < later) expect(await lease(driver, { waitMs: 50, closedKeys })).toEqual([]);
        expect(await settle(driver, retry(10, 1), ...(await collect(driver, 1)))).toEqual(["settled"]);
      }
      expect(await letters(driver)).toEqual([]);
    });

    test("a Retry-After that is longer than the schedule does not count beyond it", async () => {
      const driver = await open({ retryScheduleMs: 40, retryDelaysMs: [20] });
      await driver.enqueue("webhooks", jobs(1));
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        expect(await settle(driver, retry(300, 0), ...(await collect(driver, 1)))).toEqual(["settled"]);
      }
      expect(await letters(driver)).toEqual([]);
      expect(await settle(driver, retry(300, 1), ...(await collect(driver, 1)))).toEqual(["settled"]);
      expect(await letters(driver)).toMatchObject([{ reason: "max_age", attempts: 4 }]);
    });
  });

  test("what a settlement dead-letters is not told a second time", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    expect(await settle(driver, dead, ...(await collect(driver, 1)))).toEqual(["settled"]);
    expect(givenUp).toEqual([]);
  });

  test("a dead letter whose copy is not confirmed is told once it is", async () => {
    const driver = await open({ retryScheduleMs: 0 });
    const retry = { verb: "retry", delayMs: 0, attemptMs: 1 } as const;
    await driver.enqueue("webhooks", jobs(1));
    await settle(driver, retry, ...(await collect(driver, 1)));
    const [held] = await collect(driver, 1);
    model.faults.denied.add("SendMessage");
    await expect(settle(driver, retry, held!)).rejects.toThrow(
      "sqs:SendMessage on queue webhooks-dead is denied: ",
    );
    expect(givenUp).toEqual([]);
    model.faults.denied.clear();
    expect(await settle(driver, retry, held!)).toEqual(["settled"]);
    expect(givenUp.map(([queue, { jobId }]) => [queue, jobId])).toEqual([["webhooks", "j0"]]);
  });

  test("a message received 500 times without an end becomes a dead letter before it is tried again", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(2));
    const [first] = model.queues.get("webhooks")?.messages.values() ?? [];
    first!.receiveCount = 500;
    const held = await collect(driver, 1);
    expect(held.map(({ job }) => job.id)).toEqual(["j1"]);
    await until(() => bodies("webhooks-dead").length === 1, { what: "the dead letter" });
    expect(bodies("webhooks-dead")).toEqual(["j0"]);
    await until(() => givenUp.length > 0, { what: "the event" });
    expect(bodies()).toEqual(["j1"]);
    expect(givenUp).toMatchObject([["webhooks", { jobId: "j0", reason: "max_receives" }]]);
  });

  test("with a RedrivePolicy, waits are held and the last attempt dead-letters with its reason", async () => {
    const target = model.create("their-dead", { MessageRetentionPeriod: "1209600" });
    model.create("webhooks", {
      MessageRetentionPeriod: "1209600",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 3 }),
    });
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    const [first] = await collect(driver, 1);
    await settle(driver, { verb: "retry", delayMs: 20 }, first!);
    const [second] = await collect(driver, 1);
    // Held, not received again: SQS has counted one receive.
    expect([second?.job.attempts, second?.job.message?.receiveCount]).toEqual([1, 1]);
    await settle(driver, { verb: "retry", delayMs: 20 }, second!);
    const { items } = await driver.deadLetters("webhooks", { limit: 1, cursor: null });
    expect(items[0]).toMatchObject({ jobId: "j0", reason: "attempts_exhausted", attempts: 2 });
    expect(givenUp).toMatchObject([["webhooks", { jobId: "j0", reason: "attempts_exhausted" }]]);
  });

  test("with a RedrivePolicy, what waits for its endpoint or for a worker is held, and counts no receive", async () => {
    const target = model.create("their-dead", { MessageRetentionPeriod: "1209600" });
    model.create("webhooks", {
      MessageRetentionPeriod: "1209600",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 3 }),
    });
    const driver = await open();
    await driver.enqueue("webhooks", jobs(5));
    const [held] = await collect(driver, 1, 1_000);
    await settle(driver, { verb: "park", key: "lane" }, held!);
    // Nobody asks for more: surplus would go back after a second, and be received again by the next call.
    const end = performance.now() + 2_500;
    await until(() => performance.now() > end);
    const closedKeys = new Set(["lane"]);
    for (let n = 0; n < 4; n += 1)
      expect(await lease(driver, { max: 1, closedKeys, waitMs: 500 })).toHaveLength(1);
    expect(
      [...(model.queues.get("webhooks")?.messages.values() ?? [])].map((one) => one.receiveCount),
    ).toEqual([1, 1, 1, 1, 1]);
  });

  test("a delay beyond what a message may be hidden is several hides", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    const [held] = await collect(driver, 1);
    await settle(driver, { verb: "retry", delayMs: 20 * 3_600_000 }, held!);
    model.clock.advance(12 * 3_600_000);
    // SQS shows it again after twelve hours; our clock says that it is not due, and it is hidden once more.
    expect(await lease(driver, { waitMs: 100 })).toEqual([]);
    await until(() => model.queues.get("webhooks")?.counts().inFlight === 1, { what: "the second hide" });
    expect(bodies()).toEqual(["j0"]);
  });
});

describe("what the process holds", () => {
  test("close gives back at once what was received and not leased", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(10));
    await lease(driver, { max: 1 });
    expect(model.queues.get("webhooks")?.counts()).toMatchObject({ visible: 0, inFlight: 10 });
    model.endPolls();
    await driver.close();
    expect(model.queues.get("webhooks")?.counts()).toMatchObject({ visible: 9, inFlight: 1 });
  });

  test("surplus that nobody asks for goes back after a second", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(10));
    await lease(driver, { max: 1 });
    await until(() => model.queues.get("webhooks")?.counts().visible === 9, { what: "the surplus" });
  });

  test("parked jobs stay hidden by heartbeats, and are visible after close", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    const [held] = await collect(driver, 1, 1_000);
    await settle(driver, { verb: "park", key: "lane" }, held!);
    await until(() => (model.requests.get("ChangeMessageVisibilityBatch") ?? 0) >= 3, { what: "heartbeats" });
    expect(model.queues.get("webhooks")?.counts().visible).toBe(0);
    model.endPolls();
    await driver.close();
    expect(model.queues.get("webhooks")?.counts().visible).toBe(1);
  });
});

describe("dead letters", () => {
  test("the reason travels in one attribute, and the message's own ones stay", async () => {
    const driver = await open();
    model.queues.get("webhooks")?.send({
      body: '{"job_class":"Mail"}',
      attributes: { shoryuken_class: { DataType: "String", StringValue: "Mail" } },
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
    await settle(driver, dead, ...(await collect(driver, 1)));
    const [letter] = model.queues.get("webhooks-dead")?.messages.values() ?? [];
    expect(letter?.body).toBe('{"job_class":"Mail"}');
    expect(letter?.attributes["shoryuken_class"]).toEqual({ DataType: "String", StringValue: "Mail" });
    const meta = JSON.parse(letter?.attributes["hookline"]?.StringValue ?? "{}") as { dead: object };
    expect(meta.dead).toMatchObject({ reason: "http_410", endpoint: "a/b", attempts: 1, queue: "webhooks" });
  });

  test("an id that only reading the job told is the dead letter's, and survives redrive", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    expect(await settle(driver, { ...dead, id: "their-id" }, ...(await collect(driver, 1)))).toEqual([
      "settled",
    ]);
    const { items } = await driver.deadLetters("webhooks", { limit: 1, cursor: null });
    expect(items[0]?.jobId).toBe("their-id");
    expect(await driver.redrive("webhooks", { ids: ["their-id"] })).toBe(1);
    expect((await collect(driver, 1))[0]?.job.id).toBe("their-id");
  });

  test("where ten attributes are taken the body is wrapped, and redrive unwraps it", async () => {
    const driver = await open();
    const attributes = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [`a${n}`, { DataType: "String", StringValue: String(n) }]),
    );
    model.queues
      .get("webhooks")
      ?.send({ body: '"é"', attributes, group: null, deduplicationId: null, delaySeconds: null });
    await settle(driver, dead, ...(await collect(driver, 1)));
    expect(bodies("webhooks-dead")[0]).toStartWith('{"hookline_dead":');
    const { items } = await driver.deadLetters("webhooks", { limit: 1, cursor: null });
    expect(items[0]).toMatchObject({ reason: "http_410", body: '"é"' });
    expect(await driver.redrive("webhooks", { max: 1 })).toBe(1);
    const [back] = await collect(driver, 1);
    expect(back?.job.body).toBe('"é"');
    expect(Object.keys(back?.job.message?.attributes ?? {})).toHaveLength(10);
  });

  test("one that would not fit is packed, and its bytes survive", async () => {
    const driver = await open();
    const body = `{"x":"${"é".repeat(524_000)}"}`;
    model.queues.get("webhooks")?.send({
      body: body.padEnd(1_048_560 - 524_000),
      attributes: {},
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
    const [held] = await collect(driver, 1);
    expect(await settle(driver, dead, held!)).toEqual(["settled"]);
    const { items } = await driver.deadLetters("webhooks", { limit: 1, cursor: null });
    expect(items[0]?.body).toBe(held!.job.body);
  });

  test("a copy that is not confirmed keeps the job, and is written when it is asked for again", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(3));
    const held = await collect(driver, 3);
    const failing = held[1]!;
    const settlements = held.map((lease) => ({ ...(lease === failing ? dead : ack), lease }));
    model.faults.failEntry = (action) => (action === "SendMessageBatch" ? "InternalError" : null);
    expect((await driver.settle(settlements)).map(({ status }) => status)).toEqual([
      "settled",
      "unknown",
      "settled",
    ]);
    expect([bodies(), bodies("webhooks-dead")]).toEqual([[failing.job.id], []]);
    await expect(settle(driver, dead, failing)).rejects.toThrow("InternalError");
    model.faults.failEntry = null;
    expect(await settle(driver, dead, failing)).toEqual(["settled"]);
    expect([bodies(), bodies("webhooks-dead")]).toEqual([[], [failing.job.id]]);
  });

  test("a copy that SQS refuses fails its settlement, and the job comes again", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    model.faults.failEntry = (action) => (action === "SendMessageBatch" ? "InvalidMessageContents" : null);
    expect(await settle(driver, dead, ...(await collect(driver, 1, 1_000)))).toEqual(["failed"]);
    expect([bodies(), bodies("webhooks-dead")]).toEqual([["j0"], []]);
    expect((await collect(driver, 1))[0]?.job.attempts).toBe(1);
  });

  test("what was listed is visible to others once the driver is closed", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(12));
    await settle(driver, dead, ...(await collect(driver, 12)));
    await driver.deadLetters("webhooks", { limit: 20, cursor: null });
    expect(model.queues.get("webhooks-dead")?.counts()).toMatchObject({ visible: 0, inFlight: 12 });
    model.endPolls();
    await driver.close();
    expect(model.queues.get("webhooks-dead")?.counts()).toMatchObject({ visible: 12, inFlight: 0 });
  });

  test("ids work only for what was listed in the last 30 s", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs(1));
    await settle(driver, dead, ...(await collect(driver, 1)));
    await expect(driver.redrive("webhooks", { ids: ["j0"] })).rejects.toMatchObject({ code: "list_first" });
    await expect(driver.removeDead("webhooks", "j0")).rejects.toMatchObject({ code: "list_first" });
    await driver.deadLetters("webhooks", { limit: 10, cursor: null });
    expect(await driver.redrive("webhooks", { ids: ["j0"] })).toBe(1);
  });

  test("a RedrivePolicy's own dead letters are listed and redriven, other queues' are left alone", async () => {
    const target = model.create("shared-dead", { MessageRetentionPeriod: "1209600" });
    for (const name of ["webhooks", "foreign"]) {
      const queue = model.create(name, {
        MessageRetentionPeriod: "1209600",
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 1 }),
      });
      queue.send({ body: name, attributes: {}, group: null, deduplicationId: null, delaySeconds: null });
      queue.receive(10, 0);
      queue.receive(10, 0);
    }
    const driver = await open({ maxAttempts: 1 });
    const { items, complete } = await driver.deadLetters("webhooks", { limit: 10, cursor: null });
    expect([items.map(({ body, reason }) => [body, reason]), complete]).toEqual([
      [["webhooks", "max_receive_count"]],
      false,
    ]);
    expect(await driver.redrive("webhooks", { max: 10 })).toBe(1);
    expect([bodies("shared-dead"), bodies("webhooks")]).toEqual([["foreign"], ["webhooks"]]);
  });
});
