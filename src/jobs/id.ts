import { createHash, randomUUID } from "node:crypto";
import { jobIdPattern } from "./job.ts";

/**
 * A delivery's id as it stands in an envelope: a job id, `_`, and 8 hex of the endpoint's name.
 * Longer than a job id may be, because a job id may itself have the full 128 characters.
 */
export const deliveryIdPattern = /^[A-Za-z0-9_-]{1,137}$/;

/** An id for a job whose producer gave none. Without dots: they separate the parts of what Standard Webhooks signs. */
export function newJobId(): string {
  return randomUUID();
}

/** The id as it is when it matches jobIdPattern, else 32 hex of its SHA-256, so that equal ids stay equal. */
export function safeJobId(id: string): string {
  return jobIdPattern.test(id) ? id : sha256Hex(id).slice(0, 32);
}

/**
 * The id of one job's delivery to one endpoint: the receiver's idempotency key (`webhook-id`), the same
 * over all attempts and all doubles.
 *
 * @param nameHash Endpoint.nameHash, as endpointNameHash makes it.
 */
export function deliveryId(jobId: string, nameHash: string): string {
  return `${jobId}_${nameHash}`;
}

/** What stands for an endpoint in the ids of its deliveries: the first 8 hex of the SHA-256 of its name (contract §3). */
export function endpointNameHash(name: string): string {
  return sha256Hex(name).slice(0, 8);
}

/** SHA-256 of the text's UTF-8, 64 lower-case hex digits. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
