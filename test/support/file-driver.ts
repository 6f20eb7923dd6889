import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createFileDriver } from "../../src/queue/drivers/file/driver.ts";
import type { FileDriverOptions } from "../../src/queue/drivers/file/driver.ts";
import type { DriverCapabilities, Lease, LeaseOptions, QueueDriver } from "../../src/queue/driver.ts";

export const filePayloadBytes = 1024 * 1024;

export const fileCapabilities: DriverCapabilities = {
  durable: true,
  dedup: true,
  fenced: true,
  refundsAttempt: true,
  exactStats: true,
  listsDeadLetters: true,
  ordersGroups: false,
  maxBatch: 10_000,
  maxPayloadBytes: filePayloadBytes,
  maxDelayMs: 366 * 24 * 3_600_000,
  pauseScope: "process",
};

/** A folder of its own, which goes with the test. */
export interface Folder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(parent = tmpdir()): Folder {
  const path = mkdtempSync(join(parent, "hookline-store-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A driver that is not open yet; failures of its files are thrown. */
export function fileDriver(folder: string, overrides: Partial<FileDriverOptions> = {}): QueueDriver {
  return createFileDriver({
    folder,
    queues: ["q"],
    fsync: "always",
    fsyncIntervalMs: 1_000,
    minFreeBytes: 1024 * 1024,
    maxBytes: null,
    allowNetworkFs: false,
    deadLetterRetention: null,
    deadLetterRetentionMs: 30 * 24 * 3_600_000,
    deduplicationTtlMs: 300_000,
    maxPayloadBytes: filePayloadBytes,
    clock: systemClock,
    log: silentLogger,
    events: { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined },
    fail: (error) => {
      throw error;
    },
    ...overrides,
  });
}

/** Opens a driver on a folder. */
export async function openDriver(
  folder: string,
  overrides: Partial<FileDriverOptions> = {},
): Promise<QueueDriver> {
  const driver = fileDriver(folder, overrides);
  await driver.open(new AbortController().signal);
  return driver;
}

export function leaseFrom(driver: QueueDriver, wish: Partial<LeaseOptions> = {}): Promise<Lease[]> {
  return driver.lease("q", {
    max: 100,
    leaseMs: 60_000,
    waitMs: 0,
    closedKeys: new Set(),
    parkedMax: 100,
    signal: new AbortController().signal,
    ...wish,
  });
}
