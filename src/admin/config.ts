import * as v from "valibot";
import { shortListOf, text } from "./answer-kinds.ts";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { problemReply } from "./problem.ts";
import { jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { route, type Route } from "./route.ts";

const reloadBody = v.optional(v.strictObject({ partial: v.optional(v.boolean("true or false"), false) }), {});

/**
 * GET /v1/config: each key of the effective configuration with its value, secrets redacted, and its source.
 *
 * POST /v1/config/reload: reads file and secrets' files anew; the answer names what has changed, or all issues.
 */
export function configRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/config",
      access: "read",
      query: { limit: shortListLimit, cursor: cursorParameter },
      about: () => ({
        id: "getConfig",
        summary: "Show the configuration in force, secrets redacted",
        answers: {
          200: answer(
            "Each key with its value and where that comes from.",
            shortListOf(
              "config",
              v.object({
                path: v.string(),
                value: v.pipe(v.unknown(), v.description("Whatever the key holds.")),
                source: text("`default`, or the file, the variable or the flag that set it."),
              }),
            ),
            { config: [{ path: "queue.driver", value: "redis", source: "env QUEUE_DRIVER" }] },
          ),
        },
      }),
      handle: (_request, { query }) =>
        shortListReply(
          {
            name: "config",
            entries: deps.configEntries(),
            keyOf: ({ path }) => path,
            describe: ({ path, value, source }) => ({ path, value: maskDeep(deps.mask, value), source }),
          },
          query,
        ),
    }),
    route({
      method: "POST",
      path: "/v1/config/reload",
      access: "operate",
      body: reloadBody,
      about: () => ({
        id: "reloadConfig",
        summary: "Read the configuration again and put it in force",
        details:
          "As a whole or not at all; with `partial` what needs a restart is left out. A refusal lists all issues in `issues`.",
        answers: {
          200: answer(
            "It is in force.",
            v.object({
              status: v.picklist(["reloaded", "unchanged"]),
              changed: v.array(text("Path of a key that differs and is in force now.")),
              needs_restart: v.array(text("Path of a key that differs and waits for a restart.")),
            }),
            { status: "reloaded", changed: ["apps.0.webhooks"], needs_restart: [] },
          ),
        },
        errors: ["draining", "config_refused"],
        example: { body: { partial: false } },
      }),
      async handle(_request, { body }) {
        if (deps.state().draining) throw new RequestError("draining", "the process is shutting down");
        const { partial } = await body();
        const { status, changed, needsRestart, issues } = await deps.reload(partial);
        if (status === "refused") {
          const error = new RequestError(
            "config_refused",
            "nothing has changed: the issues say why; mend them and reload",
          );
          const masked = issues.map((issue) => maskDeep(deps.mask, issue));
          return problemReply(deps, error, { issues: masked });
        }
        return jsonReply({
          status,
          changed: changed.map(deps.mask),
          needs_restart: needsRestart.map(deps.mask),
        });
      },
    }),
  ];
}

/** The value with every text in it masked: a second net under the redaction by key. */
function maskDeep(mask: (text: string) => string, value: unknown): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => maskDeep(mask, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [mask(key), maskDeep(mask, item)] as const),
  );
}
