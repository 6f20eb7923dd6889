import * as v from "valibot";
import { quote } from "../secrets/masked-start.ts";
import { settingsOf, type Settings, type StoredEntry } from "../stored/entry.ts";
import { keepAppSecrets, mergePatch } from "../stored/merge.ts";
import { entityTag, isKnownToSender, requirePrecondition } from "./conditional.ts";
import type { AdminDeps } from "./deps.ts";
import { pageOf } from "./answer-kinds.ts";
import { answer, emptyAnswer, type RouteDescription } from "./description.ts";
import {
  appAnswer,
  appBody,
  appExample,
  changeAnswers,
  changeErrors,
  changeHeaders,
  patchBody,
} from "./settings-description.ts";
import { pageReply } from "./page.ts";
import type { ParameterKind } from "./parameter-kind.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { mayNameApp } from "./reach.ts";
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

/** `dry_run=true`: checked as if, answered as if, and nothing is stored. */
export const dryRunParameter = v.optional(
  v.pipe(
    v.picklist(["true", "false"], "expected true or false"),
    v.transform((word) => word === "true"),
    v.metadata({ parameter: { type: "boolean" } } satisfies ParameterKind),
  ),
  "false",
);

/**
 * GET /v1/apps, and GET, PUT, PATCH, DELETE of /v1/apps/{id}: the apps of the configuration, which are only shown, and
 * those that are stored.
 */
export function appRoutes(deps: AdminDeps): Route[] {
  const path = "/v1/apps/:app";
  const options = { access: "token", dryRun: true, reach: { queues: "none" } } as const;
  const query = { dry_run: dryRunParameter };

  const find = (id: string): Record<string, unknown> | null => {
    const own = deps.live.config.apps.find((app) => app.id === id);
    if (own !== undefined)
      return { ...shownSettings("app", id, own), source: "configuration", revision: null };
    const entry = deps.stored.entry("app", id);
    return entry === null ? null : describeStored(entry);
  };

  return [
    route({
      method: "GET",
      path: "/v1/apps",
      access: "read",
      reach: { apps: "own", queues: "none" },
      query: { limit: limitParameter(50), cursor: cursorParameter },
      about: () => ({
        id: "listApps",
        summary: "List the apps, those of the configuration and those that are stored",
        answers: {
          200: answer("A page of those that the caller may name.", pageOf("apps", appAnswer()), {
            apps: [appExample],
            cursor: null,
            complete: true,
          }),
        },
      }),
      handle({ caller }, { query: page }) {
        const own = deps.live.config.apps.map(({ id }) => id);
        const stored = deps.stored.entries("app").map(({ name }) => name);
        const entries = [...new Set([...own, ...stored])].filter((id) => mayNameApp(caller, id)).sort();
        return pageReply({ name: "apps", entries, keyOf: (id) => id, describe: find }, page);
      },
    }),
    route({
      method: "GET",
      path,
      access: "read",
      reach: { queues: "none" },
      about: () => ({
        id: "getApp",
        summary: "Show one app",
        details: "A stored one has an entity tag.",
        headers: { "if-none-match": "Entity tag of the version that the client has." },
        answers: {
          200: answer("The app.", appAnswer(), appExample),
          304: emptyAnswer("The client has this version."),
        },
        errors: ["no_such_app", "driver_unavailable"],
        example: { path: { app: "bookshop" } },
      }),
      async handle(request) {
        const id = pathParameter(request, "app");
        if (find(id) === null && deps.stored.isShared && deps.state().driverOpen) await deps.stored.look();
        const shown = find(id);
        if (shown === null) throw noSuchApp(deps, id);
        const { revision } = shown as { revision: number | null };
        if (revision === null) return jsonReply(shown);
        const headers = { etag: entityTag(revision) };
        if (isKnownToSender(request.headers, revision)) return { status: 304, headers, body: null };
        return jsonReply(shown, 200, headers);
      },
    }),
    route({
      method: "PUT",
      path,
      ...options,
      query,
      body: appBody,
      about: () => ({
        ...aboutChange("PUT"),
        example: {
          path: { app: "bookshop" },
          body: {
            key: "bookshop-key",
            secret: "change-me",
            webhooks: [{ name: "orders", url: "https://example.com/hooks/orders", event_types: ["order.*"] }],
          },
        },
      }),
      async handle(request, { query: { dry_run: isDry } }) {
        const sent = await readSettings(deps, request);
        return changeApp(deps, request, isDry, (before, id) => {
          const old = before === null || before.text === null ? null : settingsOf(before);
          return { id, ...(old === null ? sent : keepAppSecrets(old, sent)) };
        });
      },
    }),
    route({
      method: "PATCH",
      path,
      ...options,
      query,
      body: patchBody,
      about: () => ({
        ...aboutChange("PATCH"),
        example: {
          path: { app: "bookshop" },
          body: { secret: "change-me-again", previous_secrets: ["change-me"] },
        },
      }),
      async handle(request, { query: { dry_run: isDry } }) {
        const patch = await readSettings(deps, request);
        return changeApp(deps, request, isDry, (before, id) => {
          if (before === null) throw noSuchApp(deps, id);
          return { id, ...(mergePatch(settingsOf(before), patch) as Settings) };
        });
      },
    }),
    route({
      method: "DELETE",
      path,
      ...options,
      query,
      about: () => ({ ...aboutChange("DELETE"), example: { path: { app: "bookshop" } } }),
      handle: (request, { query: { dry_run: isDry } }) =>
        changeApp(deps, request, isDry, (before, id) => {
          if (before === null) throw noSuchApp(deps, id);
          return null;
        }),
    }),
  ];
}

function aboutChange(method: "PUT" | "PATCH" | "DELETE"): Omit<RouteDescription<never>, "example"> {
  const texts = {
    PUT: { id: "putApp", summary: "Store an app" },
    PATCH: { id: "patchApp", summary: "Change a stored app" },
    DELETE: { id: "removeApp", summary: "Remove a stored app" },
  };
  return {
    ...texts[method],
    headers: changeHeaders,
    answers: changeAnswers(method, appAnswer(), appExample),
    errors: [...changeErrors, ...(method === "PUT" ? [] : (["no_such_app"] as const))],
  };
}

/** A stored app as it is shown; one that cannot be read has its id only. */
export function describeStored(entry: StoredEntry): Record<string, unknown> {
  const about = { source: "api", revision: entry.revision };
  if (entry.text === null) return { id: entry.name, ...about, unreadable: entry.trouble };
  return { ...shownSettings("app", entry.name, settingsOf(entry)), ...about };
}

export function noSuchApp(deps: AdminDeps, id: string): RequestError {
  return new RequestError("no_such_app", `no app ${quote(deps.mask, id)}: GET /v1/apps lists them`);
}

/**
 * Stores what `make` makes of the app in the path, or removes it, and answers.
 *
 * @param make Called in the writing step, perhaps several times; may throw.
 */
export async function changeApp(
  deps: AdminDeps,
  request: AdminRequest,
  isDry: boolean,
  make: (before: StoredEntry | null, id: string) => Settings | null,
): Promise<Reply> {
  const id = pathParameter(request, "app");
  requireStore(deps);
  let isNew = false;
  const decide = (before: StoredEntry | null): Settings | null => {
    if (deps.live.config.apps.some((app) => app.id === id)) throw definedInFile(deps, "the app", id);
    requirePrecondition(request.headers, before?.revision ?? null);
    isNew = before === null;
    if (request.method !== "PUT" && request.method !== "DELETE") requireReadable(before);
    const next = make(before, id);
    return next === null ? null : checkApp(deps, id, next);
  };
  if (isDry) {
    const next = decide(deps.stored.entry("app", id));
    if (next === null) return { status: 204, headers: {}, body: null };
    return jsonReply({ ...shownSettings("app", id, next), dry_run: true });
  }
  const entry = await deps.stored.change("app", id, decide);
  if (entry === null) return { status: 204, headers: {}, body: null };
  return storedReply(entry, describeStored(entry), isNew ? 201 : 200);
}

/** The settings as they are stored. @throws RequestError `invalid_settings` that lists everything that is wrong. */
function checkApp(deps: AdminDeps, id: string, settings: Settings): Settings {
  if (settings["id"] !== id) {
    throw invalidSettings([{ path: "id", message: "is another one than the path's; leave it out" }]);
  }
  requireSize(settings);
  const checked = deps.receivers.app(settings);
  const issues = checked.ok
    ? []
    : checked.issues.map(({ path, message }) => ({ path, message: deps.mask(message) }));
  const { key } = settings;
  const owner = typeof key === "string" ? deps.live.directory.findApp(null, key) : null;
  if (owner !== null && owner.id !== id) {
    issues.push({ path: "key", message: "is the key of another app; keys are unique" });
  }
  if (!checked.ok || issues.length > 0) throw invalidSettings(issues);
  return checked.settings;
}
