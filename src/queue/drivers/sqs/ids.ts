import { createHash } from "node:crypto";
import type { JobBody } from "../../../jobs/job.ts";
import type { NewJob } from "../../driver.ts";

/** API_SendMessage: up to 128 alphanumerics and punctuation, for group and deduplication ids alike. */
const allowed = /^[\x21-\x7e]{1,128}$/;

/** First 32 hex of SHA-256: enough that two ids never meet. */
export function shortHash(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** The id itself where SQS takes it, else its hash. */
export function safeId(id: string): string {
  return allowed.test(id) ? id : shortHash(id);
}

/**
 * The MessageGroupId of a job: the template filled in.
 *
 * A job's own group wins over a template that does not mention `{group}`: whoever names a group for one
 * job means that group. Parts that a job has not are empty; a group id of nothing is `default`.
 */
export function groupId(template: string, queue: string, job: Pick<NewJob, "group" | "routing">): string {
  if (job.group !== null && !template.includes("{group}")) return safeId(job.group);
  const parts: Readonly<Record<string, string>> = {
    app_id: job.routing?.appId ?? "",
    channel: job.routing?.channel ?? "",
    event: job.routing?.event ?? "",
    queue,
    group: job.group ?? "",
  };
  const filled = template.replace(/\{([a-z_]+)\}/g, (whole, name: string) => parts[name] ?? whole);
  return filled === "" ? "default" : safeId(filled);
}

/**
 * The MessageDeduplicationId of a job: its own, else its Idempotency-Key, else the rule's.
 *
 * With the rule "content", equal bodies within five minutes collapse into one, as with SQS's own
 * ContentBasedDeduplication.
 */
export function deduplicationId(
  rule: "id" | "content",
  job: Pick<NewJob, "id" | "deduplicationId" | "dedup"> & { readonly body: JobBody },
): string {
  if (job.deduplicationId !== null) return safeId(job.deduplicationId);
  if (rule === "content") return createHash("sha256").update(job.body).digest("hex");
  // The key of a job with an id of its own says the same as the id; the id is what other producers use.
  if (job.dedup !== null && !job.dedup.key.startsWith("id:")) return shortHash(job.dedup.key);
  return safeId(job.id);
}

/** Group of a fan-out child: order holds per (group, endpoint). */
export const childGroup = (group: string | null, endpoint: string): string =>
  shortHash(`${group ?? ""}\n${endpoint}`);

/** Deduplication id of a fan-out child: the same when a parent is expanded twice. */
export const childDeduplicationId = (parentMessageId: string, endpoint: string): string =>
  shortHash(`${parentMessageId}\n${endpoint}`);
