import * as v from "valibot";
import type { QueueStats } from "../queue/driver.ts";
import { countIfTold, scope as scopeKind, shortListOf, text } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, type RouteDescription } from "./description.ts";
import { jsonReply } from "./reply.ts";
import { quote } from "../secrets/masked-start.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { mayNameQueue } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { describeRates, ratesAnswer, ratesExample } from "./rates-view.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";

const queueAnswer = () =>
  v.object({
    name: text("As in `queue.queues`."),
    driver: text("The driver that keeps it."),
    ready: countIfTold("Jobs that can be taken now. Null, as the others, for what the backend cannot tell."),
    delayed: countIfTold("Jobs that wait for their time: retries, and those sent with a delay."),
    leased: countIfTold("Jobs that some process is at work on."),
    parked: countIfTold("Jobs put aside until their endpoint can take them."),
    dead: countIfTold("Dead letters."),
    oldest_ready_age_ms: countIfTold("Since when the oldest ready job waits."),
    paused: v.boolean(),
    scope: scopeKind,
    rates: ratesAnswer(),
  });

const queueExample: v.InferInput<ReturnType<typeof queueAnswer>> = {
  name: "webhooks",
  driver: "redis",
  ready: 12,
  delayed: 3,
  leased: 5,
  parked: 0,
  dead: 1,
  oldest_ready_age_ms: 240,
  paused: false,
  scope: "cluster",
  rates: ratesExample,
};

/** GET /v1/queues, GET /v1/queues/{queue}, and pause and resume. */
export function queueRoutes(deps: AdminDeps): Route[] {
  const { driver } = deps;
  const scope = driver.capabilities.pauseScope;
  const describe = async (name: string): Promise<Record<string, unknown>> => ({
    ...describeQueue(name, driver.name, scope, await driver.stats(name)),
    rates: describeRates(deps.rates.ofQueue(name)),
  });
  const switchTo = (verb: "pause" | "resume"): Route =>
    route({
      method: "POST",
      path: `/v1/queues/:queue/${verb}`,
      access: "operate",
      about: () => aboutSwitch(verb),
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
      about: () => ({
        id: "listQueues",
        summary: "List the queues with what waits in them",
        answers: {
          200: answer("The queues that the caller may name.", shortListOf("queues", queueAnswer()), {
            queues: [queueExample],
          }),
        },
        errors: ["driver_unavailable"],
      }),
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
      about: () => ({
        id: "getQueue",
        summary: "Show one queue",
        answers: { 200: answer("The queue.", queueAnswer(), queueExample) },
        errors: ["unknown_queue", "driver_unavailable"],
        example: { path: { queue: "webhooks" } },
      }),
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

function aboutSwitch(verb: "pause" | "resume"): RouteDescription<never> {
  const paused = verb === "pause";
  return {
    id: `${verb}Queue`,
    summary: paused ? "Stop consuming a queue" : "Consume a paused queue again",
    details: paused
      ? "Attempts in flight end; jobs are still taken in."
      : "A queue that is not paused stays as it is.",
    answers: {
      200: answer("What holds now.", v.object({ name: v.string(), paused: v.boolean(), scope: scopeKind }), {
        name: "webhooks",
        paused,
        scope: "cluster",
      }),
    },
    errors: ["unknown_queue", "driver_unavailable"],
    example: { path: { queue: "webhooks" } },
  };
}

/**
 * The queue in the path.
 *
 * @throws RequestError `unknown_queue` for a name that queue.queues does not hold.
 */
export function queueParameter(deps: AdminDeps, request: AdminRequest): string {
  const name = pathParameter(request, "queue");
  requireQueue(deps, name);
  return name;
}

/** @throws RequestError `unknown_queue` for a name that queue.queues does not hold. */
export function requireQueue(deps: Pick<AdminDeps, "queues" | "mask">, name: string): void {
  if (deps.queues.includes(name)) return;
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
