import * as v from "valibot";
import { snakeKeys } from "../camel-keys.ts";
import { redactUrl } from "../secrets/url.ts";
import type { Endpoint, Target } from "../delivery/endpoint.ts";
import { publicJwk } from "../delivery/signing-keys.ts";
import type { DatedKey } from "../delivery/standard-webhooks.ts";
import { breakerStates } from "../endpoints/breaker.ts";
import { endpointModes } from "../endpoints/state.ts";
import { count, countIfTold, scope, text, time } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import type { Backlog } from "./backlog.ts";
import { describeRates, ratesAnswer, ratesExample } from "./rates-view.ts";
import { isoTime } from "./reply.ts";

export const endpointAnswer = () =>
  v.object({
    app: v.nullable(text("Id of its app; null for a named endpoint.")),
    name: v.string(),
    label: text("What logs, metrics and dead letters call it: `app/name`, or its name alone."),
    target: v.union([
      v.object({ kind: v.literal("http"), url: text("Path and query cut, where they may be secret.") }),
      v.object({
        kind: v.literal("lambda"),
        function: v.string(),
        region: v.nullable(v.string()),
        async: v.boolean(),
      }),
    ]),
    mode: v.picklist(endpointModes),
    scope,
    breaker: v.pipe(v.picklist(breakerStates), v.description("Of this process, as all that follows.")),
    open_until: time("When an open breaker lets one attempt through."),
    held_ms: count("For how long its Retry-After holds it."),
    in_flight: count("Attempts under way."),
    window: v.nullable(count("Most that answers of 429 leave in flight; null: they limit nothing.")),
    waiting: countIfTold("Jobs that wait for it: parked in the backend, and in this process."),
    oldest_waiting_age_ms: countIfTold("For how long the oldest of them waits; null where none does."),
    rates: ratesAnswer(),
    signing: v.array(v.picklist(["pusher", "v1", "v1a"])),
    signing_keys: v.array(
      v.object({
        version: v.picklist(["v1", "v1a"]),
        kid: v.nullable(text("As in /.well-known/hookline-keys; null for a symmetric key.")),
        not_after: time("Not used from then on."),
        in_use: v.boolean(),
      }),
    ),
    limits: v.pipe(v.looseObject({}), v.description("Its settings in force, as in the configuration.")),
  });

export const endpointExample: v.InferInput<ReturnType<typeof endpointAnswer>> = {
  app: "shop",
  name: "orders",
  label: "shop/orders",
  target: { kind: "http", url: "https://example.com/***" },
  mode: "enabled",
  scope: "cluster",
  breaker: "closed",
  open_until: null,
  held_ms: 0,
  in_flight: 2,
  window: null,
  waiting: 0,
  oldest_waiting_age_ms: null,
  rates: ratesExample,
  signing: ["pusher"],
  signing_keys: [],
  limits: { concurrency: null, max_attempts: 12, request_timeout_ms: 10_000 },
};

/**
 * One endpoint as the API shows it: its settings without secrets, and how it stands in this process.
 *
 * `mode` holds within `scope`; `breaker`, `open_until`, `held_ms`, `in_flight` and `window` are this process's own. `window`
 * is the most that answers of 429 leave in flight; null = they limit nothing.
 *
 * `waiting` counts what is parked for it in the backend and what waits here; null = the backend does not tell. `rates`
 * are this process' own.
 *
 * @param appId Null for a named endpoint.
 * @param backlogs What waits for each endpoint, by label; null where it is not known.
 */
export function describeEndpoint(
  deps: AdminDeps,
  appId: string | null,
  endpoint: Endpoint,
  backlogs: ReadonlyMap<string, Backlog> | null,
): Record<string, unknown> {
  const gate = deps.gates.of(endpoint);
  const keys = endpoint.standardKeys ?? [];
  const now = deps.clock.now();
  const backlog = backlogs?.get(endpoint.label);
  const oldest = backlog?.oldestEnqueuedAt ?? null;
  return {
    app: appId,
    name: endpoint.name,
    label: endpoint.label,
    target: describeTarget(deps, endpoint.target),
    mode: gate.mode,
    scope: deps.gates.scope,
    breaker: gate.breaker,
    open_until: isoTime(gate.openUntil),
    held_ms: gate.heldMs,
    in_flight: gate.inFlight,
    window: Number.isFinite(gate.window) ? gate.window : null,
    waiting: backlogs === null ? null : (backlog?.count ?? 0),
    oldest_waiting_age_ms: oldest === null ? null : Math.max(0, now - oldest),
    rates: describeRates(deps.rates.ofEndpoint(endpoint.label)),
    signing: [
      ...(endpoint.pusher === null ? [] : ["pusher"]),
      ...new Set(keys.map(({ key }) => key.version)),
    ],
    signing_keys: keys.map((key) => describeKey(key, now)),
    limits: {
      ...snakeKeys(endpoint.limits),
      max_attempts: endpoint.retry.maxAttempts,
      request_timeout_ms: endpoint.requestTimeoutMs,
    },
  };
}

function describeTarget(deps: AdminDeps, target: Target): Record<string, unknown> {
  if (target.kind === "http") {
    return { kind: "http", url: deps.mask(redactUrl(new URL(target.url).href, "url")) };
  }
  return {
    kind: "lambda",
    function: deps.mask(target.functionName),
    region: target.region,
    async: target.async,
  };
}

/** Which key it is, for a rotation: never the key. A symmetric one has no half that could be shown. */
function describeKey({ key, notAfter }: DatedKey, now: number): Record<string, unknown> {
  return {
    version: key.version,
    kid: key.version === "v1a" ? publicJwk(key.publicKey).kid : null,
    not_after: isoTime(notAfter),
    in_use: notAfter === null || notAfter > now,
  };
}
