import { jsonReply } from "./reply.ts";
import { route, type Route } from "./route.ts";

/** GET /v1/token: what the caller's own token may do; name null for a local client without one. */
export function tokenRoutes(): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/token",
      access: "any",
      reach: { apps: "none", queues: "none" },
      handle: ({ caller: { name, scope, apps, queues } }) =>
        jsonReply({
          name,
          scope,
          apps: apps === null ? null : [...apps],
          queues: queues === null ? null : [...queues],
        }),
    }),
  ];
}
