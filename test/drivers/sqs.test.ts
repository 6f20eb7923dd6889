import { describe } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createSqsDriver } from "../../src/queue/drivers/sqs/driver.ts";
import { createSqsModel } from "../support/sqs-model.ts";
import { sqsFaults } from "../support/sqs-walk-faults.ts";
import { describeDriver } from "./conformance.ts";
import type { DriverSubject } from "./conformance-bench.ts";
import { commonSkips, sqsOptions, standardCapabilities, standardSkips } from "./sqs-subject.ts";

/** Each claim gets a model of its own: queues start empty and nothing is shared. */
const create =
  (fifo: boolean): DriverSubject["create"] =>
  ({ queues, events, deduplicationTtlMs }) => {
    const model = createSqsModel();
    const options = sqsOptions(model.endpoint, {
      queues: queues.map((name) => ({ name, url: null })),
      fifo,
      waitTimeSeconds: 1,
      messageGroupId: "{channel}",
      deduplicationTtlMs: fifo ? 300_000 : deduplicationTtlMs,
    });
    const make = () => createSqsDriver(options, { clock: systemClock, log: silentLogger, events });
    let produced = 0;
    return Promise.resolve({
      driver: make(),
      faults: { kinds: sqsFaults(model), mayDouble: false, keepsBytes: true, steps: 150 },
      peer: () => Promise.resolve(make()),
      produce(queue, body) {
        produced += 1;
        model.queues.get(fifo ? `${queue}.fifo` : queue)?.send({
          body: body as string,
          attributes: {},
          group: fifo ? `produced-${produced}` : null,
          deduplicationId: fifo ? `produced-${produced}` : null,
          delaySeconds: null,
        });
        return Promise.resolve();
      },
      dispose: () => model.stop(),
    });
  };

// Each claim has a model and drivers of its own, and most of its time waits for whole seconds of visibility.
describe.concurrent("sqs", () => {
  describeDriver("sqs standard", {
    create: create(false),
    capabilities: standardCapabilities,
    timing: { leaseMs: 1_000, delayMs: 1_000, deadlineMs: 15_000 },
    loadJobs: 600,
    skips: standardSkips,
  });

  describeDriver("sqs fifo", {
    create: create(true),
    capabilities: { ...standardCapabilities, dedup: true, ordersGroups: true, maxDelayMs: 0 },
    timing: { leaseMs: 1_000, delayMs: 1_000, deadlineMs: 15_000 },
    loadJobs: 600,
    skips: {
      ...commonSkips,
      maxDelayMs: "a FIFO queue delays no single message",
      noGroups: "groups are what FIFO is for",
      "two jobs of the same id without a dedup key are two jobs": "the deduplication id is the job's id",
      "the same dedup key again is a duplicate and writes nothing": "SQS answers a duplicate like the first",
      "a dedup key twice in one batch is enqueued once": "SQS answers a duplicate like the first",
      "a dedup key with another fingerprint is a conflict and writes nothing": "SQS compares no bodies",
      "a dedup key is remembered after its job is gone": "SQS answers a duplicate like the first",
      "a dedup key is forgotten after its time":
        "SQS's window is five minutes; sqs-fifo.test.ts moves its clock",
      "a dedup key of one queue says nothing about another":
        "the deduplication id is the job's, not the key's",
    },
  });
});
