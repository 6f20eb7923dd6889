import process from "node:process";
import { withDeadline } from "../clock.ts";
import { problemKinds } from "../problems/kinds.ts";
import { countByKind } from "../problems/list.ts";
import type { QueueStats } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { route, type Route } from "./route.ts";

/** Below Prometheus' default scrape timeout of 10 s, so that a hanging backend costs the depths, not the scrape. */
const statsTimeoutMs = 2_000;

/** GET /metrics: every metric, with the gauges that are read rather than counted made fresh. */
export function metricsRoutes(deps: AdminDeps): Route[] {
  const refresh = createRefresh(deps);
  return [
    route({
      method: "GET",
      path: "/metrics",
      access: "open",
      async handle() {
        await refresh();
        const text = await deps.metrics.registry.render();
        return new Response(text, {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
      },
    }),
  ];
}

/** Sets depths, ages and process gauges; scrapes at the same time share one round of stats. Never rejects. */
function createRefresh(deps: AdminDeps): () => Promise<void> {
  let running: Promise<unknown> | null = null;
  return async () => {
    const { metrics, clock } = deps;
    metrics.uptime.labels().set((clock.monotonic() - deps.startedAt) / 1000);
    metrics.memory.labels().set(process.memoryUsage().rss);
    for (const child of deps.supervisor.children()) {
      metrics.progressAge.labels({ child: child.id }).set(child.progressAgeMs / 1000);
    }
    for (const [kind, count] of countByKind(deps.problems.list())) {
      metrics.problems.labels({ kind, severity: problemKinds[kind].severity }).set(count);
    }
    if (!deps.state().driverOpen) return;
    running ??= Promise.all(deps.queues.map((queue) => refreshDepth(deps, queue))).finally(() => {
      running = null;
    });
    await running;
  };
}

/** A queue's depths; NaN where the backend does not answer, because an old number would be a lie. */
async function refreshDepth(deps: AdminDeps, queue: string): Promise<void> {
  const stats: QueueStats | null = await withDeadline(() => deps.driver.stats(queue), statsTimeoutMs).catch(
    () => null,
  );
  const { depth, oldestReadyAge } = deps.metrics;
  for (const state of ["ready", "delayed", "leased", "parked", "dead"] as const) {
    const value = stats === null ? Number.NaN : stats[state];
    if (value !== null) depth.labels({ queue, state }).set(value);
  }
  const age = stats === null ? Number.NaN : stats.oldestReadyAgeMs;
  // Nothing ready is an age of 0; a backend that cannot tell has no series.
  if (age !== null) oldestReadyAge.labels({ queue }).set(age / 1000);
  else if (stats?.ready === 0) oldestReadyAge.labels({ queue }).set(0);
}
