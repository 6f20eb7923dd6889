import { settingsOf, type Settings, type StoredEntry } from "../stored/entry.ts";
import { keepReceiverSecrets, mergePatch } from "../stored/merge.ts";
import { quote } from "../secrets/masked-start.ts";
import { dryRunParameter } from "./apps.ts";
import type { RouteDescription } from "./description.ts";
import {
  changeAnswers,
  changeBody,
  changeErrors,
  changeHeaders,
  endpointBody,
  endpointSettingsAnswer,
  endpointSettingsExample,
} from "./settings-description.ts";
import { requirePrecondition } from "./conditional.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";
import {
  definedInFile,
  invalidSettings,
  readSettings,
  requireReadable,
  requireSize,
  requireStore,
  shownSettings,
  storedReply,
} from "./stored-settings.ts";

/**
 * PUT, PATCH and DELETE of /v1/endpoints/-/{name}: the stored named endpoints.
 *
 * A webhook belongs to its app, and is changed at /v1/apps/{id}/webhooks/{name}.
 */
export function storedEndpointRoutes(deps: AdminDeps): Route[] {
  const path = "/v1/endpoints/:app/:name";
  const options = { access: "token", dryRun: true, reach: { queues: "none" } } as const;
  return (["PUT", "PATCH", "DELETE"] as const).map((method) =>
    route({
      method,
      path,
      ...options,
      query: { dry_run: dryRunParameter },
      body: changeBody(method, endpointBody),
      about: () => aboutChange(method),
      async handle(request, { query: { dry_run: isDry } }) {
        const name = namedParameter(deps, request);
        const sent = method === "DELETE" ? null : await readSettings(deps, request);
        return changeEndpoint(deps, request, isDry, (before) => {
          if (before === null && method !== "PUT") throw noSuchEndpoint(deps, name);
          if (sent === null) return null;
          const old = before === null || before.text === null ? null : settingsOf(before);
          if (method === "PUT") return old === null ? sent : keepReceiverSecrets(old, sent);
          return mergePatch(old, sent) as Settings;
        });
      },
    }),
  );
}

function aboutChange(method: "PUT" | "PATCH" | "DELETE"): RouteDescription {
  const texts = {
    PUT: { id: "putEndpoint", summary: "Store a named endpoint" },
    PATCH: { id: "patchEndpoint", summary: "Change a stored named endpoint" },
    DELETE: { id: "removeEndpoint", summary: "Remove a stored named endpoint" },
  };
  const bodies = {
    PUT: { body: { url: "https://example.com/billing" } },
    PATCH: { body: { request_timeout_ms: 5000 } },
    DELETE: {},
  };
  return {
    ...texts[method],
    details: "A webhook is changed at `/v1/apps/{app}/webhooks/{name}`.",
    parameters: { app: "`-`: a named endpoint belongs to no app." },
    headers: changeHeaders,
    answers: changeAnswers(method, endpointSettingsAnswer(), endpointSettingsExample),
    errors: [...changeErrors, "not_found", ...(method === "PUT" ? [] : (["unknown_endpoint"] as const))],
    example: { path: { app: "-", name: "billing" }, ...bodies[method] },
  };
}

/** The endpoint's name in a path with `-` in the app's place. */
export function namedParameter(deps: AdminDeps, request: AdminRequest): string {
  const app = pathParameter(request, "app");
  const name = pathParameter(request, "name");
  if (app === "-") return name;
  throw new RequestError(
    "not_found",
    `a webhook is changed at /v1/apps/${quote(deps.mask, app).slice(1, -1)}/webhooks/${quote(deps.mask, name).slice(1, -1)}`,
  );
}

export function noSuchEndpoint(deps: AdminDeps, name: string): RequestError {
  return new RequestError(
    "unknown_endpoint",
    `no stored endpoint ${quote(deps.mask, name)}: GET /v1/endpoints lists all of them`,
  );
}

/** A stored endpoint as it is shown. */
export function describeStoredEndpoint(entry: StoredEntry): Record<string, unknown> {
  const about = { name: entry.name, source: "api", revision: entry.revision };
  if (entry.text === null) return { ...about, unreadable: entry.trouble };
  return { ...shownSettings("endpoint", entry.name, settingsOf(entry)), ...about };
}

/** Stores what `make` makes of the named endpoint in the path, or removes it, and answers. */
export async function changeEndpoint(
  deps: AdminDeps,
  request: AdminRequest,
  isDry: boolean,
  make: (before: StoredEntry | null) => Settings | null,
): Promise<Reply> {
  const name = namedParameter(deps, request);
  requireStore(deps);
  let isNew = false;
  const decide = (before: StoredEntry | null): Settings | null => {
    if (Object.hasOwn(deps.live.config.endpoints, name)) throw definedInFile(deps, "the endpoint", name);
    requirePrecondition(request.headers, before?.revision ?? null);
    isNew = before === null;
    if (request.method !== "PUT" && request.method !== "DELETE") requireReadable(before);
    const next = make(before);
    if (next === null) return null;
    const { name: given, ...settings } = next as Record<string, unknown>;
    if (given !== undefined && given !== name) {
      throw invalidSettings([{ path: "name", message: "is another one than the path's; leave it out" }]);
    }
    requireSize(settings);
    const checked = deps.receivers.endpoint(name, settings);
    if (checked.ok) return checked.settings;
    throw invalidSettings(checked.issues.map(({ path, message }) => ({ path, message: deps.mask(message) })));
  };
  if (isDry) {
    const next = decide(deps.stored.entry("endpoint", name));
    if (next === null) return { status: 204, headers: {}, body: null };
    return jsonReply({ ...shownSettings("endpoint", name, next), name, dry_run: true });
  }
  const entry = await deps.stored.change("endpoint", name, decide);
  if (entry === null) return { status: 204, headers: {}, body: null };
  return storedReply(entry, describeStoredEndpoint(entry), isNew ? 201 : 200);
}
