import * as v from "valibot";
import { choice, integer, milliseconds, share } from "./kinds.ts";
import { setting } from "./setting.ts";

/**
 * Delays of the schedule that Standard Webhooks 1.0.0 recommends ("Operational considerations"): ten attempts,
 * the first at once, the last after 75 h 35 min. In milliseconds after attempt 1, 2, …
 */
export const standardScheduleMs: readonly number[] = [
  5000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];

const schedule = v.pipe(
  v.nullable(
    v.union([
      choice(["standard"], "The schedule that Standard Webhooks recommends."),
      v.pipe(
        v.array(milliseconds(0, "Delay in milliseconds.")),
        v.minLength(1, "at least one delay, or null"),
      ),
    ]),
  ),
  v.description(
    'Delays after attempt 1, 2, … in milliseconds, the last one repeats; or "standard". null = exponential.',
  ),
);

// Only what is not 2xx can be retried or given up.
const statuses = (description: string) =>
  v.pipe(
    v.array(integer({ min: 300, max: 599 }, "HTTP status."), "an array of HTTP statuses"),
    v.description(description),
  );

/** Every key of a retry policy, with its default; a new one is added here only. */
const retryEntries = {
  max_attempts: setting(integer({ min: 1 }, "Attempts in all, the first included."), {
    env: "QUEUE_MAX_ATTEMPTS",
    default: 12,
  }),
  initial_backoff_ms: setting(milliseconds(0, "Delay after the first attempt; doubles."), {
    env: "QUEUE_RETRY_BASE_DELAY_MS",
    default: 1000,
  }),
  max_backoff_ms: setting(milliseconds(0, "Longest delay, Retry-After included."), {
    env: "QUEUE_RETRY_MAX_DELAY_MS",
    default: 3_600_000,
  }),
  jitter: setting(share("The delay is spread by plus or minus this share."), {
    env: "QUEUE_RETRY_JITTER",
    default: 0.2,
  }),
  schedule_ms: setting(schedule, { default: null }),
  max_age_ms: setting(
    v.pipe(
      v.nullable(milliseconds(1, "Milliseconds.")),
      v.description("No retry starts later than this after the job was enqueued; null = no limit."),
    ),
    { default: null },
  ),
  retry_on: setting(statuses("Statuses that are retried although by default they are not."), { default: [] }),
  dead_on: setting(
    statuses(
      "Statuses that are dead-lettered at once although by default they are retried; wins over retry_on.",
    ),
    { default: [] },
  ),
};
type RetryEntries = typeof retryEntries;

/** `webhooks.retry`: what holds where a webhook says nothing else. */
export const retrySchema = v.strictObject(retryEntries);

/** The entries without their defaults: what is left out is left out. */
function withoutDefaults(): {
  [Key in keyof RetryEntries]: v.OptionalSchema<RetryEntries[Key]["wrapped"], undefined>;
} {
  const bare = Object.entries(retryEntries).map(([key, { wrapped }]) => [
    key,
    v.optional(wrapped as v.GenericSchema),
  ]);
  return Object.fromEntries(bare) as ReturnType<typeof withoutDefaults>;
}

/** A webhook's own `retry`: a key that is left out is as in `webhooks.retry`. */
export const ownRetrySchema = v.strictObject(withoutDefaults());

export type RetryConfig = v.InferOutput<typeof retrySchema>;

/** The policy of a receiver: `webhooks.retry` with its own laid over it. A null of its own counts. */
export function mergeRetry(shared: RetryConfig, own: v.InferOutput<typeof ownRetrySchema>): RetryConfig {
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return set.length === 0 ? shared : { ...shared, ...Object.fromEntries(set) };
}
