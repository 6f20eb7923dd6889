import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/log.ts";
import type { Disposition, Lease, NewJob, OwnDeadLetter, QueueDriver } from "../../src/queue/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";
import { createEnded } from "../../src/queue/drivers/sqs/consumer/ended.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";
import { job } from "./conformance-bench.ts";
import { noEvents, openSqs } from "./sqs-subject.ts";

// A job that has ended, and whose message SQS does not delete, is never handed out again by this process. Most of
// the time here waits for whole seconds of visibility, so that the tests run side by side, each with a model of its own.

interface Bench extends AsyncDisposable {
  readonly model: SqsModel;
  readonly driver: QueueDriver;
  /** Levels of the log lines about deletions. */
  levels(): string[];
  reclaimed(): number;
  readonly letters: readonly OwnDeadLetter[];
  put(...jobs: readonly NewJob[]): Promise<void>;
  lease(overrides?: Partial<typeof wish>): Promise<Lease[]>;
  take(): Promise<Lease>;
  settle(disposition: Disposition, ...leases: readonly Lease[]): Promise<string[]>;
  stored(name?: string): number;
  failEntries(action: string): void;
  recover(): void;
  /** Resolves when the queue is empty; nothing may be leased until then. */
  untilDeleted(): Promise<void>;
}

const wish = { max: 10, leaseMs: 2_000, waitMs: 0, closedKeys: new Set<string>(), parkedMax: 100 };
const ack: Disposition = { verb: "ack" };
const dead: Disposition = {
  verb: "dead",
  reason: "http_410",
  detail: null,
  endpoint: "a/b",
  attempted: true,
};
const replace: Disposition = { verb: "replace", jobs: [{ id: "c_1", body: "child", endpoint: "a/c" }] };

async function start(overrides: Partial<SqsOptions> = {}): Promise<Bench> {
  const model = createSqsModel();
  const logged: string[] = [];
  const letters: OwnDeadLetter[] = [];
  let reclaimed = 0;
  const driver = await openSqs(
    model.endpoint,
    { waitTimeSeconds: 1, ...overrides },
    {
      events: {
        ...noEvents,
        reclaimed: (_, count) => void (reclaimed += count),
        deadLettered: (_, letter) => void letters.push(letter),
      },
      log: createLogger({
        level: "info",
        format: "json",
        write: (line) => void logged.push(line),
        mask: (text) => text,
        now: () => Date.now(),
      }),
    },
  );
  const bench: Bench = {
    model,
    driver,
    letters,
    levels: () =>
      logged
        .filter((line) => line.includes("delete"))
        .map((line) => /"level":"(\w+)"/.exec(line)?.[1] ?? "")
        .filter((level) => level !== ""),
    reclaimed: () => reclaimed,
    async put(...jobs) {
      const results = await driver.enqueue("webhooks", jobs);
      expect(results.map(({ status }) => status)).toEqual(jobs.map(() => "enqueued"));
    },
    lease: (wished = {}) =>
      driver.lease("webhooks", { ...wish, ...wished, signal: new AbortController().signal }),
    take: () => until(async () => (await bench.lease({ waitMs: 100, max: 1 }))[0], { what: "a lease" }),
    settle: async (disposition, ...leases) =>
      (await driver.settle(leases.map((lease) => ({ ...disposition, lease })))).map(({ status }) => status),
    stored: (name = overrides.fifo === true ? "webhooks.fifo" : "webhooks") =>
      model.queues.get(name)?.messages.size ?? -1,
    failEntries: (action) => {
      model.faults.failEntry = (asked) => (asked === action ? "InternalError" : null);
    },
    recover() {
      model.faults.failEntry = null;
      model.faults.outage = false;
    },
    async untilDeleted() {
      const isOver = async (): Promise<boolean> => {
        expect(await bench.lease({ waitMs: 100 }).catch(() => [])).toEqual([]);
        return bench.stored() === 0 && driver.problems?.().length === 0;
      };
      await until(isOver, { what: "the deletion" });
    },
    async [Symbol.asyncDispose]() {
      bench.recover();
      model.endPolls();
      await driver.close();
      await model.stop();
    },
  };
  return bench;
}

/** Nothing is leased while the visibility of what is held would have ended. */
async function expectNothing(bench: Bench, forMs: number): Promise<void> {
  const end = performance.now() + forMs;
  while (performance.now() < end) expect(await bench.lease({ waitMs: 200 })).toEqual([]);
}

describe.concurrent("the deletion fails", () => {
  const endings = { ack, dead, replace };
  for (const [verb, disposition] of Object.entries(endings)) {
    for (const fifo of [false, true]) {
      test(`${verb}, ${fifo ? "FIFO" : "standard"}: the job is not leased again, and is deleted once SQS does so`, async () => {
        await using bench = await start({ fifo });
        const { model, driver } = bench;
        await bench.put(job("x", { group: fifo ? "g" : null }));
        const held = await bench.take();
        // By its message: on a busy machine its visibility may end, and it comes again under another handle.
        const [, messageId = ""] = held.token.split("#");
        model.faults.failEntry = (action, entry) =>
          action === "DeleteMessageBatch" && String(entry["ReceiptHandle"]).endsWith(messageId)
            ? "InternalError"
            : null;
        expect(await bench.settle(disposition, held)).toEqual(["settled"]);
        // Its child may come; the job itself may not.
        const end = performance.now() + 3_500;
        while (performance.now() < end) {
          for (const other of await bench.lease({ waitMs: 200 })) {
            expect(other.job.id).toBe("c_1");
            expect(await bench.settle(ack, other)).toEqual(["settled"]);
          }
        }
        expect(driver.problems?.()).toMatchObject([
          {
            kind: "unsettled_deliveries",
            object: "webhooks",
            detail: expect.stringContaining("1 message") as unknown,
          },
        ]);
        bench.recover();
        await bench.untilDeleted();
        expect(bench.stored(fifo ? "webhooks-dead.fifo" : "webhooks-dead")).toBe(verb === "dead" ? 1 : 0);
        expect([bench.reclaimed(), bench.letters, bench.levels()]).toEqual([0, [], ["warn", "info"]]);
      });
    }
  }

  test("one whose handle has run out is deleted when it is received again", async () => {
    await using bench = await start();
    await bench.put(job("x"));
    const held = await bench.take();
    bench.failEntries("DeleteMessageBatch");
    expect(await bench.settle(ack, held)).toEqual(["settled"]);
    // As after a stop of the whole machine: SQS shows it again, and would give it to anybody.
    bench.model.clock.advance(60_000);
    bench.recover();
    await bench.untilDeleted();
  });

  test("an outage that outlasts the lease: settled all the same, and deleted when SQS is back", async () => {
    await using bench = await start();
    await bench.put(job("x"));
    const settlement = [{ ...ack, lease: await bench.take() }];
    bench.model.faults.outage = true;
    // While the lease lives nobody knows; afterwards the driver deletes it by itself.
    const results = await until(() => bench.driver.settle(settlement).catch(() => null), {
      what: "an answer",
    });
    expect(results).toEqual([{ status: "settled" }]);
    expect(bench.driver.problems?.()).toMatchObject([{ kind: "unsettled_deliveries" }]);
    bench.recover();
    await bench.untilDeleted();
    expect(bench.reclaimed()).toBe(0);
  });

  test("a standard queue that repeats what it has deleted is not believed", async () => {
    await using bench = await start();
    await bench.put(job("x"));
    const queue = bench.model.queues.get("webhooks")!;
    const [message] = queue.messages.values();
    expect(await bench.settle(ack, await bench.take())).toEqual(["settled"]);
    expect(bench.stored()).toBe(0);
    queue.adopt({ ...message!, handle: null, visibleAt: 0 });
    await bench.untilDeleted();
  });

  test("with 250 undeleted nothing more is received, and it goes on once they are deleted", async () => {
    await using bench = await start();
    for (let n = 0; n < 6; n += 1) await bench.put(...Array.from({ length: 100 }, () => job("x")));
    bench.failEntries("DeleteMessageBatch");
    const work = async (waitMs: number): Promise<number> => {
      const held = await bench.lease({ waitMs, max: 256, leaseMs: 30_000 });
      if (held.length > 0) expect(new Set(await bench.settle(ack, ...held))).toEqual(new Set(["settled"]));
      return held.length;
    };
    let settled = 0;
    await until(async () => (settled += await work(100)) >= 250, {
      timeoutMs: 90_000,
      what: "250 deliveries",
    });
    // Beyond them only what had been received before.
    for (let more = 1; more > 0; settled += more) more = await work(0);
    expect(settled).toBeLessThan(600);
    bench.model.resetRequests();
    expect(await work(500)).toBe(0);
    expect(bench.model.requests.get("ReceiveMessage") ?? 0).toBe(0);
    bench.recover();
    await until(async () => (await work(100)) === 0 && bench.stored() === 0, {
      timeoutMs: 90_000,
      what: "the end",
    });
  }, 240_000);
});

describe.concurrent("a change of visibility fails", () => {
  test("release: no attempt is charged, and the job is at hand", async () => {
    await using bench = await start();
    await bench.put(job("x"));
    const held = await bench.take();
    bench.failEntries("ChangeMessageVisibilityBatch");
    expect(await bench.settle({ verb: "release" }, held)).toEqual(["settled"]);
    bench.recover();
    const again = await bench.take();
    expect([again.job.id, again.job.attempts, bench.reclaimed()]).toEqual([held.job.id, 0, 0]);
  });

  test("retry: one attempt is charged, and the job is not early", async () => {
    await using bench = await start();
    await bench.put(job("x"));
    const held = await bench.take();
    bench.failEntries("ChangeMessageVisibilityBatch");
    expect(await bench.settle({ verb: "retry", delayMs: 3_600_000 }, held)).toEqual(["settled"]);
    await expectNothing(bench, 3_000);
    bench.recover();
    // Also when SQS shows it to everybody in between.
    bench.model.clock.advance(60_000);
    await expectNothing(bench, 500);
    expect(bench.stored()).toBe(1);
  });
});

test("what has ended is remembered while SQS has not deleted it, and some time after", () => {
  const ended = createEnded({ now: () => 1_000, monotonic: () => 0 }, { undeleted: 2, deleted: 2 });
  expect([ended.add("a"), ended.add("a"), ended.has("a"), ended.undeleted()]).toEqual([
    true,
    false,
    true,
    null,
  ]);
  ended.failed("a");
  expect(ended.undeleted()).toEqual({ count: 1, since: 1_000 });
  for (const id of ["b", "c", "d"]) {
    ended.add(id);
    ended.deleted(id);
  }
  expect(["a", "b", "c", "d"].map((id) => ended.has(id))).toEqual([true, false, true, true]);
  ended.deleted("a");
  expect(ended.undeleted()).toBeNull();
});
