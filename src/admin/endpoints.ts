import type { Endpoint } from "../delivery/endpoint.ts";
import type { EndpointMode } from "../endpoints/state.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointAttemptRoutes } from "./endpoint-attempts.ts";
import { endpointParameter } from "./endpoint-path.ts";
import { outcomeMembers, probeEndpoint } from "./endpoint-probe.ts";
import { describeEndpoint } from "./endpoint-view.ts";
import { jsonReply } from "./reply.ts";
import { pageReply } from "./page.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { requireOpenDriver } from "./queues.ts";
import { mayNameApp } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { route, type Route } from "./route.ts";

/** What each verb makes of an endpoint. None of them redrives what is dead already. */
const modes = {
  /** Delivers; its breaker and the receiver's Retry-After are forgotten in this process. */
  enable: "enabled",
  /** Its jobs become dead letters, `endpoint_disabled`. */
  disable: "disabled",
  /** Its jobs are kept, until it is resumed. */
  pause: "paused",
  /** As enable, from paused. */
  resume: "enabled",
} as const satisfies Record<string, EndpointMode>;

/**
 * GET /v1/endpoints, GET /v1/endpoints/{app}/{name} with its delivery log, the verbs enable, disable, pause
 * and resume, and test.
 *
 * Named endpoints, which belong to no app, have `-` in the app's place: `/v1/endpoints/-/billing/pause`.
 */
export function endpointRoutes(deps: AdminDeps): Route[] {
  const path = "/v1/endpoints/:app/:name";
  const describe = (endpoint: Endpoint): Record<string, unknown> =>
    describeEndpoint(deps, appIdOf(endpoint), endpoint);

  const switchBy = (verb: keyof typeof modes): Route =>
    route({
      method: "POST",
      path: `${path}/${verb}`,
      access: "operate",
      reach: { queues: "none" },
      async handle(request) {
        const endpoint = endpointParameter(deps, request);
        if (verb === "resume" && deps.gates.of(endpoint).mode === "disabled") {
          throw new RequestError(
            "endpoint_disabled",
            `${endpoint.label} is disabled, not paused: enable it, then redrive its dead letters`,
          );
        }
        if (deps.gates.scope === "cluster") requireOpenDriver(deps);
        await deps.gates.setMode(endpoint, modes[verb]);
        deps.log.warn(`an operator asked an endpoint to ${verb}`, {
          endpoint: endpoint.label,
          scope: deps.gates.scope,
        });
        return jsonReply(describe(endpoint));
      },
    });

  return [
    route({
      method: "GET",
      path: "/v1/endpoints",
      access: "read",
      reach: { apps: "own", queues: "none" },
      query: { limit: limitParameter(50), cursor: cursorParameter },
      handle: ({ caller }, { query }) =>
        pageReply(
          {
            name: "endpoints",
            entries: deps.gates.all().filter(({ endpoint }) => mayNameApp(caller, appIdOf(endpoint) ?? "-")),
            keyOf: ({ endpoint }) => JSON.stringify([appIdOf(endpoint), endpoint.name]),
            describe: ({ endpoint }) => describe(endpoint),
          },
          query,
        ),
    }),
    route({
      method: "GET",
      path,
      access: "read",
      reach: { queues: "none" },
      handle: (request) => jsonReply(describe(endpointParameter(deps, request))),
    }),
    switchBy("enable"),
    switchBy("disable"),
    switchBy("pause"),
    switchBy("resume"),
    route({
      method: "POST",
      path: `${path}/test`,
      access: "operate",
      reach: { queues: "none" },
      async handle(request) {
        const endpoint = endpointParameter(deps, request);
        const probe = await probeEndpoint(deps, endpoint);
        const members = outcomeMembers(deps, probe.outcome);
        deps.log.info("an operator asked for a test delivery", {
          endpoint: endpoint.label,
          delivery_id: probe.deliveryId,
          ...members,
        });
        return jsonReply({ endpoint: endpoint.label, delivery_id: probe.deliveryId, ...members });
      },
    }),
    ...endpointAttemptRoutes(deps),
  ];
}

/** The id of its app; null for a named endpoint, whose label is its name alone. */
function appIdOf({ label, name }: Endpoint): string | null {
  return label === name ? null : label.slice(0, -name.length - 1);
}
