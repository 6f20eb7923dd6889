import * as v from "valibot";
import {
  checkedText,
  choice,
  concurrency,
  flag,
  integer,
  milliseconds,
  rate,
  region,
  secretAddress,
  secretAnything,
} from "../../../config/kinds.ts";
import { contradictions } from "../../../config/contradictions.ts";
import { setting } from "../../../config/setting.ts";
import { httpUrlProblem } from "../../../config/urls.ts";

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

/** The kind of where a queue is: its URL or ARN. */
export const queueAddress = (description: string) =>
  v.nullable(
    v.pipe(checkedText("a queue's URL or ARN", queueAddressProblem, description), v.metadata(secretAddress)),
  );

/** `queue.sqs`. `fifo` left out follows from queue_url. */
export const section = v.pipe(
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
    concurrency: setting(concurrency, { env: "QUEUE_SQS_CONCURRENCY", default: 5, reload: "live" }),
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
