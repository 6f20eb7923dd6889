import * as v from "valibot";
import {
  checkedText,
  choice,
  flag,
  integer,
  milliseconds,
  rate,
  region,
  secretAddress,
  secretAnything,
  concurrency,
} from "../../../config/kinds.ts";
import { contradictions } from "../../../config/contradictions.ts";
import { setting } from "../../../config/setting.ts";
import { httpUrlProblem } from "../../../config/urls.ts";
import type { Backend, BackendView, CommonConfig } from "../../backend.ts";
import type { RetryBounds } from "../../retry-bounds.ts";
import type { SqsOptions } from "./options.ts";

const placeholders = ["app_id", "channel", "queue", "event", "group"];

/** What is wrong with a template of message group ids, or null. */
function templateProblem(template: string): string | null {
  if (template === "") return "a string that is not empty";
  // SQS, SendMessage, MessageGroupId: alphanumerics and punctuation.
  if (/[^\x21-\x7e]/.test(template))
    return "letters, digits and punctuation (SQS allows nothing else in a group id)";
  for (const [, name] of template.matchAll(/\{([^{}]*)\}/g)) {
    if (!placeholders.includes(name ?? "")) {
      return `only the placeholders ${placeholders.map((known) => `{${known}}`).join(", ")}`;
    }
  }
  return null;
}

/** What is expected of where a queue is, or null: its URL, or its ARN in any partition. The address is not quoted. */
export function queueAddressProblem(address: string): string | null {
  if (/^arn:[a-z0-9-]+:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(?:\.fifo)?$/.test(address)) return null;
  return httpUrlProblem(address) === null
    ? null
    : "an http:// or https:// URL, or an ARN (arn:aws:sqs:REGION:ACCOUNT:NAME)";
}

const url = (description: string) =>
  v.nullable(
    v.pipe(checkedText("an http:// or https:// URL", httpUrlProblem, description), v.metadata(secretAddress)),
  );

const queueAddress = (description: string) =>
  v.nullable(
    v.pipe(checkedText("a queue's URL or ARN", queueAddressProblem, description), v.metadata(secretAddress)),
  );

/** `fifo` left out follows from queue_url. */
const section = v.pipe(
  v.strictObject({
    region: setting(region("AWS region."), {
      env: ["QUEUE_SQS_REGION", "SOKETI_QUEUE_SQS_REGION"],
      default: "us-east-1",
    }),
    endpoint_url: setting(url("URL of a local emulator."), {
      env: ["QUEUE_SQS_ENDPOINT_URL", "SOKETI_QUEUE_SQS_ENDPOINT"],
      default: null,
    }),
    queue_url: setting(queueAddress("One URL or ARN for all queues; ends in .fifo with fifo."), {
      env: "SOKETI_QUEUE_SQS_URL",
      default: null,
    }),
    queue_url_prefix: setting(url("URL of a queue = prefix + name (+ .fifo)."), {
      env: "QUEUE_SQS_URL_PREFIX",
      default: null,
    }),
    client_options: setting(
      v.pipe(
        v.record(v.string(), secretAnything, "an object"),
        v.description("To the SQS client; names of SDK v2 (accessKeyId, maxRetries, …) are mapped."),
      ),
      { env: "SOKETI_QUEUE_SQS_CLIENT_OPTIONS", default: {} },
    ),
    visibility_timeout: setting(integer({ min: 1, max: 43_200 }, "Seconds; this driver's lease."), {
      env: "QUEUE_SQS_VISIBILITY_TIMEOUT",
      default: 30,
    }),
    max_messages: setting(integer({ min: 1, max: 10 }, "Messages per receive."), {
      env: ["QUEUE_SQS_MAX_MESSAGES", "SOKETI_QUEUE_SQS_BATCH_SIZE"],
      default: 10,
    }),
    process_batch: setting(flag("Accepted for Soketi's sake; max_messages is the receive size."), {
      env: "SOKETI_QUEUE_SQS_PROCESS_BATCH",
      default: true,
    }),
    wait_time_seconds: setting(integer({ min: 0, max: 20 }, "Long poll, in seconds."), {
      env: "QUEUE_SQS_WAIT_TIME_SECONDS",
      default: 5,
    }),
    polling_wait_time_ms: setting(milliseconds(0, "Pause between polls, which then run one at a time."), {
      env: "SOKETI_QUEUE_SQS_POLLING_WAIT_TIME_MS",
      default: 0,
    }),
    concurrency: setting(concurrency, { env: "QUEUE_SQS_CONCURRENCY", default: 5 }),
    fifo: setting(flag("FIFO queues; by default true when queue_url ends in .fifo."), {
      env: "QUEUE_SQS_FIFO",
    }),
    message_group_id: setting(
      checkedText("a string", templateProblem, "Template of {app_id}, {channel}, {queue}, {event}, {group}."),
      { env: "QUEUE_SQS_MESSAGE_GROUP_ID", default: "default" },
    ),
    deduplication: setting(
      choice(["id", "content"], "MessageDeduplicationId: the job's id, or the SHA-256 of its body."),
      { default: "id" },
    ),
    fifo_on_failure: setting(
      choice(
        ["block", "dead"],
        "block: retried in place, its group waits. dead: dead-lettered at the first failure.",
      ),
      { default: "block" },
    ),
    group_rate_limit: setting(
      v.pipe(
        v.nullable(v.strictObject({ per_second: rate("Attempts a second.") })),
        v.description("Attempts a second for each FIFO group; null = no limit."),
      ),
      { default: null },
    ),
    auto_create: setting(flag("Create a queue that is missing."), { default: true }),
  }),
  contradictions(({ queue_url: url, queue_url_prefix: prefix, fifo }, contradict) => {
    if (typeof url !== "string") return;
    if (typeof prefix === "string") {
      contradict(["queue_url_prefix"], "queue.sqs.queue_url is set too; set one of them", [
        ["queue_url_prefix"],
        ["queue_url"],
      ]);
    }
    const parts = [["queue_url"], ["fifo"]];
    if (fifo === true && !url.endsWith(".fifo")) {
      contradict(["queue_url"], "must end in .fifo, because queue.sqs.fifo is true", parts);
    }
    if (fifo === false && url.endsWith(".fifo")) {
      contradict(["fifo"], "is false, but queue.sqs.queue_url ends in .fifo", parts);
    }
  }),
  v.transform((sqs) => ({ ...sqs, fifo: sqs.fifo ?? sqs.queue_url?.endsWith(".fifo") ?? false })),
);

type Config = CommonConfig<{ readonly name: string; readonly url: string | null }> & {
  readonly queue: { readonly sqs: v.InferOutput<typeof section> };
};

const retention = "SQS keeps dead letters as long as their queue's MessageRetentionPeriod says";

/** SQS FIFO deduplicates for five minutes, whatever one configures (AWS, "Exactly-once processing"). */
const fifoDeduplicationMs = 300_000;

/** SQS and what speaks like it; `queue.sqs`. */
export const sqs = {
  queue: { sqs: setting(section, { default: {} }) },
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
