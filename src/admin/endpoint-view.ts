import { snakeKeys } from "../camel-keys.ts";
import { redactUrl } from "../secrets/url.ts";
import type { Endpoint, Target } from "../delivery/endpoint.ts";
import { publicJwk } from "../delivery/signing-keys.ts";
import type { DatedKey } from "../delivery/standard-webhooks.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime } from "./reply.ts";

/**
 * One endpoint as the API shows it: its settings without secrets, and how it stands in this process.
 *
 * `mode` holds within `scope`; `breaker`, `open_until`, `held_ms`, `in_flight` and `window` are this process's own. `window`
 * is the most that answers of 429 leave in flight; null = they limit nothing.
 *
 * @param appId Null for a named endpoint.
 */
export function describeEndpoint(
  deps: AdminDeps,
  appId: string | null,
  endpoint: Endpoint,
): Record<string, unknown> {
  const gate = deps.gates.of(endpoint);
  const keys = endpoint.standardKeys ?? [];
  const now = deps.clock.now();
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
