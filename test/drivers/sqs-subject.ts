import { silentLogger, type Logger } from "../../src/log.ts";
import { systemClock } from "../../src/clock.ts";
import type { DriverEvents } from "../../src/queue/driver.ts";
import { createSqsDriver, type SqsDriver } from "../../src/queue/drivers/sqs/driver.ts";
import type { SqsOptions } from "../../src/queue/drivers/sqs/options.ts";

/** Client options that no test needs to change: credentials the model takes, and quick repetitions. */
export const testClient = { accessKeyId: "test", secretAccessKey: "test" } as const;

/** The driver's options with every default of the contract, against an endpoint. */
export function sqsOptions(endpoint: string, overrides: Partial<SqsOptions> = {}): SqsOptions {
  return {
    region: "us-east-1",
    endpointUrl: endpoint,
    clientOptions: testClient,
    queues: [{ name: "webhooks", url: null }],
    queueUrl: null,
    queueUrlPrefix: null,
    visibilityTimeoutSeconds: 30,
    maxMessages: 10,
    waitTimeSeconds: 5,
    pollingWaitTimeMs: 0,
    fifo: false,
    messageGroupId: "default",
    deduplication: "id",
    fifoOnFailure: "block",
    groupRateLimit: null,
    autoCreate: true,
    consume: true,
    retryScheduleMs: 3_600_000,
    maxAgeMs: null,
    maxAttempts: 12,
    shutdownTimeoutMs: 8_000,
    deduplicationTtlMs: 300_000,
    ...overrides,
  };
}

export const noEvents: DriverEvents = {
  evicted: () => undefined,
  trimmed: () => undefined,
  reclaimed: () => undefined,
};

/** An opened driver. The caller closes it. */
export async function openSqs(
  endpoint: string,
  overrides: Partial<SqsOptions> = {},
  context: { log?: Logger; events?: DriverEvents } = {},
): Promise<SqsDriver> {
  const driver = createSqsDriver(sqsOptions(endpoint, overrides), {
    clock: systemClock,
    log: context.log ?? silentLogger,
    events: context.events ?? noEvents,
  });
  await driver.open(new AbortController().signal);
  return driver;
}
