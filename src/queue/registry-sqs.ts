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
    retryDelaysMs: longestDelaysMs(retries),
    maxAgeMs: null,
    unknownGraceMs: reliability.unknown_grace_ms,
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
  "max_attempts" | "initial_backoff_ms" | "max_backoff_ms" | "schedule_ms" | "jitter"
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
        jitter: own.jitter ?? common.jitter,
        schedule_ms: own.schedule_ms === undefined ? common.schedule_ms : own.schedule_ms,
      };
      return [...policies, policy];
    },
    [common],
  );
}

/** The longest backoff is reached after some thirty doublings; beyond these, every further delay is the same. */
const countedDelays = 1_000;

/** The delay after an attempt, without jitter. */
function delayMs(retry: Retry, attempt: number): number {
  const list = retry.schedule_ms === "standard" ? standardScheduleMs : retry.schedule_ms;
  if (list !== null) return list[Math.min(attempt, list.length) - 1] ?? 0;
  return Math.min(retry.max_backoff_ms, retry.initial_backoff_ms * 2 ** (attempt - 1));
}

/** All delays of a policy together, without jitter. */
function scheduleSumMs(retry: Retry): number {
  const delays = retry.max_attempts - 1;
  const counted = Math.min(delays, countedDelays);
  let sum = 0;
  for (let attempt = 1; attempt <= counted; attempt += 1) sum += delayMs(retry, attempt);
  return sum + (delays - counted) * delayMs(retry, countedDelays);
}

/** The longest delay of any policy after attempt 1, 2, …, with jitter; the last one repeats. */
function longestDelaysMs(retries: readonly Retry[]): number[] {
  const delays = Math.max(1, ...retries.map(({ max_attempts }) => max_attempts - 1));
  return Array.from({ length: Math.min(delays, countedDelays) }, (_, index) =>
    Math.max(...retries.map((retry) => delayMs(retry, index + 1) * (1 + retry.jitter))),
  );
}
