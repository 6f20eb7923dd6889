import type { QueueStats } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonReply } from "./reply.ts";
import { quote } from "../secrets/masked-start.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { mayNameQueue } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";

/** GET /v1/queues, GET /v1/queues/{queue}, and pause and resume. */
export function queueRoutes(deps: AdminDeps): Route[] {
  const { driver } = deps;
  const scope = driver.capabilities.pauseScope;
  const describe = async (name: string): Promise<Record<string, unknown>> =>
    describeQueue(name, driver.name, scope, await driver.stats(name));
  const switchTo = (verb: "pause" | "resume"): Route =>
    route({
      method: "POST",
      path: `/v1/queues/:queue/${verb}`,
      access: "operate",
      async handle(request) {
        const name = queueParameter(deps, request);
        requireOpenDriver(deps);
        await driver[verb](name);
        deps.log.info(verb === "pause" ? "queue paused" : "queue resumed", { queue: name, scope });
        return jsonReply({ name, paused: verb === "pause", scope });
      },
    });
  return [
    route({
      method: "GET",
      path: "/v1/queues",
      access: "read",
      reach: { apps: "none", queues: "own" },
      query: { limit: shortListLimit, cursor: cursorParameter },
      handle({ caller }, { query }) {
        requireOpenDriver(deps);
        const entries = deps.queues.filter((name) => mayNameQueue(caller, name));
        return shortListReply({ name: "queues", entries, keyOf: (name) => name, describe }, query);
      },
    }),
    route({
      method: "GET",
      path: "/v1/queues/:queue",
      access: "read",
      reach: { apps: "none" },
      async handle(request) {
        const name = queueParameter(deps, request);
        requireOpenDriver(deps);
        return jsonReply(await describe(name));
      },
    }),
    switchTo("pause"),
    switchTo("resume"),
  ];
}

/**
 * The queue in the path.
 *
 * @throws RequestError `unknown_queue` for a name that queue.queues does not hold.
 */
export function queueParameter(deps: AdminDeps, request: AdminRequest): string {
  const name = pathParameter(request, "queue");
  if (deps.queues.includes(name)) return name;
  throw new RequestError(
    "unknown_queue",
    `no queue ${quote(deps.mask, name)}: queue.queues holds ${deps.queues.join(", ")}`,
  );
}

/** @throws RequestError `driver_unavailable` (503) while the driver is still connecting. */
export function requireOpenDriver(deps: AdminDeps): void {
  if (deps.state().driverOpen) return;
  throw new RequestError("driver_unavailable", `the driver ${deps.driver.name} is not connected yet`);
}

function describeQueue(
  name: string,
  driver: string,
  scope: string,
  stats: QueueStats,
): Record<string, unknown> {
  return {
    name,
    driver,
    ready: stats.ready,
    delayed: stats.delayed,
    leased: stats.leased,
    parked: stats.parked,
    dead: stats.dead,
    oldest_ready_age_ms: stats.oldestReadyAgeMs,
    paused: stats.paused,
    scope,
  };
}
