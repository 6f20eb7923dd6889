import { rmSync } from "node:fs";
import { fileCapabilities, fileDriver, temporaryFolder } from "../support/file-driver.ts";
import { describeDriver } from "./conformance.ts";
import { createReopeningDriver } from "./file/reopening.ts";

const skips = {
  peer: "one process has the store, and a second one is refused",
  produce: "nobody else writes into the store",
  clusterPause: "there is one process",
  faults: "a write or sync that fails ends the process (test/drivers/file/faults.test.ts)",
};

describeDriver("file", {
  capabilities: fileCapabilities,
  timing: { leaseMs: 80, delayMs: 60 },
  loadJobs: 20_000,
  create: async (options) => {
    const { path } = temporaryFolder();
    return {
      driver: fileDriver(path, { ...options, segmentBytes: 256 * 1024, slackBytes: 0 }),
      dispose: async () => rmSync(path, { recursive: true }),
    };
  },
  skips,
});

// The same claims, with everything read from disk between any two steps.
describeDriver("file, closed and opened between steps", {
  capabilities: fileCapabilities,
  timing: { leaseMs: 250, delayMs: 250 },
  loadJobs: 2_000,
  create: async (options) => {
    const { path } = temporaryFolder();
    // Small segments, so that cleaning is part of it.
    const make = () => fileDriver(path, { ...options, segmentBytes: 16 * 1024, slackBytes: 0 });
    return {
      driver: createReopeningDriver(make),
      dispose: async () => rmSync(path, { recursive: true }),
    };
  },
  skips,
});
