import * as v from "valibot";
import type { Endpoint } from "../delivery/endpoint.ts";
import type { EndpointMode } from "../endpoints/state.ts";
import { readBacklogs } from "./backlog.ts";
import { attentionFirst, endpointOrder } from "./endpoint-order.ts";
import { pageOf, text } from "./answer-kinds.ts";
import { answer, type RouteDescription } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointAttemptRoutes } from "./endpoint-attempts.ts";
import { endpointParameter } from "./endpoint-path.ts";
import { outcomeAnswer, outcomeExample, outcomeMembers, probeEndpoint } from "./endpoint-probe.ts";
import { describeEndpoint, endpointAnswer, endpointExample } from "./endpoint-view.ts";
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
  const describe = async (endpoint: Endpoint): Promise<Record<string, unknown>> =>
    describeEndpoint(deps, appIdOf(endpoint), endpoint, await readBacklogs(deps));

  const switchBy = (verb: keyof typeof modes): Route =>
    route({
      method: "POST",
      path: `${path}/${verb}`,
      access: "operate",
      reach: { queues: "none" },
      about: () => aboutSwitch(verb),
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
        return jsonReply(await describe(endpoint));
      },
    });

  return [
    route({
      method: "GET",
      path: "/v1/endpoints",
      access: "read",
      reach: { apps: "own", queues: "none" },
      query: { limit: limitParameter(50), cursor: cursorParameter, sort: endpointOrder },
      about: () => ({
        id: "listEndpoints",
        summary: "List the endpoints: webhooks of apps, and named ones",
        answers: {
          200: answer("A page of those that the caller may name.", pageOf("endpoints", endpointAnswer()), {
            endpoints: [endpointExample],
            cursor: null,
            complete: true,
          }),
        },
      }),
      async handle({ caller }, { query }) {
        const backlogs = await readBacklogs(deps);
        const all = deps.live.directory.endpoints.filter((one) => mayNameApp(caller, appIdOf(one) ?? "-"));
        return pageReply(
          {
            name: "endpoints",
            entries: query.sort === "attention" ? attentionFirst(all, deps.gates, backlogs) : all,
            keyOf: (endpoint) => JSON.stringify([appIdOf(endpoint), endpoint.name]),
            describe: (endpoint) => describeEndpoint(deps, appIdOf(endpoint), endpoint, backlogs),
          },
          query,
        );
      },
    }),
    route({
      method: "GET",
      path,
      access: "read",
      reach: { queues: "none" },
      about: () => ({
        id: "getEndpoint",
        summary: "Show one endpoint",
        answers: { 200: answer("The endpoint.", endpointAnswer(), endpointExample) },
        errors: ["no_such_app", "unknown_endpoint"],
        example: { path: { app: "shop", name: "orders" } },
      }),
      handle: async (request) => jsonReply(await describe(endpointParameter(deps, request))),
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
      about: () => ({
        id: "testEndpoint",
        summary: "Send one signed test delivery, now",
        details:
          'It goes past the queue, a pause and the breaker, and is not repeated. A webhook gets an event `hookline_test`, a named endpoint `{"type": "hookline.test"}`.',
        answers: {
          200: answer(
            "What the attempt came to, a failure included.",
            v.object({
              endpoint: text("Label of the endpoint."),
              delivery_id: text("The `webhook-id` it was sent under."),
              ...outcomeAnswer(),
            }),
            { endpoint: "shop/orders", delivery_id: "5d2f_0f3a9c21", ...outcomeExample },
          ),
        },
        errors: ["no_such_app", "unknown_endpoint"],
        example: { path: { app: "shop", name: "orders" } },
      }),
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

function aboutSwitch(verb: keyof typeof modes): RouteDescription<never> {
  const texts = {
    enable: [
      "Deliver to an endpoint again",
      "Its breaker and the hold of a Retry-After are forgotten; nothing is redriven.",
    ],
    disable: ["Deliver no more to an endpoint", "Its jobs become dead letters, `endpoint_disabled`."],
    pause: ["Keep an endpoint's jobs until it is resumed", "Attempts in flight end."],
    resume: ["Deliver to a paused endpoint again", "A disabled one is enabled instead."],
  } as const satisfies Record<keyof typeof modes, readonly [summary: string, details: string]>;
  const [summary, details] = texts[verb];
  return {
    id: `${verb}Endpoint`,
    summary,
    details,
    answers: {
      200: answer("The endpoint as it stands now.", endpointAnswer(), {
        ...endpointExample,
        mode: modes[verb],
      }),
    },
    errors: [
      "no_such_app",
      "unknown_endpoint",
      "driver_unavailable",
      ...(verb === "resume" ? (["endpoint_disabled"] as const) : []),
    ],
    example: { path: { app: "shop", name: "orders" } },
  };
}

/** The id of its app; null for a named endpoint, whose label is its name alone. */
function appIdOf({ label, name }: Endpoint): string | null {
  return label === name ? null : label.slice(0, -name.length - 1);
}
