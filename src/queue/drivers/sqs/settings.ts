import type * as v from "valibot";
import { setting } from "../../../config/setting.ts";
import type { Backend, BackendView, CommonConfig } from "../../backend.ts";
import type { RetryBounds } from "../../retry-bounds.ts";
import type { SqsOptions } from "./options.ts";
import { queueAddress, section } from "./section-settings.ts";

type Config = CommonConfig<{ readonly name: string; readonly url: string | null }> & {
  readonly queue: { readonly sqs: v.InferOutput<typeof section> };
};

const retention = "SQS keeps dead letters as long as their queue's MessageRetentionPeriod says";

/** SQS FIFO deduplicates for five minutes, whatever one configures (AWS, "Exactly-once processing"). */
const fifoDeduplicationMs = 300_000;

/** SQS and what speaks like it; `queue.sqs`. */
export const sqs = {
  queue: { sqs: setting(section, { default: {}, reload: "restart" }) },
  // Long polls are fetches, several a queue; deliveries go over connections of our own.
  fetches: 65_335,
  unused: { failed_retention: retention, failed_retention_ms: retention },
  ofEachQueue: { url: setting(queueAddress("URL or ARN of this queue (sqs)."), { default: null }) },
  consuming: ({ queue: { sqs } }) => ({
    concurrency: sqs.concurrency,
    leaseMs: sqs.visibility_timeout * 1000,
    // Leases are counted from the call's start, and must not be used up by its wait. With short polls the call waits all
    // the same, or it would be made again and again without the driver's pause between polls.
    waitMs: Math.min(Math.max(1_000, sqs.wait_time_seconds * 1000), (sqs.visibility_timeout * 1000) / 3),
  }),
  // One URL for all queues is one consumer.
  isOneConsumer: ({ queue }) => typeof queue?.sqs?.queue_url === "string",
  wait: ({ queue }) => ({
    ms: (queue?.sqs?.wait_time_seconds ?? 0) * 1000,
    of: "queue.sqs.wait_time_seconds",
  }),
  contradict: contradictInUse,
  async create(config, context) {
    const { createSqsDriver } = await import("./driver.ts");
    return createSqsDriver(sqsOptions(config, context.retries), context);
  },
} satisfies Backend<Config>;

function contradictInUse({ config, written, issue, warn }: BackendView<Config>): void {
  const { sqs, queues, reliability } = config.queue ?? {};
  const urls = new Map<string, number>();
  for (const [index, queue] of (queues ?? []).entries()) {
    const url = queue?.url;
    if (typeof url !== "string") continue;
    const path = ["queue", "queues", index, "url"];
    if (typeof sqs?.queue_url === "string") {
      issue(path, "queue.sqs.queue_url already is the URL of all queues; set one of them");
    }
    const earlier = urls.get(url);
    if (earlier !== undefined) issue(path, `is the URL of queue.queues.${earlier} too`);
    urls.set(url, index);
  }
  if (sqs === undefined) return;
  // Left out it follows from the URL; where another key of queue.sqs is wrong that has not happened yet.
  const isFifo = sqs.fifo ?? sqs.queue_url?.endsWith(".fifo") ?? false;
  const ttl = reliability?.deduplication_ttl_ms;
  if (isFifo && ttl !== undefined && ttl !== fifoDeduplicationMs) {
    issue(
      ["queue", "reliability", "deduplication_ttl_ms"],
      `expected ${fifoDeduplicationMs} with FIFO queues, whose window is 5 minutes whatever one configures, got ${ttl}`,
    );
  }
  if (!isFifo && typeof sqs.group_rate_limit === "object" && sqs.group_rate_limit !== null) {
    issue(["queue", "sqs", "group_rate_limit"], "needs FIFO queues: queue.sqs.fifo is false");
  }
  if (written(["queue", "sqs"]).includes("process_batch")) {
    warn("queue.sqs.process_batch is accepted for Soketi's sake; queue.sqs.max_messages is the receive size");
  }
}

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
    // Read anew each time: the receivers may change while the process runs.
    get retryScheduleMs() {
      return retries.scheduleMs;
    },
    get retryDelaysMs() {
      return retries.delaysMs;
    },
    maxAgeMs: null,
    unknownGraceMs: reliability.unknown_grace_ms,
    get maxAttempts() {
      return retries.maxAttempts;
    },
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
