import { Redis } from "ioredis";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { Lease, QueueDriver } from "../../src/queue/driver.ts";
import { until } from "./until.ts";

/** What a consumer has seen: how often each id came, and how often the backend was away. */
export interface Received {
  readonly times: Map<string, number>;
  unavailable: number;
  lost: number;
}

export interface ConsumerHandle {
  readonly received: Received;
  /** Ends the loop and gives its error, if it was not one of the backend's. */
  stop(): Promise<void>;
}

/** The id that a test job's body carries. */
export function idOf(lease: Lease): string {
  return (JSON.parse(String(lease.job.body)) as { id: string }).id;
}

/**
 * Leases and acks as the worker does: when Redis is away it tries again, and what it has to settle
 * is settled until Redis answers.
 */
export function consume(driver: QueueDriver, queue = "webhooks", leaseMs = 1_500): ConsumerHandle {
  const received: Received = { times: new Map(), unavailable: 0, lost: 0 };
  const stop = new AbortController();
  const patiently = async <T>(call: () => Promise<T>): Promise<T | null> => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) throw error;
        received.unavailable += 1;
        if (stop.signal.aborted) return null;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const wish = { max: 16, leaseMs, waitMs: 500, closedKeys: new Set<string>(), parkedMax: 1_000 };
      const leases = (await patiently(() => driver.lease(queue, { ...wish, signal: stop.signal }))) ?? [];
      for (const lease of leases) received.times.set(idOf(lease), (received.times.get(idOf(lease)) ?? 0) + 1);
      if (leases.length === 0) continue;
      // Slower than the producer, so that there is always something to do when a fault comes.
      await new Promise((resolve) => setTimeout(resolve, 8));
      const results = await patiently(() => driver.settle(leases.map((lease) => ({ verb: "ack", lease }))));
      for (const result of results ?? []) if (result.status === "lost") received.lost += 1;
    }
  };
  const running = loop();
  running.catch(() => undefined);
  return {
    received,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

export interface ProducerHandle {
  /** Ids whose RPUSH was confirmed. */
  readonly confirmed: string[];
  /** Resolves when all are confirmed. */
  readonly done: Promise<void>;
}

/** RPUSHes `count` jobs as a foreign producer does, a few at a time, until each push is confirmed. */
export function produce(port: number, key: string, count: number, step = 10, pauseMs = 2): ProducerHandle {
  const client = new Redis({
    port,
    host: "127.0.0.1",
    maxRetriesPerRequest: 0,
    commandTimeout: 2_000,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
    replyMapping: "legacy",
  });
  client.on("error", () => undefined);
  const confirmed: string[] = [];
  const run = async (): Promise<void> => {
    while (confirmed.length < count) {
      const ids = Array.from(
        { length: Math.min(step, count - confirmed.length) },
        (_, index) => `p${confirmed.length + index}`,
      );
      try {
        await client.rpush(key, ...ids.map((id) => JSON.stringify({ id })));
        confirmed.push(...ids);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      } catch {
        // Away, or its answer was lost: pushed again, which may make a double of the producer's own.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    client.disconnect();
  };
  const done = run();
  done.catch(() => undefined);
  return { confirmed, done };
}

/** Waits until every id came at least once; says which did not. */
export async function untilReceived(
  received: Received,
  ids: readonly string[],
  timeoutMs = 90_000,
): Promise<void> {
  const missing = () => ids.filter((id) => !received.times.has(id));
  try {
    await until(() => missing().length === 0, { timeoutMs, everyMs: 20, what: "every id" });
  } catch {
    const rest = missing();
    throw new Error(`${rest.length} of ${ids.length} ids never came: ${rest.slice(0, 5).join(", ")} …`);
  }
}

/** Keys that hookline leaves behind, but for dedup marks, which Redis removes by itself. */
export async function leftKeys(client: Redis): Promise<string[]> {
  return (await client.keys("*"))
    .filter((key) => !/:dedup:|:(?:waiters|living|ranks|ranked)$/.test(key))
    .sort();
}
