import type { Config } from "../config/schema.ts";
import { standardScheduleMs } from "../config/schema-retry.ts";
import type { SqsOptions } from "./drivers/sqs/options.ts";

/** What the sqs driver needs, from the configuration (contract §2). */
export function sqsOptions(config: Config): SqsOptions {
  const { sqs, queues, reliability, consume } = config.queue;
  const retries = retriesOf(config);
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
    retryScheduleMs: Math.max(...retries.map(scheduleSumMs)),
    maxAgeMs: null,
    maxAttempts: Math.max(...retries.map(({ max_attempts }) => max_attempts)),
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

type Retry = Pick<
  Config["webhooks"]["retry"],
  "max_attempts" | "initial_backoff_ms" | "max_backoff_ms" | "schedule_ms"
>;

/** Every retry policy in force: the common one, and each receiver's own laid over it. */
function retriesOf(config: Config): Retry[] {
  const common = config.webhooks.retry;
  const receivers = [...config.apps.flatMap(({ webhooks }) => webhooks), ...Object.values(config.endpoints)];
  return receivers.reduce<Retry[]>(
    (policies, { retry: own }) => {
      if (own === undefined) return policies;
      const policy: Retry = {
        max_attempts: own.max_attempts ?? common.max_attempts,
        initial_backoff_ms: own.initial_backoff_ms ?? common.initial_backoff_ms,
        max_backoff_ms: own.max_backoff_ms ?? common.max_backoff_ms,
        schedule_ms: own.schedule_ms === undefined ? common.schedule_ms : own.schedule_ms,
      };
      return [...policies, policy];
    },
    [common],
  );
}

/** All delays of a policy together, without jitter. */
function scheduleSumMs(retry: Retry): number {
  let sum = 0;
  const list = retry.schedule_ms === "standard" ? standardScheduleMs : retry.schedule_ms;
  // The longest backoff is reached after some thirty doublings; beyond, every further delay is the same.
  const counted = Math.min(retry.max_attempts - 1, 1_000);
  for (let attempt = 1; attempt <= counted; attempt += 1) {
    const delay =
      list === null
        ? Math.min(retry.max_backoff_ms, retry.initial_backoff_ms * 2 ** (attempt - 1))
        : (list[Math.min(attempt, list.length) - 1] ?? 0);
    sum += delay;
  }
  return sum + (retry.max_attempts - 1 - counted) * (list?.at(-1) ?? retry.max_backoff_ms);
}
