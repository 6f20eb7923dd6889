import * as v from "valibot";
import { count, countIfTold, text, time } from "../answer-kinds.ts";
import type { AdminDeps } from "../deps.ts";
import { answer, type Answer } from "../description.ts";
import { problemReply } from "../problem.ts";
import { isoTime, jsonReply, type Reply } from "../reply.ts";
import { operationKinds, operationStates, type Operation, type OperationKind } from "./operation.ts";
import type { StartedOperation } from "./registry.ts";

/** How each kind calls what it has done, beside `done`. */
const doneNames = {
  redrive: "redriven",
  remove: "removed",
  resend: "resent",
  reencrypt: "reencrypted",
} as const satisfies Readonly<Record<OperationKind, string>>;

/** Ids that an answer names at most. */
const mostNamed = 1000;

const byWhy = (description: string) =>
  v.pipe(v.record(v.string(), count("How many.")), v.description(description));

/** An operation in an answer. */
export const operationAnswer = () =>
  v.object({
    id: text("Names it under /v1/operations."),
    kind: v.picklist(operationKinds),
    state: v.pipe(
      v.picklist(operationStates),
      v.description(
        "Everything but `running` is an end. After `stopped` and `failed` the same request does the rest.",
      ),
    ),
    queue: v.nullable(text("The queue; null where it is about none, or several.")),
    dry_run: v.pipe(v.boolean(), v.description("It only counts what would be done.")),
    token: v.nullable(text("Name of the token that asked for it.")),
    request: v.pipe(v.unknown(), v.description("The body that asked for it.")),
    started_at: time("When it began."),
    ended_at: time("When it ended; null while it runs."),
    total: countIfTold("How many there are to look at, as of its beginning."),
    looked: count("How many it has looked at."),
    matched: count("How many of those are meant."),
    done: count("How many of those it has been done to."),
    skipped: byWhy("Meant and left out, by why."),
    failed: byWhy("Meant and refused by the backend, by why."),
    not_found: v.optional(v.array(text("An id under which there was nothing."))),
    complete: v.pipe(
      v.boolean(),
      v.description("False where the backend shows a sample only (SQS): there may be more that is meant."),
    ),
    error: v.nullable(v.object({ code: text("As in problems."), detail: v.string() })),
    ...Object.fromEntries(
      Object.values(doneNames).map((name) => [name, v.optional(count("The same as `done`."))]),
    ),
    left: v.optional(count("reencrypt: records that are still under a previous key.")),
    resendable: v.optional(count("resend: how many can be sent again.")),
    jobs: v.optional(v.array(v.object({ resend_of: text("The delivery."), job_id: text("The new job.") }))),
    note: v.optional(v.string()),
  });

export const operationExample = {
  id: "4f1c0a9be27d3356",
  kind: "redrive",
  state: "done",
  queue: "webhooks",
  dry_run: false,
  token: "ops",
  request: { filter: { endpoint: "shop/orders", since: "-1h" } },
  started_at: "2026-12-01T12:00:00.000Z",
  ended_at: "2026-12-01T12:00:00.412Z",
  total: 5020,
  looked: 5020,
  matched: 20,
  done: 20,
  skipped: {},
  failed: {},
  complete: true,
  error: null,
  redriven: 20,
} as const;

/** The answers of a route that starts an operation, for its description. */
export function operationAnswers(example: Readonly<Record<string, unknown>> = {}): Record<number, Answer> {
  const whole = { ...operationExample, ...example };
  return {
    200: answer("It has ended: see `state`.", operationAnswer(), whole as never),
    202: answer(
      "It goes on: ask GET /v1/operations/{id} until `state` is another than `running`.",
      operationAnswer(),
      {
        ...whole,
        state: "running",
        ended_at: null,
      } as never,
    ),
  };
}

/** An operation as the API shows it, masked. */
export function describeOperation({ mask }: Pick<AdminDeps, "mask">, operation: Operation): unknown {
  const { kind, progress } = operation;
  return {
    id: operation.id,
    kind,
    state: operation.state,
    queue: operation.queue,
    dry_run: operation.isDry,
    token: operation.caller.name,
    request: shownRequest(mask, operation.request),
    started_at: isoTime(operation.startedAt),
    ended_at: operation.endedAt === null ? null : isoTime(operation.endedAt),
    total: progress.total,
    looked: progress.looked,
    matched: progress.matched,
    done: progress.done,
    skipped: progress.skipped,
    failed: progress.failed,
    ...(progress.notFound.length === 0 ? {} : { not_found: progress.notFound.slice(0, mostNamed) }),
    complete: progress.complete,
    error: operation.error,
    [doneNames[kind]]: progress.done,
    ...progress.extra,
  };
}

/** Ids of a request that are shown. */
const mostIds = 20;

function shownRequest(mask: (text: string) => string, request: unknown): unknown {
  return JSON.parse(JSON.stringify(request ?? {}), (name: string, value: unknown) => {
    if (name === "ids" && Array.isArray(value)) return value.slice(0, mostIds);
    return typeof value === "string" ? mask(value) : value;
  });
}

/** The answer to a request that started an operation, or asked for one that runs. */
export function startedReply(
  deps: Pick<AdminDeps, "log" | "mask">,
  { operation, refusal }: StartedOperation,
): Reply {
  if (refusal !== null) return problemReply(deps, refusal);
  return jsonReply(describeOperation(deps, operation), operation.state === "running" ? 202 : 200);
}
