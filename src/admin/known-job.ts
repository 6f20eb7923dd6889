import { findAppOf, route, type RawRoutes } from "../delivery/router.ts";
import type { Directory, Endpoint } from "../delivery/endpoint.ts";
import { labelOf, type HistoryFilter } from "../history/filter.ts";
import { decodeJob } from "../jobs/decode.ts";
import type { DecodedJob, JobBody, MalformedJob } from "../jobs/job.ts";
import type { Caller } from "./tokens.ts";
import { mayNameApp } from "./reach.ts";

/** What a stored job says of itself, once it is read. */
export interface KnownJob {
  readonly decoded: DecodedJob | MalformedJob;
  /** Its app's id; `-` where it is for a named endpoint; null where nobody knows. */
  readonly app: string | null;
  /** Label of the endpoint that it is bound to; null while it is not. */
  readonly endpoint: string | null;
  /** Names of its events, each once. */
  readonly events: readonly string[];
}

/**
 * Reads a stored job as the worker will.
 *
 * @param rawRoutes Of its queue, where that is a raw one.
 */
export function knowJob(body: JobBody, directory: Directory, rawRoutes: RawRoutes | null): KnownJob {
  const decoded = decodeJob(body, { format: rawRoutes === null ? "auto" : "raw" });
  if (decoded.kind === "malformed") return { decoded, app: null, endpoint: null, events: [] };
  if (decoded.kind === "raw") return { decoded, app: "-", endpoint: decoded.endpoint, events: [] };
  const named = decoded.kind === "generic" && decoded.appId === null;
  const app = named ? "-" : (findAppOf(decoded, directory)?.id ?? decoded.appId);
  const { endpoint } = decoded;
  const sentTo =
    decoded.redirected === true && endpoint?.startsWith("-/") === true ? endpoint.slice(2) : null;
  return {
    decoded,
    app: sentTo === null ? app : "-",
    endpoint: sentTo ?? (endpoint === null || named ? endpoint : `${app ?? ""}/${endpoint}`),
    events:
      decoded.kind === "generic" ? [decoded.type] : [...new Set(decoded.events.map(({ name }) => name))],
  };
}

/** Whether the caller may name the app of a job; one whose app nobody knows is for those who may name all. */
export function maySeeJob(caller: Caller, { app }: Pick<KnownJob, "app">): boolean {
  return caller.apps === null || (app !== null && mayNameApp(caller, app));
}

/** The endpoints that a job would be delivered to now; none where it would become a dead letter, or nobody wants it. */
export function endpointsOf(
  { decoded }: Pick<KnownJob, "decoded">,
  directory: Directory,
  rawRoutes: RawRoutes | null,
): readonly Endpoint[] {
  if (decoded.kind === "malformed") return [];
  const routing = route(decoded, directory, rawRoutes);
  return routing.kind === "deliver" ? routing.deliveries.map(({ endpoint }) => endpoint) : [];
}

/** What waiting jobs are looked for by; all that is given must fit. */
export interface JobFilter extends Pick<HistoryFilter, "app" | "endpoint" | "event" | "job_id"> {
  /** Epoch ms: enqueued at or after it. */
  readonly since?: number | undefined;
  /** Epoch ms: enqueued at or before it. */
  readonly until?: number | undefined;
}

/** A test for jobs that are read. One whose enqueue time nobody knows fits no time. */
export function createJobMatcher(
  filter: JobFilter,
  directory: Directory,
  rawRoutes: RawRoutes | null,
): (
  job: { readonly ids: ReadonlySet<string>; readonly enqueuedAt: number | null },
  known: KnownJob,
) => boolean {
  const { app, event, job_id: jobId, since, until } = filter;
  const label = labelOf(filter);
  return ({ ids, enqueuedAt }, known) => {
    if (app !== undefined && known.app !== app) return false;
    if (event !== undefined && !known.events.includes(event)) return false;
    if (jobId !== undefined && !ids.has(jobId)) return false;
    if (since !== undefined && (enqueuedAt ?? -Infinity) < since) return false;
    if (until !== undefined && (enqueuedAt ?? Infinity) > until) return false;
    if (label === undefined) return true;
    if (known.endpoint !== null) return known.endpoint === label;
    return endpointsOf(known, directory, rawRoutes).some((endpoint) => endpoint.label === label);
  };
}
