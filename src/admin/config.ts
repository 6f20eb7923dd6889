import type { AdminDeps } from "./deps.ts";
import { shortListReply } from "./page.ts";
import { cursorParameter, shortListLimit } from "./query.ts";
import { route, type Route } from "./route.ts";

/** GET /v1/config: each key of the effective configuration with its value, secrets redacted, and its source. */
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
