import { isObject } from "../config/layers.ts";
import { quote } from "../secrets/masked-start.ts";
import { unnamedWebhook } from "../config/endpoint-name.ts";
import { settingsOf, type Settings } from "../stored/entry.ts";
import { keepReceiverSecrets, mergePatch } from "../stored/merge.ts";
import {
  appAnswer,
  appExample,
  changeAnswers,
  changeBody,
  changeErrors,
  changeHeaders,
  webhookBody,
} from "./settings-description.ts";
import type { Answer, RouteDescription } from "./description.ts";
import { changeApp, dryRunParameter, noSuchApp } from "./apps.ts";
import type { AdminDeps } from "./deps.ts";
import type { Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";
import { invalidSettings, readSettings } from "./stored-settings.ts";

/** PUT, PATCH and DELETE of /v1/apps/{id}/webhooks/{name}: one webhook of a stored app; the answer is the app. */
export function appWebhookRoutes(deps: AdminDeps): Route[] {
  const path = "/v1/apps/:app/webhooks/:name";
  const options = { access: "token", dryRun: true, reach: { queues: "none" } } as const;
  const query = { dry_run: dryRunParameter };
  return (["PUT", "PATCH", "DELETE"] as const).map((method) =>
    route({
      method,
      path,
      ...options,
      query,
      body: changeBody(method, webhookBody),
      about: () => aboutChange(method),
      async handle(request, { query: { dry_run: isDry } }) {
        const sent = method === "DELETE" ? null : await readSettings(deps, request);
        return changeWebhook(deps, request, isDry, (before, name) => {
          if (sent === null) {
            if (before === null) throw noSuchWebhook(deps, request, name);
            return null;
          }
          if (method === "PUT") return before === null ? sent : keepReceiverSecrets(before, sent);
          if (before === null) throw noSuchWebhook(deps, request, name);
          return mergePatch(before, sent) as Settings;
        });
      },
    }),
  );
}

function aboutChange(method: "PUT" | "PATCH" | "DELETE"): RouteDescription {
  const texts = {
    PUT: { id: "putWebhook", summary: "Add or replace a webhook of a stored app" },
    PATCH: { id: "patchWebhook", summary: "Change a webhook of a stored app" },
    DELETE: { id: "removeWebhook", summary: "Remove a webhook of a stored app" },
  };
  const bodies = {
    PUT: { body: { url: "https://example.com/hooks/orders", event_types: ["order.*"] } },
    PATCH: { body: { request_timeout_ms: 5000 } },
    DELETE: {},
  };
  return {
    ...texts[method],
    details: "The answer is the app; of DELETE, too.",
    headers: changeHeaders,
    answers: { 200: changeAnswers("PATCH", appAnswer(), appExample)[200] as Answer },
    errors: [...changeErrors, "no_such_app", ...(method === "PUT" ? [] : (["unknown_endpoint"] as const))],
    example: { path: { app: "bookshop", name: "orders" }, ...bodies[method] },
  };
}

export function noSuchWebhook(deps: AdminDeps, request: AdminRequest, name: string): RequestError {
  const id = pathParameter(request, "app");
  return new RequestError(
    "unknown_endpoint",
    `app ${quote(deps.mask, id)} has no webhook ${quote(deps.mask, name)}`,
  );
}

/** Stores what `make` makes of the webhook in the path; null removes it. */
export function changeWebhook(
  deps: AdminDeps,
  request: AdminRequest,
  isDry: boolean,
  make: (before: Settings | null, name: string) => Settings | null,
): Promise<Reply> {
  const name = pathParameter(request, "name");
  return changeApp(deps, request, isDry, (app, id) => {
    if (app === null) throw noSuchApp(deps, id);
    const settings = settingsOf(app);
    const webhooks = (settings["webhooks"] ?? []) as Settings[];
    const at = webhooks.findIndex((webhook) => (webhook["name"] ?? unnamedWebhook) === name);
    const next = make(webhooks[at] ?? null, name);
    if (next === null) return { ...settings, webhooks: webhooks.filter((_, index) => index !== at) };
    if (!isObject(next) || (next["name"] !== undefined && next["name"] !== name)) {
      throw invalidSettings([{ path: "name", message: "is another one than the path's; leave it out" }]);
    }
    const named = { ...next, name };
    return {
      ...settings,
      webhooks: at === -1 ? [...webhooks, named] : webhooks.map((old, index) => (index === at ? named : old)),
    };
  });
}
