import process from "node:process";
import * as v from "valibot";
import { within } from "../wait.ts";
import { problemKinds } from "../problems/kinds.ts";
import { countByKind } from "../problems/list.ts";
import type { ParkedJobs, QueueStats } from "../queue/driver.ts";
import { childKind } from "../supervisor/child.ts";
import { setEndpointMetrics } from "../worker/endpoint-metrics.ts";
import type { AdminDeps } from "./deps.ts";
import type { DriverProbe } from "./driver-probe.ts";
import { textReply } from "./reply.ts";
import { route, type Route } from "./route.ts";

/** Below Prometheus' default scrape timeout of 10 s, so that a hanging backend costs the depths, not the scrape. */
const statsTimeoutMs = 2_000;

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** GET /metrics: every metric, with the gauges that are read rather than counted made fresh. */
export function metricsRoutes(deps: AdminDeps, probe: DriverProbe): Route[] {
  const refresh = createRefresh(deps, probe);
  return [
    route({
      method: "GET",
      path: "/metrics",
      access: "open",
      about: () => ({
        id: "getMetrics",
        summary: "Show the metrics for Prometheus",
        answers: {
          200: {
            text: "All metrics, in Prometheus' text format 0.0.4.",
            schema: v.string(),
            contentType,
            example: "# TYPE hookline_process_uptime_seconds gauge\nhookline_process_uptime_seconds 17\n",
          },
        },
      }),
      async handle() {
        await refresh();
        const text = await deps.metrics.registry.render();
        return textReply(contentType, text);
      },
    }),
  ];
}

/** Sets depths, ages and process gauges; scrapes at the same time share one round of stats. Never rejects. */
function createRefresh(deps: AdminDeps, probe: DriverProbe): () => Promise<void> {
  let running: Promise<unknown> | null = null;
  const told = new Set<string>();
  return async () => {
    const { metrics, clock } = deps;
    metrics.uptime.labels().set((clock.monotonic() - deps.startedAt) / 1000);
    metrics.memory.labels().set(process.memoryUsage().rss);
    const silence = new Map<string, number>();
    for (const { id, progressAgeMs } of deps.supervisor.children()) {
      const kind = childKind(id);
      silence.set(kind, Math.max(silence.get(kind) ?? 0, progressAgeMs));
      // It has a series before the first restart.
      metrics.restarts.labels({ child: kind });
    }
    for (const [child, ms] of silence) metrics.progressAge.labels({ child }).set(ms / 1000);
    for (const { queue, rank, behind } of deps.driver.ranks?.standing() ?? []) {
      metrics.rank.labels({ queue }).set(rank);
      metrics.behind.labels({ queue }).set(behind ? 1 : 0);
    }
    if (!deps.state().driverOpen) {
      setProblemMetrics(deps);
      setEndpointMetrics(deps.endpointMetrics, null);
      return;
    }
    running ??= Promise.all([
      // What they find are problems too.
      Promise.all([probe.check(), deps.writes.check()]).then(() => setProblemMetrics(deps)),
      ...deps.queues.flatMap((queue) => [refreshDepth(deps, queue, told), refreshDeadBytes(deps, queue)]),
      refreshEndpoints(deps),
    ]).finally(() => {
      running = null;
    });
    await running;
  };
}

function setProblemMetrics({ metrics, problems }: AdminDeps): void {
  for (const [kind, count] of countByKind(problems.list())) {
    metrics.problems.labels({ kind, severity: problemKinds[kind].severity }).set(count);
  }
}

/**
 * A queue's depths; NaN where the backend does not answer or no longer tells one of them, because an old number would be
 * a lie. What the backend has never told has no series.
 */
async function refreshDepth(deps: AdminDeps, queue: string, told: Set<string>): Promise<void> {
  const stats: QueueStats | null = await within(statsTimeoutMs, () => deps.driver.stats(queue)).catch(
    () => null,
  );
  const { depth, oldestReadyAge, queuePaused } = deps.metrics;
  queuePaused.labels({ queue }).set(stats === null ? Number.NaN : stats.paused ? 1 : 0);
  for (const state of ["ready", "delayed", "leased", "parked", "dead"] as const) {
    const value = stats === null ? Number.NaN : stats[state];
    if (value !== null) told.add(`${queue} ${state}`);
    // Only a backend that has told it can stop doing so.
    if (told.has(`${queue} ${state}`)) depth.labels({ queue, state }).set(value ?? Number.NaN);
  }
  const age = stats === null ? Number.NaN : stats.oldestReadyAgeMs;
  // Nothing ready is an age of 0; a backend that cannot tell has no series.
  if (age !== null) oldestReadyAge.labels({ queue }).set(age / 1000);
  else if (stats?.ready === 0) oldestReadyAge.labels({ queue }).set(0);
}

/** What a queue's dead letters take; NaN where the backend does not answer. A backend that cannot tell has no series. */
async function refreshDeadBytes({ driver, metrics }: AdminDeps, queue: string): Promise<void> {
  if (driver.deadCounts === undefined) return;
  try {
    const counts = await within(statsTimeoutMs, async () => driver.deadCounts?.(queue) ?? null);
    if (counts !== null) metrics.deadBytes.labels({ queue }).set(counts.bytes);
  } catch {
    metrics.deadBytes.labels({ queue }).set(Number.NaN);
  }
}

/**
 * The endpoints' gauges; a backend that cannot tell what is parked has nothing parked, as far as anybody knows. What a
 * broken queue does not tell is missing in them (`queue_broken` names the queue); they are NaN where no queue tells anything.
 */
async function refreshEndpoints(deps: AdminDeps): Promise<void> {
  const { driver, queues } = deps;
  const asked = queues.map(async (queue): Promise<readonly ParkedJobs[]> => {
    if (driver.parkedJobs === undefined) return [];
    return within(statsTimeoutMs, () => driver.parkedJobs?.(queue) ?? Promise.resolve([]));
  });
  const answers = await Promise.allSettled(asked);
  const known = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  setEndpointMetrics(deps.endpointMetrics, known.length === 0 && queues.length > 0 ? null : known.flat());
}
