import * as v from "valibot";
import { choice, flag, host, integer, milliseconds } from "./kinds.ts";
import { setting } from "./setting.ts";
import { databaseSections } from "../queue/sections.ts";
import { egressSchema } from "./schema-egress.ts";
import { appSchema, endpointsSchema } from "./schema-apps.ts";
import { historySchema } from "./schema-history.ts";
import { encryptionKey } from "./schema-encryption.ts";
import { operatorEventsSchema } from "./schema-operator-events.ts";
import { queueSchema } from "./schema-queue.ts";
import { reloadSchema } from "./schema-reload.ts";
import { retrySchema } from "./schema-retry.ts";
import { bearerToken, tokenSchema } from "./schema-tokens.ts";

/**
 * The user's contract (contract §2): every key, its default, range and unit. The other schema-*.ts files
 * hold the parts. What relates several keys to each other is in cross-*.ts.
 */

const serverSchema = v.strictObject({
  host: setting(host("Address the admin API listens on."), {
    env: "HOOKLINE_HOST",
    default: "127.0.0.1",
    reload: "restart",
  }),
  port: setting(integer({ min: 0, max: 65_535 }, "Port of the admin API; 0 = any free one."), {
    env: "HOOKLINE_PORT",
    default: 9640,
    reload: "restart",
  }),
  token: setting(
    v.nullable(bearerToken("Bearer token of /v1; null = see docs/api.md on access without a token.")),
    { env: "HOOKLINE_TOKEN", default: null },
  ),
  tokens: setting(
    v.pipe(
      v.array(tokenSchema, "an array of tokens"),
      v.description("Bearer tokens with less than all rights, or several that are good at once."),
    ),
    { env: "HOOKLINE_TOKENS", default: [] },
  ),
  encryption_key: setting(
    v.nullable(encryptionKey("32 bytes, base64: encrypts the apps and endpoints that the API stores.")),
    { env: "HOOKLINE_ENCRYPTION_KEY", default: null },
  ),
  previous_encryption_keys: setting(
    v.pipe(
      v.array(encryptionKey("A key that decrypts only."), "an array of keys"),
      v.description("Keys that decrypt what was stored under them, and encrypt nothing more."),
    ),
    { env: "HOOKLINE_PREVIOUS_ENCRYPTION_KEYS", default: [] },
  ),
  max_body_bytes: setting(integer({ min: 1, max: 1_073_741_824 }, "Larger requests are answered 413."), {
    default: 1_048_576,
  }),
  dashboard: setting(flag("The web page at /; false: 404 there."), { default: true }),
});

const webhooksSchema = v.strictObject({
  request_timeout_ms: setting(
    milliseconds(1, "Total deadline of one attempt, from DNS to the last byte of the response."),
    { env: "WEBHOOK_REQUEST_TIMEOUT_MS", default: 10_000 },
  ),
  retry: setting(retrySchema, { default: {} }),
  batching: setting(
    v.strictObject({
      enabled: setting(flag("Gather the events of one app into one job."), {
        env: "WEBHOOK_BATCHING_ENABLED",
        envSoketi: "SOKETI_WEBHOOKS_BATCHING",
        default: false,
      }),
      duration_ms: setting(milliseconds(1, "Longest wait for more events."), {
        env: "WEBHOOK_BATCHING_DURATION",
        envSoketi: "SOKETI_WEBHOOKS_BATCHING_DURATION",
        default: 50,
      }),
      size: setting(integer({ min: 1, max: 10_000 }, "Most events in one job."), {
        env: "WEBHOOK_BATCHING_SIZE",
        default: 100,
      }),
    }),
    { default: {} },
  ),
  // cli/serve.ts raises Bun's own limit of requests at once to just above this.
  max_in_flight: setting(integer({ min: 1, max: 65_000 }, "Attempts of the process at once."), {
    default: 1024,
  }),
});

const supervisorSchema = v.strictObject({
  max_restarts: setting(
    integer({ min: 0 }, "Restarts of one child within within_ms before the process exits 1."),
    { default: 8 },
  ),
  within_ms: setting(milliseconds(1, "Window in which restarts are counted."), { default: 60_000 }),
  restart_delay_ms: setting(milliseconds(0, "Delay before the first restart; doubles."), { default: 100 }),
  max_restart_delay_ms: setting(milliseconds(0, "Longest delay before a restart."), { default: 5000 }),
  stall_ms: setting(milliseconds(1, "A child silent for so long is replaced."), { default: 60_000 }),
  allow_crash: setting(flag("Crash and stall may be rehearsed over the API; needs a token."), {
    default: false,
  }),
});

const metricsSchema = v.strictObject({
  endpoint_series: setting(
    integer(
      { min: 0, max: 100_000 },
      "Endpoints with metrics of their own: those not enabled and closed, then those with most backlog.",
    ),
    { default: 500 },
  ),
});

/** Where `log.format` depends on the terminal, the loader fills it in before this schema is applied. */
const logSchema = v.strictObject({
  level: setting(choice(["debug", "info", "warn", "error"], "Least severe line that is written."), {
    env: "LOG_LEVEL",
    default: "info",
  }),
  format: setting(choice(["json", "pretty"], "One JSON object a line, or for people."), {
    env: "LOG_FORMAT",
    default: "json",
  }),
});

/** The whole configuration, as the JSON file holds it. */
export const configSchema = v.strictObject({
  server: setting(serverSchema, { default: {}, reload: "live" }),
  queue: setting(queueSchema, { default: {} }),
  database: setting(v.strictObject(databaseSections), { default: {}, reload: "restart" }),
  webhooks: setting(webhooksSchema, { default: {}, reload: "live" }),
  reload: setting(reloadSchema, { default: {}, reload: "live" }),
  supervisor: setting(supervisorSchema, { default: {}, reload: "restart" }),
  log: setting(logSchema, { default: {}, reload: "live" }),
  metrics: setting(metricsSchema, { default: {}, reload: "live" }),
  history: setting(historySchema, { default: {}, reload: "live" }),
  operator_events: setting(
    v.pipe(
      v.array(operatorEventsSchema, "an array of objects"),
      v.description("Who is told, as signed jobs, of what happens to hookline itself."),
    ),
    { default: [], reload: "live" },
  ),
  egress: setting(egressSchema, { default: {}, reload: "live" }),
  apps: setting(v.array(appSchema, "an array of apps"), {
    env: "HOOKLINE_APPS",
    default: [],
    reload: "live",
  }),
  endpoints: setting(endpointsSchema, { env: "HOOKLINE_ENDPOINTS", default: {}, reload: "live" }),
});

/** The effective configuration: every default filled in, every value checked. Keys are those of the file. */
export type Config = v.InferOutput<typeof configSchema>;
/** The configuration as a user may write it: what has a default may be left out. */
export type ConfigInput = v.InferInput<typeof configSchema>;

export type { AppConfig, EndpointConfig, WebhookConfig } from "./schema-apps.ts";
export type { GroupConfig } from "./schema-groups.ts";
export type { QueueConfig, RouteConfig } from "./schema-queues.ts";
