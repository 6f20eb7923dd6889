import type { Config } from "../config/schema.ts";
import type { SqsOptions } from "./drivers/sqs/options.ts";
import type { RetryBounds } from "./retry-bounds.ts";

/** What the sqs driver needs, from the configuration (contract §2). */
export function sqsOptions(config: Config, retries: RetryBounds): SqsOptions {
  const { sqs, queues, reliability, consume } = config.queue;
  return {
    region: sqs.region,
    endpointUrl: sqs.endpoint_url,
    clientOptions: sqs.client_options,
    queues: queues.map(({ name, url }) => ({ name, url })),
    queueUrl: sqs.queue_url,
    queueUrlPrefix: sqs.queue_url_prefix,
    visibilityTimeoutSeconds: sqs.visibility_timeout,
    maxMessages: sqs.max_messages,
    waitTimeSeconds: sqs.wait_time_seconds,
    pollingWaitTimeMs: sqs.polling_wait_time_ms,
    fifo: sqs.fifo,
    messageGroupId: sqs.message_group_id,
    deduplication: sqs.deduplication,
    fifoOnFailure: sqs.fifo_on_failure,
    groupRateLimit: sqs.group_rate_limit === null ? null : { perSecond: sqs.group_rate_limit.per_second },
    autoCreate: sqs.auto_create,
    consume,
    retryScheduleMs: retries.scheduleMs,
    retryDelaysMs: retries.delaysMs,
    maxAgeMs: null,
    unknownGraceMs: reliability.unknown_grace_ms,
    maxAttempts: retries.maxAttempts,
    shutdownTimeoutMs: reliability.shutdown_timeout_ms,
    deduplicationTtlMs: reliability.deduplication_ttl_ms,
    notes: notesOf(config),
  };
}

/** One constant group is one line: with several endpoints, the slowest of them sets the pace of all. */
function notesOf(config: Config): string[] {
  const { sqs } = config.queue;
  const isOneGroup = sqs.fifo && !sqs.message_group_id.includes("{");
  const isWide = config.apps.length > 1 || config.apps.some(({ webhooks }) => webhooks.length > 1);
  if (!isOneGroup || !isWide || sqs.fifo_on_failure !== "block") return [];
  return [
    `queue.sqs.message_group_id is "${sqs.message_group_id}" for every job, and a job that is retried blocks its group: one failing endpoint stops them all; set {app_id}_{channel}`,
  ];
}
