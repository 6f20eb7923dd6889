import type { Clock } from "../clock.ts";
import type { Metrics } from "../metrics.ts";
import type { ParkedJobs } from "../queue/driver.ts";
import { endpointState, endpointStates, type EndpointState } from "../endpoints/findings.ts";
import type { EndpointGate } from "../endpoints/state.ts";
import type { Lane } from "./schedule/lane.ts";

/** How endpoints stand, for metrics. */
export interface EndpointMetricsOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly gates: { made(): Iterable<EndpointGate> };
  /** How many endpoints there are. */
  readonly endpoints: () => number;
  /** Whether an endpoint in force has this label. */
  readonly isEndpoint: (label: string) => boolean;
  /** What waits in this process. */
  readonly waiting: () => readonly WaitingHere[];
  /** Endpoints with series of their own (metrics.endpoint_series). */
  readonly mostEndpoints: () => number;
}

/** Deliveries to one endpoint that wait in this process. */
export interface WaitingHere {
  /** The endpoint's label. */
  readonly key: string;
  readonly count: number;
  /** Epoch ms; null where no enqueue time is known. */
  readonly oldestEnqueuedAt: number | null;
}

/** What waits in a queue's lanes; those with nothing waiting are left out. */
export function waitingIn(lanes: ReadonlyMap<string, Lane>): WaitingHere[] {
  return [...lanes.values()].flatMap(({ key, waiting }) => {
    if (waiting.length === 0) return [];
    let oldest = Infinity;
    for (const { enqueuedAt } of waiting) oldest = Math.min(oldest, enqueuedAt ?? Infinity);
    return [{ key, count: waiting.length, oldestEnqueuedAt: oldest === Infinity ? null : oldest }];
  });
}

interface Backlog {
  count: number;
  /** Epoch ms; Infinity where no time is known. */
  oldest: number;
}

interface Row {
  readonly label: string;
  readonly state: EndpointState;
  readonly backlog: Backlog;
}

const nothing: Backlog = { count: 0, oldest: Infinity };

/**
 * Sets the gauges of the endpoints. At most so many have series of their own: first those that are not enabled
 * and closed, then those with most backlog. The sums are over all of them, and over what is parked for
 * endpoints that are configured no longer.
 *
 * @param parked What the backend has parked, of all queues; null where it does not answer: then no backlog is known.
 */
export function setEndpointMetrics(
  options: EndpointMetricsOptions,
  parked: readonly ParkedJobs[] | null,
): void {
  const { metrics, gates } = options;
  const mostEndpoints = options.mostEndpoints();
  const now = options.clock.now();
  const backlogs = new Map<string, Backlog>();
  const all: Backlog = { count: 0, oldest: Infinity };
  for (const { key, count, oldestEnqueuedAt } of [...options.waiting(), ...(parked ?? [])]) {
    let backlog = backlogs.get(key);
    if (backlog === undefined) backlogs.set(key, (backlog = { count: 0, oldest: Infinity }));
    for (const sum of [backlog, all]) {
      sum.count += count;
      sum.oldest = Math.min(sum.oldest, oldestEnqueuedAt ?? Infinity);
    }
  }
  const counts = new Map<EndpointState, number>(endpointStates.map((state) => [state, 0]));
  const rows = [...gates.made()].map((gate): Row => {
    const state = endpointState(gate);
    counts.set(state, (counts.get(state) ?? 0) + 1);
    return { label: gate.endpoint.label, state, backlog: backlogs.get(gate.endpoint.label) ?? nothing };
  });
  const seen = new Set(rows.map(({ label }) => label));
  const parkedOnly = [...backlogs].filter(([label]) => !seen.has(label) && options.isEndpoint(label));
  for (const [label, backlog] of parkedOnly) rows.push({ label, state: "closed", backlog });
  counts.set("closed", (counts.get("closed") ?? 0) + parkedOnly.length);
  // The others have never had to do anything here.
  counts.set("closed", (counts.get("closed") ?? 0) + Math.max(0, options.endpoints() - rows.length));
  for (const [state, count] of counts) metrics.endpoints.labels({ state }).set(count);
  // An old number would be a lie.
  const isKnown = parked !== null;
  const ageOf = ({ count, oldest }: Backlog): number =>
    !isKnown ? Number.NaN : count === 0 || oldest === Infinity ? 0 : Math.max(0, now - oldest) / 1000;
  metrics.backlog.labels().set(isKnown ? all.count : Number.NaN);
  metrics.oldestAge.labels().set(ageOf(all));

  const { endpointState: states, endpointBacklog, endpointOldestAge } = metrics;
  for (const metric of [states, endpointBacklog, endpointOldestAge]) metric.clear();
  const shown = rows.length <= mostEndpoints ? rows : rows.toSorted(worthFirst).slice(0, mostEndpoints);
  for (const { label: endpoint, state: current, backlog } of shown) {
    for (const state of endpointStates) states.labels({ endpoint, state }).set(state === current ? 1 : 0);
    endpointBacklog.labels({ endpoint }).set(isKnown ? backlog.count : Number.NaN);
    endpointOldestAge.labels({ endpoint }).set(ageOf(backlog));
  }
}

function worthFirst(one: Row, other: Row): number {
  const isWell = (row: Row): number => (row.state === "closed" ? 1 : 0);
  return isWell(one) - isWell(other) || other.backlog.count - one.backlog.count;
}
