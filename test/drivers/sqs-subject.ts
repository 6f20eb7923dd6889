import { silentLogger, type Logger } from "../../src/log.ts";
import { systemClock } from "../../src/clock.ts";
import type { DriverCapabilities, DriverEvents, QueueDriver } from "../../src/queue/driver.ts";
import { createSqsDriver } from "../../src/queue/drivers/sqs/driver.ts";
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
    retryDelaysMs: [3_600_000],
    maxAgeMs: null,
    unknownGraceMs: 900_000,
    maxAttempts: 12,
    shutdownTimeoutMs: 8_000,
    deduplicationTtlMs: 300_000,
    notes: [],
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
): Promise<QueueDriver> {
  const driver = createSqsDriver(sqsOptions(endpoint, overrides), {
    clock: systemClock,
    log: context.log ?? silentLogger,
    events: context.events ?? noEvents,
  });
  await driver.open(new AbortController().signal);
  return driver;
}

/** What the driver says of itself with standard queues. */
export const standardCapabilities: DriverCapabilities = {
  durable: true,
  dedup: false,
  fenced: false,
  refundsAttempt: true,
  exactStats: false,
  listsDeadLetters: false,
  ordersGroups: false,
  maxBatch: 256,
  maxPayloadBytes: 1_048_576 - 256,
  maxDelayMs: 900_000,
  pauseScope: "process",
  settleLingerMs: 5,
};

/** Claims that hold on no SQS queue, and why. */
export const commonSkips = {
  "a retry with a body replaces the bytes": "a message that SQS stores cannot be rewritten",
  "a replaced body survives a lease that ends unsettled": "a message that SQS stores cannot be rewritten",
  "a park with a body replaces the bytes": "a message that SQS stores cannot be rewritten",
  "released jobs come before those that wait in line": "SQS has no priority",
  "children come before those that wait in line": "children are new messages: SQS has no priority",
  fenced: "an expired handle of a standard queue may still work, and attempts are counted by each process",
  listsDeadLetters: "SQS shows messages by receiving them: a page is a sample",
  exactStats: "SQS counts approximately",
  deadCounts: "SQS tells a queue's messages apart by nothing, and counts them approximately",
  jobs: "SQS shows messages by receiving them: it has no list of them",
  findDead: "SQS finds no message by its id",
  clusterPause: "a pause is this process's: SQS has none",
};

/** And on no standard one. */
export const standardSkips = {
  ...commonSkips,
  dedup: "a standard queue has no deduplication",
  "jobs come in the order they were put": "a standard queue keeps no order",
};
