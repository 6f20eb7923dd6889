import { pageOf } from "../answer-kinds.ts";
import { scope } from "../answer-kinds.ts";
import * as v from "valibot";
import type { AdminDeps } from "../deps.ts";
import { answer } from "../description.ts";
import { pageReply } from "../page.ts";
import { cursorParameter, limitParameter } from "../query.ts";
import { mayNameQueue } from "../reach.ts";
import { jsonReply } from "../reply.ts";
import { RequestError } from "../request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "../route.ts";
import type { Caller } from "../tokens.ts";
import type { Operation } from "./operation.ts";
import type { Operations } from "./registry.ts";
import { describeOperation, operationAnswer, operationExample } from "./view.ts";

const reach = { apps: "own", queues: "own" } as const;
const errors = ["unknown_operation"] as const;
const example = { path: { id: operationExample.id } };

/** GET /v1/operations and /v1/operations/{id}, and DELETE, which stops one. */
export function operationRoutes(deps: AdminDeps, operations: Operations): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/operations",
      access: "read",
      reach,
      query: { limit: limitParameter(50), cursor: cursorParameter },
      about: () => ({
        id: "listOperations",
        summary: "List bulk requests, with how far they are",
        details: "Those that this process runs, and the last 100 that it ran; the newest first.",
        answers: {
          200: answer("A page.", v.object({ ...pageOf("items", operationAnswer()).entries, scope }), {
            items: [operationExample as never],
            cursor: null,
            complete: true,
            scope: "process",
          }),
        },
      }),
      handle({ caller }, { query }) {
        const entries = operations.list().filter((one) => maySee(caller, one));
        const describe = (one: Operation): unknown => describeOperation(deps, one);
        const list = { name: "items", entries, keyOf: ({ id }: Operation) => id, describe };
        return pageReply(list, query, { scope: "process" });
      },
    }),
    route({
      method: "GET",
      path: "/v1/operations/:id",
      access: "read",
      reach,
      about: () => ({
        id: "getOperation",
        summary: "Show how far a bulk request is",
        answers: { 200: answer("The operation.", operationAnswer(), operationExample as never) },
        errors,
        example,
      }),
      handle: (request) => jsonReply(describeOperation(deps, operationParameter(operations, request))),
    }),
    route({
      method: "DELETE",
      path: "/v1/operations/:id",
      access: "token",
      reach,
      about: () => ({
        id: "stopOperation",
        summary: "Stop a bulk request",
        details:
          "After the step that is under way. What was done stays done; one that has ended stays as it ended.",
        answers: { 200: answer("The operation.", operationAnswer(), operationExample as never) },
        errors,
        example,
      }),
      async handle(request) {
        const { id } = operationParameter(operations, request);
        await operations.stop(id);
        return jsonReply(describeOperation(deps, operationParameter(operations, request)));
      },
    }),
  ];
}

/** What a token that is limited to some apps may see of others' operations would tell of other apps. */
function maySee(caller: Caller, { queue, caller: owner }: Operation): boolean {
  if (queue !== null && !mayNameQueue(caller, queue)) return false;
  return (caller.apps === null && (queue !== null || caller.queues === null)) || owner.name === caller.name;
}

function operationParameter(operations: Operations, request: AdminRequest): Operation {
  const operation = operations.find(pathParameter(request, "id"));
  if (operation !== null && maySee(request.caller, operation)) return operation;
  throw new RequestError(
    "unknown_operation",
    "this process has no operation of this id: it keeps those that run and the last 100 that ran, and begins anew with the process",
  );
}
