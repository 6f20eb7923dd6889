import * as v from "valibot";
import { choice, flag, host, integer, milliseconds } from "./kinds.ts";
import { databaseSchema } from "./schema-database.ts";
import { egressSchema } from "./schema-egress.ts";
import { appSchema, endpointsSchema } from "./schema-apps.ts";
import { queueSchema } from "./schema-queue.ts";
import { retrySchema } from "./schema-retry.ts";
import { bearerToken, tokenSchema } from "./schema-tokens.ts";

/**
 * The user's contract (contract §2): every key, its default, range and unit. The other schema-*.ts files
 * hold the parts. What relates several keys to each other is in cross-*.ts.
 */

const serverSchema = v.strictObject({
  host: v.optional(host("Address the admin API listens on."), "127.0.0.1"),
  port: v.optional(integer({ min: 0, max: 65_535 }, "Port of the admin API; 0 = any free one."), 9640),
  token: v.optional(
    v.nullable(bearerToken("Bearer token of /v1; null = see the README on access without a token.")),
    null,
  ),
  tokens: v.optional(
    v.pipe(
      v.array(tokenSchema, "an array of tokens"),
      v.description("Bearer tokens with less than all rights, or several that are good at once."),
    ),
    [],
  ),
  max_body_bytes: v.optional(
    integer({ min: 1, max: 1_073_741_824 }, "Larger requests are answered 413."),
    1_048_576,
  ),
});

const webhooksSchema = v.strictObject({
  request_timeout_ms: v.optional(
    milliseconds(1, "Total deadline of one attempt, from DNS to the last byte of the response."),
    10_000,
  ),
  retry: v.optional(retrySchema, {}),
  batching: v.optional(
    v.strictObject({
      enabled: v.optional(flag("Gather the events of one app into one job."), false),
      duration_ms: v.optional(milliseconds(1, "Longest wait for more events."), 50),
      size: v.optional(integer({ min: 1, max: 10_000 }, "Most events in one job."), 100),
    }),
    {},
  ),
  // cli/serve.ts raises Bun's own limit of requests at once to just above this.
  max_in_flight: v.optional(integer({ min: 1, max: 65_000 }, "Attempts of the process at once."), 1024),
});

const supervisorSchema = v.strictObject({
  max_restarts: v.optional(
    integer({ min: 0 }, "Restarts of one child within within_ms before the process exits 1."),
    8,
  ),
  within_ms: v.optional(milliseconds(1, "Window in which restarts are counted."), 60_000),
  restart_delay_ms: v.optional(milliseconds(0, "Delay before the first restart; doubles."), 100),
  max_restart_delay_ms: v.optional(milliseconds(0, "Longest delay before a restart."), 5000),
  stall_ms: v.optional(milliseconds(1, "A child silent for so long is replaced."), 60_000),
  allow_crash: v.optional(flag("Crash and stall may be rehearsed over the API; needs a token."), false),
});

const metricsSchema = v.strictObject({
  endpoint_series: v.optional(
    integer(
      { min: 0, max: 100_000 },
      "Endpoints with metrics of their own: those not enabled and closed, then those with most backlog.",
    ),
    500,
  ),
});

/** Where `log.format` depends on the terminal, the loader fills it in before this schema is applied. */
const logSchema = v.strictObject({
  level: v.optional(choice(["debug", "info", "warn", "error"], "Least severe line that is written."), "info"),
  format: v.optional(choice(["json", "pretty"], "One JSON object a line, or for people."), "json"),
});

/** The whole configuration, as the JSON file holds it. */
export const configSchema = v.strictObject({
  server: v.optional(serverSchema, {}),
  queue: v.optional(queueSchema, {}),
  database: v.optional(databaseSchema, {}),
  webhooks: v.optional(webhooksSchema, {}),
  supervisor: v.optional(supervisorSchema, {}),
  log: v.optional(logSchema, {}),
  metrics: v.optional(metricsSchema, {}),
  egress: v.optional(egressSchema, {}),
  apps: v.optional(v.array(appSchema, "an array of apps"), []),
  endpoints: v.optional(endpointsSchema, {}),
});

/** The effective configuration: every default filled in, every value checked. Keys are those of the file. */
export type Config = v.InferOutput<typeof configSchema>;
/** The configuration as a user may write it: what has a default may be left out. */
export type ConfigInput = v.InferInput<typeof configSchema>;

export type { AppConfig, EndpointConfig, WebhookConfig } from "./schema-apps.ts";
export type { GroupConfig, QueueConfig, RouteConfig } from "./schema-queue.ts";
