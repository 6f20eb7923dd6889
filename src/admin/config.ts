import * as v from "valibot";
import type { AdminDeps } from "./deps.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { problemReply } from "./problem.ts";
import { jsonReply } from "./reply.ts";
import { parseJsonBody, readJsonTextIfAny } from "./request.ts";
import { RequestError } from "./request-error.ts";
import { route, type AdminRequest, type Route } from "./route.ts";
import { validate } from "./validate.ts";

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
      async handle(request) {
        if (deps.state().draining) throw new RequestError("draining", "the process is shutting down");
        const { partial } = await readReloadBody(deps, request);
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

/** The body may be left out. */
async function readReloadBody(deps: AdminDeps, request: AdminRequest): Promise<{ partial: boolean }> {
  const text = await readJsonTextIfAny(request, deps.live.config.server.max_body_bytes);
  if (text === null) return { partial: false };
  return validate(reloadBody, parseJsonBody(text), "invalid_body");
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
