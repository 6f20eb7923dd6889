import * as v from "valibot";
import { choice, integer, milliseconds, rate, share } from "./kinds.ts";
import { setting } from "./setting.ts";

/**
 * What a receiver may be sent at a time, and what its answers switch off: settings of a webhook or a named endpoint.
 *
 * One entry is all that a new one takes. It is checked, has its default, stands in `hookline config schema`, reaches
 * the code as `endpoint.limits` with its name in camel case, and is shown by /v1/endpoints.
 */
export const limitEntries = {
  concurrency: setting(
    v.nullable(integer({ min: 1 }, "Most attempts in flight to this endpoint; null = a fair share.")),
    { default: null },
  ),
  rate_limit: setting(
    v.nullable(
      v.strictObject({
        per_second: rate("Attempts a second."),
        burst: setting(integer({ min: 1 }, "Attempts that may start at once after a pause."), { default: 1 }),
      }),
    ),
    { default: null },
  ),
  breaker: setting(
    v.strictObject({
      failure_share: setting(share("Share of failed attempts that opens the breaker."), { default: 0.5 }),
      min_attempts: setting(integer({ min: 1 }, "Attempts in the window before it may open."), {
        default: 20,
      }),
      window_ms: setting(milliseconds(1, "Window in which attempts count."), { default: 60_000 }),
      open_ms: setting(milliseconds(1, "Time without attempts before the first probe."), { default: 30_000 }),
    }),
    { default: {} },
  ),
  on_gone: setting(
    choice(["dead_letter", "disable"], "What an answer of 410 does, besides ending its own delivery."),
    { default: "dead_letter" },
  ),
  gone_threshold: setting(integer({ min: 1 }, "Answers of 410 in a row that disable the endpoint."), {
    default: 3,
  }),
};

const limitsSchema = v.strictObject(limitEntries);
export type LimitsConfig = v.InferOutput<typeof limitsSchema>;

/** The limits among the settings of a receiver. */
export function limitsOf(receiver: LimitsConfig): LimitsConfig {
  const keys = Object.keys(limitEntries) as (keyof LimitsConfig)[];
  return Object.fromEntries(keys.map((key) => [key, receiver[key]])) as LimitsConfig;
}
