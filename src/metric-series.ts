import { outcomeKinds } from "./delivery/outcome.ts";
import type { Metrics } from "./metrics.ts";
import { buildInfo, version } from "./version.ts";

/** What the counters count by, as far as it is known before anything happens. */
export interface CountedFrom {
  readonly queues: readonly string[];
  /** The driver's name. */
  readonly driver: string;
  /** Labels of the endpoints with series of their own. */
  readonly endpoints: readonly string[];
}

const dispositions = ["ack", "retry", "release", "park", "dead", "replace"];

/** Reasons of dead letters but `http_<status>`, of which there are as many as statuses. */
const deadReasons = [
  "attempts_exhausted",
  "bad_signature",
  "blocked",
  "endpoint_disabled",
  "endpoint_removed",
  "format_not_accepted",
  "internal_error",
  "malformed",
  "max_age",
  "no_route",
  "not_wanted",
  "payload_too_large",
  "redirect",
  "unknown_app",
  "unknown_endpoint",
];

/** What a job can be refused for at enqueue. */
const refusals = ["draining", "id_conflict", "malformed", "payload_too_large", "queue_full"];

/**
 * Makes the counters' series, at 0: a counter that appears with its first count shows no increase for it, and an
 * alert on it never fires.
 */
export function startCounters(metrics: Metrics, { queues, driver, endpoints }: CountedFrom): void {
  const { enqueued, duplicates, discarded, leased, lost, reclaimed, evicted, trimmed, expanded } = metrics;
  const { commit, target } = buildInfo;
  metrics.buildInfo.labels({ version, commit: commit ?? "", target: target ?? "", driver }).set(1);
  const byQueue = [enqueued, duplicates, discarded, leased, lost, reclaimed, evicted, trimmed, expanded];
  for (const queue of queues) {
    for (const counter of byQueue) counter.labels({ queue });
    const { cancelled, filteredOut, redriven, removed } = metrics;
    for (const counter of [removed, cancelled, redriven, filteredOut]) counter.labels({ queue });
    metrics.enqueueToDelivery.labels({ queue });
    for (const disposition of dispositions) metrics.settled.labels({ queue, disposition });
    for (const reason of deadReasons) metrics.deadLettered.labels({ queue, reason });
    for (const code of refusals) metrics.rejected.labels({ queue, code });
  }
  for (const kind of ["delivered", "failed"]) metrics.historyDropped.labels({ kind });
  for (const result of ["reloaded", "unchanged", "refused"]) metrics.reloads.labels({ result });
  for (const endpoint of endpoints) startEndpointCounters(metrics, endpoint);
  metrics.httpRequests.labels({ route: "/metrics", status: "200" });
}

/** Makes the counters' series of an endpoint, at 0. */
export function startEndpointCounters(metrics: Metrics, endpoint: string): void {
  for (const outcome of outcomeKinds) metrics.attempts.labels({ endpoint, outcome });
  metrics.attemptSeconds.labels({ endpoint });
}
