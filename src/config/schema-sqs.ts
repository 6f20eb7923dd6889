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
} from "./kinds.ts";
import { httpUrlProblem, queueAddressProblem } from "./urls.ts";

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

const url = (description: string) =>
  v.nullable(
    v.pipe(checkedText("an http:// or https:// URL", httpUrlProblem, description), v.metadata(secretAddress)),
  );

/** `queue.sqs`. `fifo` left out follows from queue_url. */
export const sqsSchema = v.pipe(
  v.strictObject({
    region: v.optional(region("AWS region."), "us-east-1"),
    endpoint_url: v.optional(url("URL of a local emulator."), null),
    queue_url: v.optional(
      v.nullable(
        v.pipe(
          checkedText(
            "a queue's URL or ARN",
            queueAddressProblem,
            "One URL or ARN for all queues; ends in .fifo with fifo.",
          ),
          v.metadata(secretAddress),
        ),
      ),
      null,
    ),
    queue_url_prefix: v.optional(url("URL of a queue = prefix + name (+ .fifo)."), null),
    client_options: v.optional(
      v.pipe(
        v.record(v.string(), secretAnything, "an object"),
        v.description("To the SQS client; names of SDK v2 (accessKeyId, maxRetries, …) are mapped."),
      ),
      {},
    ),
    visibility_timeout: v.optional(integer({ min: 1, max: 43_200 }, "Seconds; this driver's lease."), 30),
    max_messages: v.optional(integer({ min: 1, max: 10 }, "Messages per receive."), 10),
    process_batch: v.optional(flag("Accepted for Soketi's sake; max_messages is the receive size."), true),
    wait_time_seconds: v.optional(integer({ min: 0, max: 20 }, "Long poll, in seconds."), 5),
    polling_wait_time_ms: v.optional(
      milliseconds(0, "Pause between polls, which then run one at a time."),
      0,
    ),
    concurrency: v.optional(
      integer(
        { min: 1 },
        "Attempts in flight per queue, plus one for each endpoint that has none in flight.",
      ),
      5,
    ),
    fifo: v.optional(flag("FIFO queues; by default true when queue_url ends in .fifo.")),
    message_group_id: v.optional(
      checkedText("a string", templateProblem, "Template of {app_id}, {channel}, {queue}, {event}, {group}."),
      "default",
    ),
    deduplication: v.optional(
      choice(["id", "content"], "MessageDeduplicationId: the job's id, or the SHA-256 of its body."),
      "id",
    ),
    fifo_on_failure: v.optional(
      choice(
        ["block", "dead"],
        "block: retried in place, its group waits. dead: dead-lettered at the first failure.",
      ),
      "block",
    ),
    group_rate_limit: v.optional(
      v.pipe(
        v.nullable(v.strictObject({ per_second: rate("Attempts a second.") })),
        v.description("Attempts a second for each FIFO group; null = no limit."),
      ),
      null,
    ),
    auto_create: v.optional(flag("Create a queue that is missing."), true),
  }),
  v.transform((sqs) => ({ ...sqs, fifo: sqs.fifo ?? sqs.queue_url?.endsWith(".fifo") ?? false })),
);
