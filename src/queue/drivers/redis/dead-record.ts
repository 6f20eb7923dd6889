import { Buffer, isUtf8 } from "node:buffer";
import { jobIdPattern } from "../../../jobs/job.ts";
import type { DeadLetter } from "../../driver.ts";
import { readBody, readNumber, readTime } from "./record.ts";

/** What a dead letter keeps beside the job: one line of JSON. */
export interface DeadMeta {
  readonly reason: string;
  readonly detail: string | null;
  readonly endpoint: string | null;
}

/** Longest head: three numbers, the id, and the meta of a reason, a detail and an endpoint, escapes included. */
const longestHead = 16_384;
const unreadable = "unreadable";

/**
 * Reads a dead letter's content: `FAILED ATTEMPTS ENQUEUED ID META\nBODY`.
 *
 * What is not of this form is a letter all the same, with the reason `unreadable` and whatever can be told: it can be
 * looked at, redriven and removed like any other. Fields out of range are taken as not known. Scripts redrive it by the
 * same rules (dead-scripts.ts).
 *
 * @param content Null where there is only the letter's name.
 */
export function readDeadLetter(name: string, content: Buffer | null): DeadLetter {
  const end = content?.indexOf(10) ?? -1;
  const head = content === null || end === -1 ? "" : content.toString("utf8", 0, Math.min(end, longestHead));
  const match = /^(\d+) (\d+) (\d+) ([^ \t\n\v\f\r]+) ([^]*)$/.exec(head);
  if (content === null || match === null) {
    return {
      id: name,
      jobId: jobIdPattern.test(name) ? name : unreadable,
      reason: unreadable,
      detail:
        content === null
          ? "the dead letter's content is missing in Redis; redriving or removing it drops its name"
          : "the stored dead letter cannot be read; its bytes are shown as they are",
      endpoint: null,
      attempts: 0,
      failedAt: 0,
      enqueuedAt: null,
      body: content === null ? "" : readBody(content),
    };
  }
  const [, failedAt = "", attempts = "", enqueued = "", jobId = "", metaText = ""] = match;
  const meta = readMeta(metaText);
  return {
    id: name,
    jobId: jobIdPattern.test(jobId) ? jobId : unreadable,
    reason: meta?.reason ?? unreadable,
    detail: meta === null ? "the reason stored with this dead letter cannot be read" : meta.detail,
    endpoint: meta?.endpoint ?? null,
    attempts: readNumber(attempts, 9),
    failedAt: readTime(failedAt) ?? 0,
    enqueuedAt: readTime(enqueued),
    body: readBody(content.subarray(end + 1)),
  };
}

/**
 * The id under which a letter of this name is shown and found. Names of ours are text; one that is not is shown as
 * `bytes:` and its hex, which no name of ours can be.
 */
export function idOfName(name: Buffer): string {
  return isUtf8(name) ? name.toString("utf8") : `bytes:${name.toString("hex")}`;
}

/** The name that an id stands for. */
export function nameOfId(id: string): string | Buffer {
  const hex = /^bytes:((?:[0-9a-f]{2})+)$/.exec(id)?.[1];
  return hex === undefined ? id : Buffer.from(hex, "hex");
}

function readMeta(text: string): DeadMeta | null {
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) return null;
  const { reason, detail, endpoint } = meta as Record<string, unknown>;
  if (typeof reason !== "string") return null;
  return {
    reason: reason.slice(0, 200),
    detail: typeof detail === "string" ? detail.slice(0, 500) : null,
    endpoint: typeof endpoint === "string" ? endpoint.slice(0, 200) : null,
  };
}
