import type { AdminDeps } from "./deps.ts";
import type { OperationWork } from "./operations/operation.ts";
import type { Operations } from "./operations/registry.ts";
import { operationAnswers, startedReply } from "./operations/view.ts";
import { route, type Route } from "./route.ts";
import { requireStore } from "./stored-settings.ts";

/** Records of one step: a second or two at most. */
const mostAtOnce = 100;

/** POST /v1/encryption/reencrypt: encrypts what is stored under a previous key with the current one. */
export function reencryptRoutes(deps: AdminDeps, operations: Operations): Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/encryption/reencrypt",
      access: "token",
      about: () => ({
        id: "reencrypt",
        summary: "Encrypt what is stored under a previous key with the current one",
        details:
          "The answer is an operation: 200 where it has ended, 202 where it goes on. `left` records are still under a previous key; some of them may need a key that this process does not have.",
        answers: operationAnswers({
          kind: "reencrypt",
          queue: null,
          request: {},
          total: 20,
          redriven: undefined,
          reencrypted: 20,
          left: 0,
        }),
        errors: [
          "unsupported_by_driver",
          "encryption_key_missing",
          "driver_unavailable",
          "too_many_operations",
          "draining",
        ],
      }),
      async handle({ caller }) {
        requireStore(deps);
        const work = (one: OperationWork): Promise<void> => reencryptAll(deps, one);
        const request = { kind: "reencrypt", queue: null, isDry: false, caller, body: {}, work } as const;
        return startedReply(deps, await operations.start(request));
      },
    }),
  ];
}

/** Step by step, until nothing is left that this process can encrypt anew. */
async function reencryptAll(deps: AdminDeps, work: OperationWork): Promise<void> {
  const { progress } = work;
  for (;;) {
    const result = await work.step(() => deps.stored.reencrypt(mostAtOnce));
    if (result === null) return;
    progress.done += result.done;
    progress.looked = progress.matched = progress.done;
    progress.total = progress.done + result.left;
    progress.extra = { left: result.left };
    if (result.done === 0 || result.left === 0) return;
  }
}
