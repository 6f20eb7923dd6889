import type { Buffer } from "node:buffer";
import { shortened } from "../bounded-text.ts";
import { showInLine } from "../terminal.ts";

/** What is told of one attempt. */
export interface ListenedAttempt {
  readonly time: string;
  readonly method: string;
  readonly path: string;
  /** Null when the request has none. */
  readonly webhookId: string | null;
  /** How often this webhook-id has come, this time included. */
  readonly attempt: number;
  readonly events: readonly string[];
  /** Null for a body that was too large to be read. */
  readonly bytes: number | null;
  /** Null when there was no key to verify with. */
  readonly verified: boolean | null;
  /** The headers whose signature fits, or why it is not verified. */
  readonly text: string;
  readonly answered: number;
  /** Why a forwarded request got no answer. */
  readonly fault: string | null;
}

/** Names of events that a line holds, and the characters of each. */
const mostNames = 20;
const longestName = 200;

/**
 * The names of the events in a body: those of `events`, or the one `type` of a generic job. Empty for a body that is
 * something else.
 */
export function eventNames(body: Buffer): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    return [];
  }
  const { events, type } = (parsed ?? {}) as { events?: unknown; type?: unknown };
  const names = Array.isArray(events)
    ? events.map((event: unknown) => (event as { name?: unknown } | null)?.name)
    : [type];
  const shown = names.flatMap((name) => (typeof name === "string" ? [shortened(name, longestName)] : []));
  return shown.length <= mostNames
    ? shown
    : [...shown.slice(0, mostNames), `and ${shown.length - mostNames} more`];
}

/** One attempt as a JSON line, with the names that logs have. */
export function jsonLine(attempt: ListenedAttempt): string {
  const { time, method, path, webhookId, events, bytes, verified, text, answered, fault } = attempt;
  return `${JSON.stringify({
    time,
    method,
    path,
    webhook_id: webhookId,
    attempt: attempt.attempt,
    events,
    bytes,
    verified,
    ...(verified === true ? { signatures: text.split("; ") } : { reason: text }),
    answered,
    ...(fault === null ? {} : { forward_error: fault }),
  })}\n`;
}

/** One attempt on one line for people; the texts of others steer no terminal. */
export function textLine(attempt: ListenedAttempt): string {
  const { time, webhookId, events, bytes, verified, text, answered, fault } = attempt;
  const names = events.length === 0 ? "no events" : events.join(", ");
  const signature =
    verified === true ? `verified (${text})` : verified === null ? text : `NOT VERIFIED: ${text}`;
  const parts = [
    time,
    webhookId ?? "no webhook-id",
    ...(attempt.attempt > 1 ? [`attempt ${attempt.attempt}`] : []),
    names,
    bytes === null ? "too large" : `${bytes} bytes`,
    signature,
    `answered ${answered}${fault === null ? "" : ` (forwarding failed: ${fault})`}`,
  ];
  return `${parts.map(showInLine).join("  ")}\n`;
}
