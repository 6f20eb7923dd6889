import * as v from "valibot";
import { integer, longMilliseconds, milliseconds } from "./kinds.ts";
import { setting } from "./setting.ts";

/** `queue.reliability`: what holds for every backend that can do it. */
export const reliabilitySchema = v.strictObject({
  lease_duration_ms: setting(
    milliseconds(100, "A leased job is hidden for so long; renewed every third of it."),
    { env: "QUEUE_LEASE_DURATION_MS", default: 30_000, reload: "live" },
  ),
  shutdown_timeout_ms: setting(milliseconds(0, "Longest wait for attempts in flight at shutdown."), {
    env: "QUEUE_SHUTDOWN_TIMEOUT_MS",
    default: 8000,
    reload: "live",
  }),
  failed_retention: setting(
    v.nullable(
      integer(
        { min: 0 },
        "Dead letters kept per queue; null = as many as there is room for (memory: 100,000 and 64 MiB).",
      ),
    ),
    { env: "QUEUE_FAILED_RETENTION", default: null },
  ),
  failed_retention_ms: setting(
    longMilliseconds(1, "How long a dead letter is kept. What retention removes is logged and counted."),
    { default: 2_592_000_000 },
  ),
  deduplication_ttl_ms: setting(milliseconds(1, "How long an enqueued id is remembered."), {
    env: "QUEUE_DEDUPLICATION_TTL_MS",
    default: 300_000,
  }),
  unknown_grace_ms: setting(
    milliseconds(
      0,
      "sqs: a job that this process cannot route goes back for so long before it is dead: another may know better.",
    ),
    { default: 900_000 },
  ),
});

export type ReliabilityConfig = v.InferOutput<typeof reliabilitySchema>;
