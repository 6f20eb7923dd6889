import * as v from "valibot";
import { choice, integer, milliseconds, rate, share } from "./kinds.ts";

/**
 * What a receiver may be sent at a time, and what its answers switch off: settings of a webhook or a named endpoint.
 *
 * One entry is all that a new one takes. It is checked, has its default, stands in `hookline config schema`, reaches
 * the code as `endpoint.limits` with its name in camel case, and is shown by /v1/endpoints.
 */
export const limitEntries = {
  concurrency: v.optional(
    v.nullable(integer({ min: 1 }, "Most attempts in flight to this endpoint; null = a fair share.")),
    null,
  ),
  rate_limit: v.optional(
    v.nullable(
      v.strictObject({
        per_second: rate("Attempts a second."),
        burst: v.optional(integer({ min: 1 }, "Attempts that may start at once after a pause."), 1),
      }),
    ),
    null,
  ),
  breaker: v.optional(
    v.strictObject({
      failure_share: v.optional(share("Share of failed attempts that opens the breaker."), 0.5),
      min_attempts: v.optional(integer({ min: 1 }, "Attempts in the window before it may open."), 20),
      window_ms: v.optional(milliseconds(1, "Window in which attempts count."), 60_000),
      open_ms: v.optional(milliseconds(1, "Time without attempts before the first probe."), 30_000),
    }),
    {},
  ),
  on_gone: v.optional(
    choice(["dead_letter", "disable"], "What an answer of 410 does, besides ending its own delivery."),
    "dead_letter",
  ),
  gone_threshold: v.optional(integer({ min: 1 }, "Answers of 410 in a row that disable the endpoint."), 3),
};

const limitsSchema = v.strictObject(limitEntries);
export type LimitsConfig = v.InferOutput<typeof limitsSchema>;

/** The limits among the settings of a receiver. */
export function limitsOf(receiver: LimitsConfig): LimitsConfig {
  const keys = Object.keys(limitEntries) as (keyof LimitsConfig)[];
  return Object.fromEntries(keys.map((key) => [key, receiver[key]])) as LimitsConfig;
}
