import { wokenWaitMs, type Backend, type CommonConfig } from "../../backend.ts";

/** The backend that discards everything; it has no settings. */
export const none = {
  consuming: (config) => ({
    concurrency: 1,
    leaseMs: config.queue.reliability.lease_duration_ms,
    waitMs: wokenWaitMs(config),
  }),
  create: async () => (await import("./driver.ts")).createNoneDriver(),
} satisfies Backend<CommonConfig>;
