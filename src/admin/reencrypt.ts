import type { AdminDeps } from "./deps.ts";
import { jsonReply } from "./reply.ts";
import { route, type Route } from "./route.ts";
import { requireStore } from "./stored-settings.ts";

/** Records of one request: a second or two. */
const mostAtOnce = 500;

/**
 * POST /v1/encryption/reencrypt: encrypts what is stored under a previous key with the current one, 500 records a request;
 * `left` says whether to ask again.
 */
export function reencryptRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/encryption/reencrypt",
      access: "token",
      async handle() {
        requireStore(deps);
        const { done, left } = await deps.stored.reencrypt(mostAtOnce);
        return jsonReply({ reencrypted: done, left });
      },
    }),
  ];
}
