import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { ConfigInput } from "../../src/config/schema.ts";
import { silentLogger } from "../../src/log.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createDriver } from "../../src/queue/create-driver.ts";
import { retryBounds } from "../../src/queue/retry-bounds.ts";
import { job } from "../drivers/conformance-bench.ts";

describe("registry", () => {
  test("memory is the default, with the queues and limits of the configuration", async () => {
    const { driver, counts } = await create({
      queues: ["one", { name: "two", endpoint: "e" }],
      memory: { capacity: 2 },
      reliability: { failed_retention: 0, deduplication_ttl_ms: 60_000 },
    });
    expect(driver.name).toBe("memory");
    const dedup = { key: "k", fingerprint: "f" };
    await driver.enqueue("two", [job("1", { dedup }), job("1", { dedup }), job("2"), job("3")]);
    expect(await driver.stats("two")).toMatchObject({ ready: 2 });
    expect(await driver.stats("one")).toMatchObject({ ready: 0 });
    expect(counts.evicted).toBe(1);
  });

  test("when_full: reject is passed on", async () => {
    const { driver } = await create({ memory: { capacity: 1, when_full: "reject" } });
    const results = await driver.enqueue("webhooks", [job("1"), job("2")]);
    expect(results.map(({ status }) => status)).toEqual(["enqueued", "failed"]);
  });

  test("what the server lets in fits into the memory driver", async () => {
    const { driver } = await create({}, { max_body_bytes: 1_000_000_000 });
    expect(driver.capabilities.maxPayloadBytes).toBeGreaterThanOrEqual(1_000_000_000);
  });

  test("none", async () => {
    const { driver } = await create({ driver: "none" });
    expect(driver.name).toBe("none");
    expect((await driver.enqueue("webhooks", [job("1")]))[0]?.status).toBe("discarded");
  });
});

async function create(
  queue: NonNullable<ConfigInput["queue"]>,
  server: NonNullable<ConfigInput["server"]> = {},
): Promise<{ driver: QueueDriver; counts: { evicted: number } }> {
  const counts = { evicted: 0 };
  const config = v.parse(configSchema, { queue, server });
  const driver = await createDriver(config, {
    clock: systemClock,
    log: silentLogger,
    events: {
      evicted: (_, count) => void (counts.evicted += count),
      trimmed: () => undefined,
      reclaimed: () => undefined,
    },
    retries: retryBounds(createDirectory(config).retries),
  });
  return { driver, counts };
}
