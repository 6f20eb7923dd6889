import type { OutcomeKind } from "../delivery/outcome.ts";
import { outcomeStatus } from "../delivery/outcome.ts";
import type { DeliveryState, HistoryEntry } from "./entry.ts";

/** What entries are looked for by; all that is given must fit. */
export interface HistoryFilter {
  readonly queue?: string | undefined;
  /** Only these queues; absent: all. */
  readonly queues?: readonly string[] | undefined;
  /** Only these apps, `-` for the named endpoints; absent: all. */
  readonly apps?: readonly string[] | undefined;
  /** An app's id; `-` for the named endpoints. */
  readonly app?: string | undefined;
  /** A label, `-/name` of a named endpoint, or beside `app` the name alone. */
  readonly endpoint?: string | undefined;
  /** The name of one of its events. */
  readonly event?: string | undefined;
  /** What the last attempt came to. */
  readonly outcome?: OutcomeKind | undefined;
  /** The last attempt's, in three characters: `404`, or `4xx`. */
  readonly status?: string | undefined;
  readonly state?: DeliveryState | undefined;
  /** Why it is dead. */
  readonly reason?: string | undefined;
  readonly job_id?: string | undefined;
  /** Ids of jobs, or of deliveries (`webhook-id`). */
  readonly ids?: readonly string[] | undefined;
  /** Epoch ms: some attempt began, or it was cancelled, at or after it. */
  readonly since?: number | undefined;
  /** Epoch ms: some attempt began, or it was cancelled, at or before it; with `since` the same one. */
  readonly until?: number | undefined;
}

/** A test for entries, with what can be made of the filter beforehand. */
export function createMatcher(filter: HistoryFilter): (entry: HistoryEntry) => boolean {
  const label = labelOf(filter);
  const app = filter.app === "-" ? null : filter.app;
  const { apps, event, ids, job_id: jobId, outcome, queue, queues, reason } = filter;
  const { since, state, status, until } = filter;
  const inTime = since !== undefined || until !== undefined;
  return (entry) => {
    if (queue !== undefined && entry.queue !== queue) return false;
    if (queues !== undefined && !queues.includes(entry.queue)) return false;
    if (apps !== undefined && !apps.includes(entry.appId ?? "-")) return false;
    if (ids !== undefined && !ids.includes(entry.jobId) && !ids.includes(entry.webhookId)) return false;
    if (app !== undefined && entry.appId !== app) return false;
    if (label !== undefined && entry.label !== label) return false;
    if (jobId !== undefined && entry.jobId !== jobId) return false;
    if (state !== undefined && entry.state !== state) return false;
    if (reason !== undefined && entry.deadReason !== reason) return false;
    const last = entry.attempts.at(-1)?.outcome;
    if (outcome !== undefined && last?.kind !== outcome) return false;
    if (status !== undefined && (last === undefined || !hasStatus(outcomeStatus(last), status))) return false;
    if (event !== undefined && !entry.events.some(({ name }) => name === event)) return false;
    if (!inTime) return true;
    const isIn = (at: number): boolean => at >= (since ?? -Infinity) && at <= (until ?? Infinity);
    return (
      entry.attempts.some(({ at }) => isIn(at)) || (entry.cancelledAt !== null && isIn(entry.cancelledAt))
    );
  };
}

/** The label that a filter's `endpoint` stands for, beside its `app`. */
export function labelOf({ app, endpoint }: Pick<HistoryFilter, "app" | "endpoint">): string | undefined {
  if (endpoint === undefined) return undefined;
  if (endpoint.startsWith("-/")) return endpoint.slice(2);
  const isName = !endpoint.includes("/") && app !== undefined && app !== "-";
  return isName ? `${app}/${endpoint}` : endpoint;
}

/** @param wanted `404`, or `4xx`. */
export function hasStatus(given: number | undefined, wanted: string): boolean {
  if (given === undefined) return false;
  return wanted.endsWith("xx") ? Math.floor(given / 100) === Number(wanted[0]) : given === Number(wanted);
}
