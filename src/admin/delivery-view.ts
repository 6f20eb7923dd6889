import * as v from "valibot";
import { outcomeKinds } from "../delivery/outcome.ts";
import { deliveryStates, type HistoryEntry } from "../history/entry.ts";
import { maskId } from "../secrets/mask-id.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { count, text, time } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import { outcomeAnswer, outcomeExample, outcomeMembers } from "./endpoint-probe.ts";
import { isoTime } from "./reply.ts";
import { bodyMembers, shownBody } from "./shown-body.ts";

/** Most event names that are shown, and most characters of a name and of a header's value. */
const most = { events: 100, name: 200, header: 4096 } as const;

export const deliveryAnswer = () =>
  v.object({
    id: text("Names the delivery in the history of this process."),
    queue: v.string(),
    app: v.nullable(text("Null for a named endpoint.")),
    endpoint: v.nullable(
      text("Label of the endpoint; null where a job was cancelled that nobody had routed yet."),
    ),
    job_id: v.string(),
    webhook_id: text("The `webhook-id` that the receiver saw."),
    resend_of: v.nullable(text("The delivery that this one repeats.")),
    events: v.array(text("Names of its events, each once.")),
    state: v.picklist(deliveryStates),
    dead_reason: v.nullable(v.string()),
    cancelled_at: time("When its job was cancelled."),
    outcome: v.nullable(v.pipe(v.picklist(outcomeKinds), v.description("Of the last attempt."))),
    started_at: time("When the first attempt began."),
    ended_at: time("When the last attempt ended."),
    attempts: v.array(
      v.object({
        attempt: count("Counted from 1."),
        at: time("When it began."),
        ...outcomeAnswer(),
        answer: v.nullable(text("The beginning of the answer's body, `history.response_bytes` of it.")),
      }),
    ),
    attempts_left_out: v.optional(count("Older ones that are no longer remembered.")),
    request_headers: v.nullable(v.record(v.string(), v.string())),
    body_kept: v.pipe(v.boolean(), v.description("It can be sent again.")),
    ...bodyMembers(),
  });

export const deliveryExample: v.InferInput<ReturnType<typeof deliveryAnswer>> = {
  id: "d8k2-17",
  queue: "webhooks",
  app: "shop",
  endpoint: "shop/orders",
  job_id: "order-17",
  webhook_id: "order-17_0f3a9c21",
  resend_of: null,
  events: ["order_paid"],
  state: "dead",
  dead_reason: "http_404",
  cancelled_at: null,
  outcome: "http_status",
  started_at: "2026-12-01T12:00:00.000Z",
  ended_at: "2026-12-01T12:00:00.012Z",
  attempts: [{ attempt: 1, at: "2026-12-01T12:00:00.000Z", ...outcomeExample, answer: "no such order" }],
  request_headers: { "content-type": "application/json", "webhook-id": "order-17_0f3a9c21" },
  body_kept: true,
  body: '{"time_ms":1796126399000,"events":[{"name":"order_paid","channel":"orders"}]}',
};

/**
 * A delivery as the API shows it, masked.
 *
 * @param bodyBytes Most bytes of its body.
 */
export function describeDelivery(
  deps: Pick<AdminDeps, "mask" | "history" | "live">,
  entry: HistoryEntry,
  bodyBytes: number,
): Record<string, unknown> {
  const { mask, history, live } = deps;
  const { attempts, body, headers } = entry;
  const names = new Set(entry.events.map(({ name }) => name));
  const last = attempts.at(-1);
  return {
    id: history.ids.idOf(entry),
    queue: entry.queue,
    app: entry.appId,
    endpoint: entry.label === "" ? null : entry.label,
    job_id: maskId(mask, entry.jobId),
    webhook_id: maskId(mask, entry.webhookId),
    resend_of: entry.resendOf === null ? null : maskId(mask, entry.resendOf),
    events: [...names].slice(0, most.events).map((name) => maskedStart(mask, name, most.name)),
    state: entry.state,
    dead_reason: entry.deadReason,
    cancelled_at: isoTime(entry.cancelledAt),
    outcome: last?.outcome.kind ?? null,
    started_at: isoTime(attempts[0]?.at ?? null),
    ended_at: last === undefined ? null : isoTime(last.at + last.outcome.durationMs),
    attempts: attempts.map(({ answer, attempt, at, outcome }) => ({
      attempt,
      at: isoTime(at),
      ...outcomeMembers(deps, outcome),
      answer: answer === null ? null : maskedStart(mask, answer, live.config.history.response_bytes),
    })),
    ...(entry.attemptsLeftOut === 0 ? {} : { attempts_left_out: entry.attemptsLeftOut }),
    request_headers:
      headers === null
        ? null
        : Object.fromEntries(
            headers.map(([name, value]) => [name.toLowerCase(), maskedStart(mask, value, most.header)]),
          ),
    body_kept: body !== null,
    ...(body === null ? {} : shownBody(mask, body.content, bodyBytes)),
  };
}
