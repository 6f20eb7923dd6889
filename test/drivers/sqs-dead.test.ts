import { afterEach, beforeEach, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import type { ModelAttribute } from "../support/sqs-model-message.ts";
import { until } from "../support/until.ts";
import { openSqs } from "./sqs-subject.ts";

// Dead letters that SQS does not delete, and ones that somebody else has written.

let model: SqsModel;
let driver: QueueDriver;
beforeEach(async () => {
  model = createSqsModel();
  driver = await openSqs(model.endpoint, { waitTimeSeconds: 1 });
});
afterEach(async () => {
  model.faults.failEntry = null;
  model.endPolls();
  await driver.close();
  await model.stop();
});

const put = (name: string, body: string, attributes: Record<string, ModelAttribute> = {}): void =>
  void model.queues
    .get(name)
    ?.send({ body, attributes, group: null, deduplicationId: null, delaySeconds: null });
const hookline = (meta: object): Record<string, ModelAttribute> => ({
  hookline: { DataType: "String", StringValue: JSON.stringify(meta) },
});
const bodies = (name: string): string[] =>
  [...(model.queues.get(name)?.messages.values() ?? [])].map(({ body }) => body);
const page = async () => (await driver.deadLetters("webhooks", { limit: 100, cursor: null })).items;
const failDeletes = (): void => {
  model.faults.failEntry = (action) => (action === "DeleteMessageBatch" ? "InternalError" : null);
};

test("one that is redriven and not deleted is not redriven again, and is deleted when it is seen next", async () => {
  put("webhooks-dead", "x");
  failDeletes();
  expect(await driver.redrive("webhooks", { max: 5 })).toBe(1);
  expect([bodies("webhooks"), bodies("webhooks-dead")]).toEqual([["x"], ["x"]]);
  expect(driver.problems?.()).toMatchObject([{ kind: "unsettled_deliveries", object: "webhooks" }]);
  model.clock.advance(60_000);
  // Still not: it is no dead letter any more, whatever SQS says.
  expect(await page()).toEqual([]);
  model.clock.advance(60_000);
  model.faults.failEntry = null;
  expect(await driver.redrive("webhooks", { max: 5 })).toBe(0);
  expect([bodies("webhooks"), bodies("webhooks-dead")]).toEqual([["x"], []]);
  expect(driver.problems?.()).toEqual([]);
});

test("FIFO: one that is redriven and not deleted does not hold back the dead letters of its group", async () => {
  const fifo = await openSqs(model.endpoint, { waitTimeSeconds: 1, fifo: true });
  const queue = model.queues.get("webhooks-dead.fifo");
  const letter = (body: string) =>
    queue?.send({ body, attributes: {}, group: "g", deduplicationId: body, delaySeconds: null });
  letter("1");
  failDeletes();
  expect(await fifo.redrive("webhooks", { max: 5 })).toBe(1);
  model.faults.failEntry = null;
  letter("2");
  expect(await fifo.redrive("webhooks", { max: 5 })).toBe(1);
  expect([bodies("webhooks.fifo"), bodies("webhooks-dead.fifo")]).toEqual([["1", "2"], []]);
  model.endPolls();
  await fifo.close();
});

test("FIFO: dead letters that are redriven by id go back in the order of their group, however they are named", async () => {
  const fifo = await openSqs(model.endpoint, { waitTimeSeconds: 1, fifo: true });
  for (const body of ["1", "2", "3", "4"]) {
    model.queues
      .get("webhooks-dead.fifo")
      ?.send({ body, attributes: {}, group: "g", deduplicationId: body, delaySeconds: null });
  }
  const { items } = await fifo.deadLetters("webhooks", { limit: 100, cursor: null });
  const ids = items.map(({ id }) => id);
  expect(ids).toHaveLength(4);
  expect(await fifo.redrive("webhooks", { ids: [ids[2]!, ids[3]!, ids[0]!, ids[1]!] })).toBe(4);
  expect(bodies("webhooks.fifo")).toEqual(["1", "2", "3", "4"]);
  model.endPolls();
  await fifo.close();
});

test("what dies again while it is redriven is not redriven again by the same call", async () => {
  const letter = (id: string, failedAt: number) =>
    put("webhooks-dead", id, hookline({ id, dead: { reason: "http_404", attempts: 1, failedAt } }));
  // Twice the same job, both of before: each is redriven.
  letter("a", 1);
  letter("a", 2);
  model.faults.failEntry = (action) => {
    // The dead letter is deleted once its copy is sent: the copy has failed at its receiver by then.
    if (action === "DeleteMessageBatch" && bodies("webhooks-dead").length < 6) letter("a", Date.now());
    return null;
  };
  expect(await driver.redrive("webhooks", { max: 50 })).toBe(2);
  expect(bodies("webhooks")).toEqual(["a", "a"]);
});

test("a removal that SQS does not do is an error, and works when it is asked for again", async () => {
  put("webhooks-dead", "x");
  const [letter] = await page();
  failDeletes();
  await expect(driver.removeDead("webhooks", letter!.id)).rejects.toBeInstanceOf(DriverUnavailableError);
  model.faults.failEntry = null;
  expect(await driver.removeDead("webhooks", letter!.id)).toBe(true);
  expect(bodies("webhooks-dead")).toEqual([]);
});

test("a redrive of which nothing can be sent is an error, not a zero", async () => {
  put("webhooks-dead", "x");
  model.faults.failEntry = (action) => (action === "SendMessageBatch" ? "InternalError" : null);
  await expect(driver.redrive("webhooks", { max: 5 })).rejects.toThrow("InternalError");
  const [letter] = await page();
  await expect(driver.redrive("webhooks", { ids: [letter!.id] })).rejects.toThrow("InternalError");
  model.faults.failEntry = null;
  expect(await driver.redrive("webhooks", { ids: [letter!.id] })).toBe(1);
});

test("numbers that are no time or count are shown as unknown, and the letter is redriven like any other", async () => {
  const dead = { reason: "r", queue: "webhooks", detail: null };
  const odd = [
    { ...dead, failedAt: 1.25e19, enqueuedAt: -1, attempts: 1e300 },
    { ...dead, failedAt: "soon", enqueuedAt: {}, attempts: -5 },
    { ...dead, failedAt: null, attempts: 1.5 },
  ];
  for (const [at, meta] of odd.entries())
    put("webhooks-dead", `${at}`, hookline({ id: `j${at}`, dead: meta }));
  put("webhooks-dead", "3", { hookline: { DataType: "String", StringValue: '{"dead":' } });
  put("webhooks-dead", '{"hookline_dead":{"dead":[]},"body":7}');
  const items = await page();
  expect(items).toHaveLength(5);
  for (const { attempts, failedAt, enqueuedAt } of items) {
    expect([Number.isInteger(attempts) && attempts >= 0, Number.isFinite(failedAt)]).toEqual([true, true]);
    if (enqueuedAt !== null) expect(new Date(enqueuedAt).toISOString()).toMatch(/^\d{4}-/);
  }
  expect(await driver.redrive("webhooks", { max: 10 })).toBe(5);
  expect(bodies("webhooks-dead")).toEqual([]);
});

test("texts that somebody else wrote are cut where they are read", async () => {
  const long = "x".repeat(100_000);
  const dead = { reason: long, queue: "webhooks", detail: long, endpoint: long };
  put("webhooks-dead", "x", hookline({ id: "j", dead }));
  const [letter] = await page();
  expect([letter?.reason.length, letter?.detail?.length, letter?.endpoint?.length]).toEqual([200, 500, 200]);
});

test("a body that unpacks to more than a message can hold is left packed", async () => {
  const packed = gzipSync(Buffer.alloc(64 * 1_048_576)).toString("base64");
  put("webhooks", packed, hookline({ id: "bomb", encoding: "gzip" }));
  const held = await until(
    async () => {
      const signal = new AbortController().signal;
      const wish = {
        max: 1,
        leaseMs: 30_000,
        waitMs: 100,
        closedKeys: new Set<string>(),
        parkedMax: 1,
        signal,
      };
      return (await driver.lease("webhooks", wish))[0];
    },
    { what: "a lease" },
  );
  expect(held.job.body).toBe(packed);
});

test("a message attribute may have any name that SQS takes", async () => {
  const attributes = Object.fromEntries(
    ["__proto__", "constructor", "a.b"].map((name) => [name, { DataType: "String", StringValue: name }]),
  );
  put("webhooks", "x", attributes);
  const signal = new AbortController().signal;
  const wish = {
    max: 1,
    leaseMs: 30_000,
    waitMs: 1_000,
    closedKeys: new Set<string>(),
    parkedMax: 1,
    signal,
  };
  const [held] = await driver.lease("webhooks", wish);
  const shown = Object.entries(held?.job.message?.attributes ?? {});
  expect(shown.map(([name, value]) => `${name}=${value}`).sort()).toEqual([
    "__proto__=__proto__",
    "a.b=a.b",
    "constructor=constructor",
  ]);
  const dead = { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: false } as const;
  expect(await driver.settle([{ ...dead, lease: held! }])).toEqual([{ status: "settled" }]);
  expect(await driver.redrive("webhooks", { max: 1 })).toBe(1);
  const [back] = model.queues.get("webhooks")?.messages.values() ?? [];
  expect(Object.keys(back?.attributes ?? {}).sort()).toEqual(["__proto__", "a.b", "constructor", "hookline"]);
});
