import * as v from "valibot";
import { count } from "./answer-kinds.ts";
import { answer } from "./description.ts";
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
      about: () => ({
        id: "reencrypt",
        summary: "Encrypt what is stored under a previous key with the current one",
        details: "500 records a request: to be asked again until `left` is 0.",
        answers: {
          200: answer(
            "How far it is.",
            v.object({
              reencrypted: count("Records of this request."),
              left: count("Records still under a previous key."),
            }),
            { reencrypted: 500, left: 120 },
          ),
        },
        errors: ["unsupported_by_driver", "encryption_key_missing", "driver_unavailable"],
      }),
      async handle() {
        requireStore(deps);
        const { done, left } = await deps.stored.reencrypt(mostAtOnce);
        return jsonReply({ reencrypted: done, left });
      },
    }),
  ];
}
