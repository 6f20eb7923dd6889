import { DriverUnavailableError } from "../../src/errors.ts";
import type { Logger } from "../../src/log.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { sharedKey } from "../../src/queue/drivers/redis/keys.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { freshPrefix, openInTheEnd, redisDriver, wish } from "../support/redis-driver.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { witness } from "./shared-state-claims.ts";
import type { SharedProcess, Witness } from "./shared-state-claims.ts";

/** A driver as the claims see a process. */
export function processOf(
  port: number,
  options: Partial<RedisDriverOptions>,
  log?: Logger,
): SharedProcess & { driver: QueueDriver } {
  const driver = redisDriver(port, options, log === undefined ? {} : { log });
  return {
    driver,
    shared: driver.shared!,
    open: () => openInTheEnd(driver),
    close: () => driver.close(),
  };
}

/** Within two seconds, and what a busy machine needs. */
export const soonMs = 3_000;

/** Two processes on one server, with a prefix of their own; `driver` is the other's. */
export async function twoProcesses(
  port: number,
  options: Partial<RedisDriverOptions> = {},
): Promise<AsyncDisposable & { one: Witness; other: Witness; driver: QueueDriver; key: string }> {
  const all = { prefix: freshPrefix(), ...options };
  const one = await witness(processOf(port, all));
  const process = processOf(port, all);
  const other = await witness(process);
  return {
    one,
    other,
    driver: process.driver,
    key: sharedKey(all.prefix),
    async [Symbol.asyncDispose]() {
      await Promise.all([one.close(), other.close()]);
    },
  };
}

/** Clients that listen on the channel, as the server counts them. */
export async function subscribers(redis: RedisProcess, channel: string): Promise<number> {
  return Number(((await redis.client.call("PUBSUB", "NUMSUB", channel)) as unknown[])[1]);
}

/** Waits for jobs until the signal, as a worker does. */
export async function waitForJobs(driver: QueueDriver, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await driver.lease("webhooks", wish({ waitMs: 5_000, signal })).catch((error: unknown) => {
      if (!(error instanceof DriverUnavailableError)) throw error;
      return new Promise((resolve) => setTimeout(resolve, 100));
    });
  }
}

/** Sets until it has resolved: while the backend is away, setting it again is safe. */
export async function setUntilThere(one: Witness, key: string, value: string | null): Promise<void> {
  await until(
    () =>
      one.shared.set(key, value).then(
        () => true,
        (error: unknown) => {
          if (error instanceof DriverUnavailableError) return false;
          throw error;
        },
      ),
    { what: `${key} to be set`, timeoutMs: 90_000, everyMs: 20 },
  );
}
