import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import type { LogFields, Logger } from "../../src/log.ts";
import type { DriverEvents, NewJob, QueueDriver } from "../../src/queue/driver.ts";
import { createRedisDriver } from "../../src/queue/drivers/redis/driver.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { until } from "./until.ts";

/** The events of a driver, counted. */
export function countEvents() {
  const counts = { evicted: 0, trimmed: 0, reclaimed: 0 };
  const events: DriverEvents = {
    evicted: (_, count) => void (counts.evicted += count),
    trimmed: (_, count) => void (counts.trimmed += count),
    reclaimed: (_, count) => void (counts.reclaimed += count),
  };
  return { counts, events };
}

/** A logger that keeps what was warned of. */
export function warningLogger(): {
  log: Logger;
  warnings: { message: string; fields: LogFields | undefined }[];
} {
  const warnings: { message: string; fields: LogFields | undefined }[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (message, fields) => void warnings.push({ message, fields }),
    child: () => log,
  };
  return { log, warnings };
}

let prefixes = 0;

/** A prefix that no other test uses. */
export function freshPrefix(): string {
  prefixes += 1;
  return `test-${process.pid}-${prefixes}:`;
}

/** Options of a single server on 127.0.0.1, or what `overrides` say. */
export function redisOptionsFor(
  port: number,
  overrides: Partial<RedisDriverOptions> = {},
): RedisDriverOptions {
  return {
    name: "redis",
    target: { mode: "single", address: { host: "127.0.0.1", port } },
    username: null,
    password: null,
    db: 0,
    tls: null,
    prefix: "sockudo_queue:",
    queues: ["webhooks", "other"],
    requestTimeoutMs: 2_000,
    lookForOthersMs: 60_000,
    deadLetterRetention: 10_000,
    deadLetterRetentionMs: 2_592_000_000,
    // A look would be among the commands that a test counts or cuts.
    deadLooks: { firstMs: 3_600_000, everyMs: 3_600_000 },
    deduplicationTtlMs: 300_000,
    waitReplicas: 0,
    encodeForSockudo: null,
    configPath: "database.redis",
    prefixPath: "queue.redis.prefix",
    ...overrides,
  };
}

/** A driver for a single server on 127.0.0.1 (or what `overrides` say), not yet open. */
export function redisDriver(
  port: number,
  overrides: Partial<RedisDriverOptions> = {},
  context: { readonly log?: Logger; readonly events?: DriverEvents } = {},
) {
  return createRedisDriver(redisOptionsFor(port, overrides), {
    clock: systemClock,
    log: context.log ?? silentLogger,
    events: context.events ?? countEvents().events,
  });
}

/**
 * Opens a driver whose request timeout is so short that a busy machine reaches it, as often as it takes. For tests in
 * which such a timeout is to pass quickly later.
 */
export async function openInTheEnd(driver: Pick<QueueDriver, "open">): Promise<void> {
  await until(
    () =>
      driver.open(new AbortController().signal).then(
        () => true,
        (error: unknown) => {
          if (error instanceof DriverUnavailableError) return false;
          throw error;
        },
      ),
    { what: "the driver to open" },
  );
}

/** The target of a cluster with these seeds. */
export function clusterOf(...ports: readonly number[]): Partial<RedisDriverOptions> {
  return {
    name: "redis-cluster",
    configPath: "queue.redis_cluster.nodes",
    target: { mode: "cluster", seeds: ports.map((port) => ({ host: "127.0.0.1", port })) },
  };
}

/** A job to enqueue. */
export function newJob(id: string, body = `{"id":"${id}"}`, overrides: Partial<NewJob> = {}): NewJob {
  return {
    id,
    body,
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: null,
    dedup: null,
    ...overrides,
  };
}

/** Lease options a test may leave out: 10 jobs, a minute, no waiting. */
export function wish(overrides: Partial<Parameters<ReturnType<typeof redisDriver>["lease"]>[1]> = {}) {
  return {
    max: 10,
    leaseMs: 60_000,
    waitMs: 0,
    closedKeys: new Set<string>(),
    parkedMax: 1_000,
    signal: new AbortController().signal,
    ...overrides,
  };
}
