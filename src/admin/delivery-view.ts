import type { HistoryEntry } from "../history/entry.ts";
import { maskId } from "../secrets/mask-id.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import type { AdminDeps } from "./deps.ts";
import { outcomeMembers } from "./endpoint-probe.ts";
import { isoTime } from "./reply.ts";
import { shownBody } from "./shown-body.ts";

/** Most event names that are shown, and most characters of a name and of a header's value. */
const most = { events: 100, name: 200, header: 4096 } as const;

/**
 * A delivery as the API shows it, masked.
 *
 * @param bodyBytes Most bytes of its body.
 */
export function describeDelivery(
  deps: Pick<AdminDeps, "mask" | "history">,
  entry: HistoryEntry,
  bodyBytes: number,
): Record<string, unknown> {
  const { mask, history } = deps;
  const { attempts, body, headers } = entry;
  const names = new Set(entry.events.map(({ name }) => name));
  const last = attempts.at(-1);
  return {
    id: history.ids.idOf(entry),
    queue: entry.queue,
    app: entry.appId,
    endpoint: entry.label,
    job_id: maskId(mask, entry.jobId),
    webhook_id: maskId(mask, entry.webhookId),
    resend_of: entry.resendOf === null ? null : maskId(mask, entry.resendOf),
    events: [...names].slice(0, most.events).map((name) => maskedStart(mask, name, most.name)),
    state: entry.state,
    dead_reason: entry.deadReason,
    outcome: last?.outcome.kind ?? null,
    started_at: isoTime(attempts[0]?.at ?? null),
    ended_at: last === undefined ? null : isoTime(last.at + last.outcome.durationMs),
    attempts: attempts.map(({ attempt, at, outcome }) => ({
      attempt,
      at: isoTime(at),
      ...outcomeMembers(deps, outcome),
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
