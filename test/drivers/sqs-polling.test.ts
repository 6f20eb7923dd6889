import { describe, expect, test } from "bun:test";
import type { Lease, QueueDriver } from "../../src/queue/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";
import { job } from "./conformance-bench.ts";
import { openSqs } from "./sqs-subject.ts";

// How often SQS is asked. Each test waits for time to pass, so that they run side by side, each with a model of its own.

interface Bench extends AsyncDisposable {
  readonly model: SqsModel;
  readonly driver: QueueDriver;
  lease(waitMs: number): Promise<Lease[]>;
  put(count: number): Promise<void>;
  receives(): number;
}

async function start(overrides: Partial<SqsOptions>): Promise<Bench> {
  const model = createSqsModel();
  const driver = await openSqs(model.endpoint, overrides);
  return {
    model,
    driver,
    lease: (waitMs) =>
      driver.lease("webhooks", {
        max: 200,
        leaseMs: 30_000,
        waitMs,
        closedKeys: new Set(),
        parkedMax: 100,
        signal: new AbortController().signal,
      }),
    async put(count) {
      await driver.enqueue(
        "webhooks",
        Array.from({ length: count }, () => job("x")),
      );
    },
    receives: () => model.requests.get("ReceiveMessage") ?? 0,
    async [Symbol.asyncDispose]() {
      model.endPolls();
      await driver.close();
      await model.stop();
    },
  };
}

/** Takes jobs for a while, and expects that receives were so far apart, as far as time went on a busy machine. */
async function expectApart(bench: Bench, everyMs: number, forMs: number, waitMs: number): Promise<void> {
  bench.model.resetRequests();
  const startedAt = performance.now();
  while (performance.now() < startedAt + forMs) {
    const held = await bench.lease(waitMs).catch(() => []);
    if (held.length > 0) await bench.driver.settle(held.map((lease) => ({ verb: "ack", lease })));
    // As the poller, which lets the rest of the process run.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(bench.receives()).toBeGreaterThan(0);
  expect(bench.receives()).toBeLessThanOrEqual((performance.now() - startedAt) / everyMs + 1);
}

describe.concurrent("polls", () => {
  for (const [mode, options, waitMs] of [
    ["short polls of a call that waits", { waitTimeSeconds: 0 }, 700],
    ["short polls of a call that does not", { waitTimeSeconds: 0 }, 0],
    ["long polls", { waitTimeSeconds: 1 }, 700],
  ] as const) {
    test(`polling_wait_time_ms is kept between ${mode}: idle, with work, and after failures`, async () => {
      await using bench = await start({ ...options, pollingWaitTimeMs: 300 });
      await expectApart(bench, 300, 900, waitMs);
      await bench.put(300);
      await expectApart(bench, 300, 900, waitMs);
      bench.model.faults.denied.add("ReceiveMessage");
      await expectApart(bench, 300, 900, waitMs);
    });
  }

  test("without a pause an idle queue is asked five times a second by short polls, a full one at once", async () => {
    await using bench = await start({ waitTimeSeconds: 0 });
    await expectApart(bench, 200, 1_000, 1_000);
    bench.model.resetRequests();
    await bench.put(200);
    const startedAt = performance.now();
    let count = 0;
    await until(async () => (count += (await bench.lease(100)).length) >= 200, { what: "200 leases" });
    // Each receive brings ten at most, and a pause of 200 ms after each would be four seconds.
    expect(bench.receives()).toBeGreaterThan(19);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
  });

  test("an answer that does not wait although it was asked to is not asked for again at once", async () => {
    await using bench = await start({ waitTimeSeconds: 5 });
    bench.model.faults.noWaiting = true;
    await expectApart(bench, 200, 1_000, 1_000);
  });
});
