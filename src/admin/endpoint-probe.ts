import * as v from "valibot";
import { Cut } from "../delivery/cut.ts";
import type { Endpoint } from "../delivery/endpoint.ts";
import { describeOutcome, outcomeKinds, outcomeStatus, type Outcome } from "../delivery/outcome.ts";
import { sendSigned } from "../delivery/send-signed.ts";
import { deliveryId, newJobId } from "../jobs/id.ts";
import { count, text } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";

/** A test delivery and what it came to. */
export interface Probe {
  /** The `webhook-id` it was sent under. */
  readonly deliveryId: string;
  readonly outcome: Outcome;
}

/**
 * Sends one signed test delivery to an endpoint: the way of every attempt (its transport, headers, egress
 * rules, keys, timeout), but past the queue, its lane, its breaker and its pause, and never retried.
 *
 * A webhook gets an event `hookline_test` on the channel `hookline-test`, whatever it subscribes to; a named
 * endpoint gets `{"type":"hookline.test", …}`. Never rejects but for a bug.
 */
export async function probeEndpoint(deps: AdminDeps, endpoint: Endpoint): Promise<Probe> {
  const id = deliveryId(newJobId(), endpoint.nameHash);
  const body = testContent(endpoint, deps.clock.now());
  const cut = new Cut();
  const stop = (): void => cut.cut();
  if (deps.closing.aborted) stop();
  deps.closing.addEventListener("abort", stop, { once: true });
  try {
    const nowMs = deps.clock.now();
    const request = { endpoint, deliveryId: id, body, nowMs, cut };
    const outcome = await sendSigned(deps.transportOf(endpoint), request);
    return { deliveryId: id, outcome };
  } finally {
    deps.closing.removeEventListener("abort", stop);
  }
}

/** An app's webhook has event types; a named endpoint takes everything. */
function testContent(endpoint: Endpoint, now: number): string {
  if (endpoint.eventTypes !== null) {
    const events = [{ name: "hookline_test", channel: "hookline-test" }];
    return JSON.stringify({ time_ms: now, events });
  }
  const data = { endpoint: endpoint.name };
  return JSON.stringify({ type: "hookline.test", timestamp: new Date(now).toISOString(), data });
}

/** The members that outcomeMembers gives. */
export const outcomeAnswer = () => ({
  outcome: v.picklist(outcomeKinds),
  status: v.nullable(count("HTTP status, where there was an answer.")),
  code: v.nullable(text("The system's name of what went wrong, as ECONNREFUSED.")),
  detail: text("The outcome in words."),
  duration_ms: v.number(),
  retry_after_ms: v.nullable(v.pipe(v.number(), v.description("What the receiver asked for."))),
});

export const outcomeExample = {
  outcome: "http_status",
  status: 404,
  code: null,
  detail: "HTTP 404",
  duration_ms: 12.5,
  retry_after_ms: null,
} as const;

/** An outcome as the API writes it; null for what this kind of outcome does not have. */
export function outcomeMembers(deps: Pick<AdminDeps, "mask">, outcome: Outcome): Record<string, unknown> {
  return {
    outcome: outcome.kind,
    status: outcomeStatus(outcome) ?? null,
    code: "code" in outcome ? deps.mask(outcome.code) : null,
    detail: deps.mask(describeOutcome(outcome)),
    duration_ms: Math.round(outcome.durationMs * 10) / 10,
    retry_after_ms: outcome.kind === "http_status" ? outcome.retryAfterMs : null,
  };
}
