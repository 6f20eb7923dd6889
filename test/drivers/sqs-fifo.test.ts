import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Disposition, Lease, NewJob, QueueDriver } from "../../src/queue/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";
import { openSqs } from "./sqs-subject.ts";

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

async function open(overrides: Partial<SqsOptions> = {}): Promise<QueueDriver> {
  const driver = await openSqs(model.endpoint, {
    fifo: true,
    messageGroupId: "{group}",
    waitTimeSeconds: 1,
    ...overrides,
  });
  opened.push(driver);
  return driver;
}

/** Jobs `<group><n>` of one group. */
const jobs = (group: string, count: number): NewJob[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${group}${n}`,
    body: `${group}${n}`,
    delayMs: 0,
    group,
    deduplicationId: null,
    routing: null,
    dedup: null,
  }));

const wish = { max: 10, leaseMs: 30_000, waitMs: 0, closedKeys: new Set<string>(), parkedMax: 100 };
const lease = (driver: QueueDriver, overrides: Partial<typeof wish> = {}): Promise<Lease[]> =>
  driver.lease("webhooks", { ...wish, ...overrides, signal: new AbortController().signal });
const ids = (leases: readonly Lease[]): string[] => leases.map(({ job }) => job.id).sort();
const settle = async (driver: QueueDriver, disposition: Disposition, ...leases: Lease[]): Promise<string[]> =>
  (await driver.settle(leases.map((held) => ({ ...disposition, lease: held })))).map(({ status }) => status);
const ack: Disposition = { verb: "ack" };
const contents = (name = "webhooks.fifo"): string[] =>
  [...(model.queues.get(name)?.messages.values() ?? [])].map(({ body }) => body);

/** Leases until so many are held. */
async function collect(driver: QueueDriver, count: number): Promise<Lease[]> {
  const held: Lease[] = [];
  await until(
    async () => {
      held.push(...(await lease(driver, { waitMs: 100, max: count - held.length })));
      return held.length >= count;
    },
    { what: `${count} leases`, timeoutMs: 90_000 },
  );
  return held;
}

describe("order", () => {
  test("of one receive only the heads are leased, and groups run side by side", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", [...jobs("a", 4), ...jobs("b", 3), ...jobs("c", 3)]);
    expect(ids(await lease(driver))).toEqual(["a0", "b0", "c0"]);
    expect(await lease(driver)).toEqual([]);
  });

  test("an entry that SQS fails is not sent behind its successors, nor what follows in later batches", async () => {
    const driver = await open();
    const failsOnce = new Set(["a1"]);
    model.faults.failEntry = (_action, entry) =>
      failsOnce.delete(String(entry["MessageBody"])) ? "InternalError" : null;
    // Three batches: a1 fails in the first one, in which a2 is taken.
    const results = await driver.enqueue("webhooks", [...jobs("a", 12), ...jobs("b", 12)]);
    const failed = results.flatMap(({ id, status }) => (status === "enqueued" ? [] : [`${id} ${status}`]));
    expect(failed).toEqual(["a1 failed", "a10 failed", "a11 failed"]);
    const behind = results[10];
    expect(behind?.status === "failed" ? behind.error.message : "").toContain("before it in group a");
    expect(contents().filter((body) => body.startsWith("a"))).toEqual(
      [0, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `a${n}`),
    );
  });

  test("an entry that SQS fails is repeated while nothing of its group has come behind it", async () => {
    const driver = await open();
    const failsOnce = new Set(["a2", "b0"]);
    model.faults.failEntry = (_action, entry) =>
      failsOnce.delete(String(entry["MessageBody"])) ? "InternalError" : null;
    const results = await driver.enqueue("webhooks", [...jobs("b", 1), ...jobs("a", 3)]);
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "enqueued"));
    expect(contents().filter((body) => body.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
  });

  test("a successor follows when its predecessor's delete is confirmed, and not before", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 2));
    const [first] = await lease(driver);
    model.faults.latencyMs = 300;
    const settling = settle(driver, ack, first!);
    const early = await lease(driver, { waitMs: 50 });
    expect([early, contents()]).toEqual([[], ["a0", "a1"]]);
    expect(await settling).toEqual(["settled"]);
    model.faults.latencyMs = 0;
    expect(ids(await collect(driver, 1))).toEqual(["a1"]);
  });

  test("a dead-lettered predecessor lets its successor go on", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 2));
    const dead: Disposition = {
      verb: "dead",
      reason: "http_410",
      detail: null,
      endpoint: null,
      attempted: true,
    };
    expect(await settle(driver, dead, ...(await lease(driver)))).toEqual(["settled"]);
    expect(contents("webhooks-dead.fifo")).toEqual(["a0"]);
    expect(ids(await collect(driver, 1))).toEqual(["a1"]);
  });

  test("a retried head blocks its group and no other", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", [...jobs("a", 2), ...jobs("b", 2)]);
    const [a0, b0] = await collect(driver, 2);
    await settle(driver, { verb: "retry", delayMs: 400 }, a0!);
    await settle(driver, ack, b0!);
    expect(ids(await collect(driver, 1))).toEqual(["b1"]);
    const again = (await collect(driver, 1))[0]!;
    expect([again.job.id, again.job.attempts]).toEqual(["a0", 1]);
    await settle(driver, ack, again);
    expect(ids(await collect(driver, 1))).toEqual(["a1"]);
  });

  test("a long delay gives the successors back and hides the head, and the order holds", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 5));
    const [a0] = await lease(driver);
    expect(await settle(driver, { verb: "retry", delayMs: 3_600_000 }, a0!)).toEqual(["settled"]);
    const other = await open();
    expect(await lease(other, { waitMs: 100 })).toEqual([]);
    model.clock.advance(3_600_000);
    expect(ids(await collect(other, 1))).toEqual(["a0"]);
  });

  test("a release gives the whole group back, the last first", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 5));
    const [a0] = await lease(driver);
    expect(await settle(driver, { verb: "release" }, a0!)).toEqual(["settled"]);
    const other = await open();
    for (const expected of ["a0", "a1", "a2", "a3", "a4"]) {
      const [held] = await collect(other, 1);
      expect(held?.job.id).toBe(expected);
      await settle(other, ack, held!);
    }
  });

  test("a failed delete holds the successors until it is made good, and its head is not leased again", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 3));
    const [a0] = await lease(driver, { leaseMs: 1_000 });
    model.faults.failEntry = (action) => (action === "DeleteMessageBatch" ? "InternalError" : null);
    expect(await settle(driver, ack, a0!)).toEqual(["settled"]);
    expect(await lease(driver, { leaseMs: 1_000, waitMs: 1_500 })).toEqual([]);
    model.faults.failEntry = null;
    const [next] = await collect(driver, 1);
    expect([next?.job.id, next?.job.message?.receiveCount]).toEqual(["a1", 1]);
  });

  test("a lost lease drops the buffered successors unsent", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 3));
    const [a0] = await lease(driver);
    // As after a stop of the whole machine: SQS has given the group to another.
    model.clock.advance(31_000);
    const other = await open();
    const [theirs] = await collect(other, 1);
    expect(theirs?.job.id).toBe("a0");
    expect(await settle(driver, ack, a0!)).toEqual(["lost"]);
    expect(await lease(driver, { waitMs: 50 })).toEqual([]);
    await settle(other, ack, theirs!);
    expect(ids(await collect(other, 1))).toEqual(["a1"]);
  });

  test("what waits behind a head stays ours for as long as the head is renewed", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 3));
    const [a0] = await lease(driver, { leaseMs: 1_000 });
    const end = performance.now() + 2_500;
    await until(
      async () => {
        expect(await driver.extend([a0!], 1_000)).toEqual(["extended"]);
        return performance.now() > end;
      },
      { everyMs: 200 },
    );
    expect(await settle(driver, ack, a0!)).toEqual(["settled"]);
    expect(ids(await lease(driver))).toEqual(["a1"]);
  });

  test("a parked head keeps its group waiting", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 2));
    await settle(driver, { verb: "park", key: "lane" }, ...(await lease(driver)));
    expect(await lease(driver, { closedKeys: new Set(["lane"]), waitMs: 50 })).toEqual([]);
    expect(ids(await lease(driver))).toEqual(["a0"]);
  });
});

describe("fan-out", () => {
  const child = (parent: string, endpoint: string) => ({
    id: `${parent}_${endpoint}`,
    body: parent,
    endpoint,
  });
  const expand = (driver: QueueDriver, parent: Lease) =>
    settle(
      driver,
      { verb: "replace", jobs: [child(parent.job.id, "one"), child(parent.job.id, "two")] },
      parent,
    );

  test("children keep the order of their parents, endpoint by endpoint", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 2));
    await expand(driver, (await collect(driver, 1))[0]!);
    await until(async () => {
      const parent = (await lease(driver, { waitMs: 50 })).find(({ job }) => job.id === "a1");
      return parent !== undefined && (await expand(driver, parent)).length > 0;
    });
    const groups = [...(model.queues.get("webhooks.fifo")?.messages.values() ?? [])].map(
      ({ group, body }) => [group, body] as const,
    );
    const byGroup = Map.groupBy(groups, ([group]) => group);
    expect([...byGroup.values()].map((group) => group.map(([, body]) => body))).toEqual([
      ["a0", "a1"],
      ["a0", "a1"],
    ]);
  });

  test("a parent that is expanded twice has its children once", async () => {
    const driver = await open();
    await driver.enqueue("webhooks", jobs("a", 1));
    const [parent] = await lease(driver, { leaseMs: 1_000 });
    model.faults.outage = true;
    await expect(expand(driver, parent!)).rejects.toThrow("ServiceUnavailable");
    model.faults.outage = false;
    model.faults.failEntry = (action) => (action === "DeleteMessageBatch" ? "InternalError" : null);
    // As after its sudden end: what it sent stays, and nobody here renews the parent.
    expect(await expand(driver, parent!)).toEqual(["settled"]);
    model.faults.outage = true;
    model.clock.advance(31_000);
    model.endPolls();
    await driver.close();
    opened.splice(opened.indexOf(driver), 1);
    model.faults.outage = false;
    model.faults.failEntry = null;
    const other = await open();
    await until(async () => {
      const again = (await lease(other, { waitMs: 100 })).find(({ job }) => job.id === "a0");
      return again !== undefined && (await expand(other, again))[0] === "settled";
    });
    expect(contents()).toEqual(["a0", "a0"]);
  });
});

describe("ids", () => {
  const put = async (driver: QueueDriver, job: Partial<NewJob>) =>
    (await driver.enqueue("webhooks", [{ ...jobs("a", 1)[0]!, ...job }]))[0]?.status;
  const stored = () =>
    [...(model.queues.get("webhooks.fifo")?.messages.values() ?? [])].map(
      ({ group, deduplicationId }) => [group, deduplicationId] as const,
    );

  test("the template is filled from the job's first event", async () => {
    const driver = await open({ messageGroupId: "{app_id}_{channel}" });
    const routing = { appId: "app-1", channel: "room", event: "client_event" };
    await put(driver, { group: null, routing });
    expect(stored()).toEqual([["app-1_room", "a0"]]);
  });

  test("a job's own group and deduplication id win", async () => {
    const driver = await open({ messageGroupId: "{app_id}" });
    await put(driver, { group: "mine", deduplicationId: "once" });
    expect(stored()).toEqual([["mine", "once"]]);
  });

  test("a group that SQS does not take is replaced by its hash", async () => {
    const driver = await open();
    await put(driver, { id: "1", group: "größe" });
    await put(driver, { id: "2", group: "g".repeat(129) });
    for (const [group] of stored()) expect(group).toMatch(/^[0-9a-f]{32}$/);
    expect(stored()).toHaveLength(2);
  });

  test("the same id within five minutes is one job, and after them another", async () => {
    const driver = await open();
    expect([await put(driver, {}), await put(driver, { body: "other" })]).toEqual(["enqueued", "enqueued"]);
    expect(contents()).toEqual(["a0"]);
    model.clock.advance(300_000);
    await put(driver, { body: "other" });
    expect(contents()).toEqual(["a0", "other"]);
  });

  test('with deduplication "content" equal bodies are one job', async () => {
    const driver = await open({ deduplication: "content" });
    await put(driver, { id: "1" });
    await put(driver, { id: "2" });
    await put(driver, { id: "3", body: "other" });
    expect(contents()).toEqual(["a0", "other"]);
  });

  test("a redriven job is not swallowed by the five minutes", async () => {
    const driver = await open();
    await put(driver, {});
    const dead: Disposition = { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true };
    await settle(driver, dead, ...(await lease(driver)));
    expect(await driver.redrive("webhooks", { max: 10 })).toBe(1);
    const [back] = await collect(driver, 1);
    expect([back?.job.id, back?.job.attempts, back?.job.message?.group]).toEqual(["a0", 0, "a"]);
  });

  test("a delay is refused with the reason", async () => {
    const driver = await open();
    const [result] = await driver.enqueue("webhooks", [{ ...jobs("a", 1)[0]!, delayMs: 1 }]);
    expect(result?.status === "failed" && result.error.message).toContain("DelaySeconds");
  });
});

describe("settings", () => {
  test('fifo_on_failure "dead": the first failure dead-letters, and the group goes on', async () => {
    const driver = await open({ fifoOnFailure: "dead" });
    await driver.enqueue("webhooks", jobs("a", 2));
    expect(await settle(driver, { verb: "retry", delayMs: 0 }, ...(await lease(driver)))).toEqual([
      "settled",
    ]);
    const { items } = await driver.deadLetters("webhooks", { limit: 10, cursor: null });
    expect(items.map(({ jobId, reason, attempts }) => [jobId, reason, attempts])).toEqual([
      ["a0", "fifo_on_failure", 1],
    ]);
    expect(ids(await collect(driver, 1))).toEqual(["a1"]);
  });

  test("group_rate_limit spaces the starts of one group and leaves others alone", async () => {
    const driver = await open({ groupRateLimit: { perSecond: 10 } });
    await driver.enqueue("webhooks", [...jobs("a", 4), ...jobs("b", 1)]);
    const started = performance.now();
    const order: string[] = [];
    await until(async () => {
      const held = await lease(driver, { waitMs: 50 });
      order.push(...held.map(({ job }) => job.id));
      if (held.length > 0) await settle(driver, ack, ...held);
      return order.length === 5;
    });
    // Three gaps of 100 ms; how much longer is the machine's affair.
    expect(performance.now() - started).toBeGreaterThan(290);
    expect(order.filter((id) => id.startsWith("a"))).toEqual(["a0", "a1", "a2", "a3"]);
    expect(order.indexOf("b0")).toBeLessThan(2);
  });
});

test("5,000 messages over 50 groups, every tenth attempt failing: in order, groups overlapping, nothing lost", async () => {
  const [groups, each] = [50, 100];
  const names = Array.from({ length: groups }, (_, n) => `g${n}-`);
  const driver = await open({ maxMessages: 10 });
  for (let n = 0; n < each; n += 1) {
    await driver.enqueue(
      "webhooks",
      names.map((name) => ({ ...jobs(name, each)[n]!, group: name })),
    );
  }
  const delivered = new Map<string, string[]>(names.map((name) => [name, []]));
  const inFlight = new Set<string>();
  let attempts = 0;
  let widest = 0;
  let total = 0;
  await until(
    async () => {
      const held = await lease(driver, { max: 64, waitMs: 200 });
      const settlements = held.map((one) => {
        const group = one.job.message?.group ?? "";
        if (inFlight.has(group)) throw new Error(`${group} has two messages in hand`);
        inFlight.add(group);
        attempts += 1;
        if (attempts % 10 === 0) return { verb: "retry", delayMs: 20, lease: one } as const;
        delivered.get(group)?.push(one.job.id);
        total += 1;
        return { verb: "ack", lease: one } as const;
      });
      widest = Math.max(widest, inFlight.size);
      inFlight.clear();
      for (const { status } of await driver.settle(settlements)) expect(status).toBe("settled");
      return total >= groups * each;
    },
    { timeoutMs: 90_000, everyMs: 1, what: "all messages" },
  );
  for (const name of names) expect(delivered.get(name)).toEqual(jobs(name, each).map(({ id }) => id));
  expect(widest).toBeGreaterThan(5);
  expect(contents()).toEqual([]);
}, 240_000);

test("two processes, failing entries, lost answers and abandoned leases: nothing is lost or delivered after its successor", async () => {
  const names = Array.from({ length: 12 }, (_, n) => `g${n}-`);
  const each = 25;
  // Numbers that are the same in every run: a failure can be looked at.
  let seed = 42;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  const drivers = [await open({ visibilityTimeoutSeconds: 1 }), await open({ visibilityTimeoutSeconds: 1 })];
  for (const name of names) {
    await drivers[0]?.enqueue(
      "webhooks",
      jobs(name, each).map((job) => ({ ...job, group: name })),
    );
  }
  model.faults.failEntry = () => (random() < 0.05 ? "InternalError" : null);
  const delivered = new Map<string, number[]>(names.map((name) => [name, []]));
  const isDone = (): boolean => contents().length === 0;

  const work = async (driver: QueueDriver): Promise<void> => {
    while (!isDone()) {
      if (random() < 0.05) model.faults.loseAnswer.add("DeleteMessageBatch");
      const held = await lease(driver, { max: 16, waitMs: 100, leaseMs: 1_000 });
      // Abandoned: as if this process had been stopped in the middle of the attempt.
      const kept = held.filter(() => random() > 0.03);
      for (const { job } of kept) {
        delivered.get(job.message?.group ?? "")?.push(Number(job.id.slice(job.id.indexOf("-") + 1)));
      }
      await driver.settle(
        kept.map((one) =>
          random() < 0.1
            ? { verb: "retry", delayMs: 10, lease: one }
            : random() < 0.05
              ? { verb: "release", lease: one }
              : { verb: "ack", lease: one },
        ),
      );
    }
  };
  await Promise.all(drivers.map(work));
  for (const name of names) {
    const order = delivered.get(name) ?? [];
    expect([name, order]).toEqual([name, order.toSorted((a, b) => a - b)]);
    expect(new Set(order).size).toBe(each);
  }
}, 240_000);
