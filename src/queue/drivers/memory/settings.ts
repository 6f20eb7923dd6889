import * as v from "valibot";
import { choice, integer, concurrency } from "../../../config/kinds.ts";
import { setting } from "../../../config/setting.ts";
import { noGrace, wokenWaitMs, type Backend, type CommonConfig } from "../../backend.ts";

const section = v.strictObject({
  capacity: setting(
    integer({ min: 1 }, "Ready, delayed and parked jobs per queue, retries and children counted."),
    { env: "QUEUE_MEMORY_CAPACITY", default: 100_000 },
  ),
  when_full: setting(
    choice(
      ["evict_oldest", "reject"],
      "evict_oldest: the oldest job of the endpoint that holds most goes, counted and logged. reject: 503 queue_full.",
    ),
    { default: "evict_oldest" },
  ),
  concurrency: setting(concurrency, { env: "QUEUE_MEMORY_CONCURRENCY", default: 5, reload: "live" }),
});

type Config = CommonConfig & { readonly queue: { readonly memory: v.InferOutput<typeof section> } };

/** Queues in this process; `queue.memory`. */
export const memory = {
  queue: { memory: setting(section, { default: {}, reload: "restart" }) },
  unused: noGrace,
  consuming: (config) => ({
    concurrency: config.queue.memory.concurrency,
    leaseMs: config.queue.reliability.lease_duration_ms,
    waitMs: wokenWaitMs(config),
  }),
  async create(config, { clock, log, events }) {
    const { createMemoryDriver } = await import("./driver.ts");
    const { queues, memory, reliability } = config.queue;
    return createMemoryDriver({
      queues: queues.map(({ name }) => name),
      capacity: memory.capacity,
      whenFull: memory.when_full,
      deadLetterRetention: reliability.failed_retention,
      deadLetterRetentionMs: reliability.failed_retention_ms,
      deduplicationTtlMs: reliability.deduplication_ttl_ms,
      // Memory has no limit of its own: what the HTTP server lets in must fit.
      maxPayloadBytes: Math.max(config.server.max_body_bytes, 64 * 1024 * 1024),
      clock,
      log,
      events,
    });
  },
} satisfies Backend<Config>;
