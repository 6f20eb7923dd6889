import { resolve } from "node:path";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { Logger } from "../log.ts";
import type { DriverEvents, DriverName, QueueDriver } from "./driver.ts";
import { redisOptions } from "./registry-redis.ts";
import { sqsOptions } from "./registry-sqs.ts";
import type { RetryBounds } from "./retry-bounds.ts";

/** What a driver is given beside its configuration. */
export interface DriverContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  /** How far the receivers' retries reach; see retryBounds. */
  readonly retries: RetryBounds;
  /** Told when this process can never use the backend again, and must end with exit code 1. Absent: it is thrown. */
  readonly fail?: (error: Error) => void;
}

type Make = (config: Config, context: DriverContext) => Promise<QueueDriver>;

/**
 * One line per backend. Each is loaded when it is chosen: the client libraries of the others cost
 * neither start time nor memory. The paths are literals, so that the bundler takes every one into the
 * executable.
 */
const makers: Readonly<Record<DriverName, Make>> = {
  memory: makeMemory,
  file: makeFile,
  none: async () => (await import("./drivers/none.ts")).createNoneDriver(),
  redis: makeRedis,
  "redis-cluster": makeRedis,
  sqs: makeSqs,
};

/** The driver that `queue.driver` names, made but not yet opened. */
export function createDriver(config: Config, context: DriverContext): Promise<QueueDriver> {
  return makers[config.queue.driver](config, context);
}

async function makeMemory(config: Config, { clock, log, events }: DriverContext): Promise<QueueDriver> {
  const { createMemoryDriver } = await import("./drivers/memory/driver.ts");
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
}

async function makeFile(config: Config, context: DriverContext): Promise<QueueDriver> {
  const { createFileDriver } = await import("./drivers/file/driver.ts");
  const { queues, file, reliability } = config.queue;
  return createFileDriver({
    ...context,
    fail:
      context.fail ??
      ((error) => {
        throw error;
      }),
    folder: resolve(file.path),
    queues: queues.map(({ name }) => name),
    fsync: file.fsync,
    fsyncIntervalMs: file.fsync_interval_ms,
    maxBytes: file.max_bytes,
    minFreeBytes: file.min_free_mb * 1024 * 1024,
    allowNetworkFs: file.allow_network_fs,
    deadLetterRetention: reliability.failed_retention,
    deadLetterRetentionMs: reliability.failed_retention_ms,
    deduplicationTtlMs: reliability.deduplication_ttl_ms,
    maxPayloadBytes: Math.max(config.server.max_body_bytes, 64 * 1024 * 1024),
  });
}

async function makeRedis(config: Config, context: DriverContext): Promise<QueueDriver> {
  const { createRedisDriver } = await import("./drivers/redis/driver.ts");
  return createRedisDriver(redisOptions(config), context);
}

async function makeSqs(config: Config, context: DriverContext): Promise<QueueDriver> {
  const { createSqsDriver } = await import("./drivers/sqs/driver.ts");
  return createSqsDriver(sqsOptions(config, context.retries), context);
}
