import * as v from "valibot";
import { answer } from "./description.ts";
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
      about: () => ({
        id: "getToken",
        summary: "Show what the caller's token may do",
        answers: {
          200: answer(
            "Name and rights; `name` is null for a local client without a token, `apps` and `queues` for what is not limited.",
            v.object({
              name: v.nullable(v.string()),
              scope: v.picklist(["read", "enqueue", "operate"]),
              apps: v.nullable(v.array(v.string())),
              queues: v.nullable(v.array(v.string())),
            }),
            { name: "ci", scope: "enqueue", apps: ["shop"], queues: null },
          ),
        },
      }),
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
