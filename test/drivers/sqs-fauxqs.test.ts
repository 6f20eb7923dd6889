import { afterAll, describe } from "bun:test";
import { buildApp } from "fauxqs";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createSqsDriver } from "../../src/queue/drivers/sqs/driver.ts";
import { describeDriver } from "./conformance.ts";
import { standardCapabilities, sqsOptions, standardSkips } from "./sqs-subject.ts";

// A second opinion on what a standard queue does, by people who have not read our model.
const app = buildApp({ logger: false, defaultRegion: "us-east-1" });
const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
afterAll(() => app.close());
let claims = 0;

describe.concurrent("fauxqs", () => {
  describeDriver("sqs standard on fauxqs", {
    create({ queues, events, deduplicationTtlMs }) {
      claims += 1;
      const options = sqsOptions(endpoint, {
        queues: queues.map((name) => ({ name, url: null })),
        // Queues of its own for every claim.
        queueUrlPrefix: `${endpoint}/000000000000/claim-${claims}-`,
        waitTimeSeconds: 1,
        deduplicationTtlMs,
      });
      const make = () => createSqsDriver(options, { clock: systemClock, log: silentLogger, events });
      return Promise.resolve({ driver: make(), peer: () => Promise.resolve(make()) });
    },
    capabilities: standardCapabilities,
    timing: { leaseMs: 1_000, delayMs: 1_000, deadlineMs: 15_000 },
    loadJobs: 300,
    skips: {
      ...standardSkips,
      produce: "the model's suite has it",
      faults: "it fails no call on purpose: the model's suite has it",
      "text survives: number spelling, escapes, unicode, whitespace, 200 KB":
        "fauxqs refuses what is beyond U+FFFD",
      "keys are told apart, whatever they are made of": "fauxqs refuses what is beyond U+FFFD",
      "due delayed jobs come before those that wait in line":
        "fauxqs counts due messages as delayed until a receive",
    },
  });
});
