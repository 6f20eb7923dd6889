import * as v from "valibot";
import { labelOf } from "../history/filter.ts";
import { noteDryRun } from "./audit.ts";
import { requireOperate } from "./auth.ts";
import { formatOf } from "./dead.ts";
import { createDeadBulk, type BulkPlan } from "./dead-bulk.ts";
import { appOfLabel, chooseDeadLetters, deadBodyFilterSchemas, type GivenDeadFilter } from "./dead-filter.ts";
import { findTarget } from "./dead-target.ts";
import type { AdminDeps } from "./deps.ts";
import type { Operations } from "./operations/registry.ts";
import { operationAnswers, startedReply } from "./operations/view.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import type { Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { route, type AdminRequest, type Route } from "./route.ts";

const deadLetterId = v.pipe(
  v.string("expected the id of a dead letter"),
  v.minLength(1, "expected the id of a dead letter"),
  v.maxLength(256, "expected the id of a dead letter"),
);
const flag = v.optional(v.boolean("expected true or false"), false);
const expectedCount = "expected an integer of at least 1";

/** Which dead letters, and how fast. */
const selectionSchemas = {
  ids: v.optional(
    v.pipe(
      v.array(deadLetterId, "expected an array of ids"),
      v.minLength(1, "expected at least one id"),
      v.maxLength(1000, "expected at most 1000 ids"),
      v.description("Of dead letters, or of jobs: then all dead deliveries of the job."),
    ),
  ),
  filter: v.optional(
    v.pipe(
      v.strictObject(deadBodyFilterSchemas, "expected an object of filters"),
      v.description("As the filters of the list. All must fit; an empty one is refused."),
    ),
  ),
  all: v.pipe(flag, v.description("In place of a filter: every dead letter of the queue.")),
  max: v.optional(
    v.pipe(
      v.number(expectedCount),
      v.integer(expectedCount),
      v.minValue(1, expectedCount),
      v.description("At most so many, the oldest."),
    ),
  ),
  dry_run: v.pipe(flag, v.description("Only count them.")),
  per_second: v.optional(
    v.pipe(
      v.number("expected a number above 0"),
      v.gtValue(0, "expected a number above 0"),
      v.finite("expected a number above 0"),
      v.description("At most so many in a second."),
    ),
  ),
} as const;

const removeBody = v.strictObject(
  selectionSchemas,
  'expected {"filter": {…}}, {"ids": […]} or {"all": true}',
);

const redriveBody = v.strictObject(
  {
    ...selectionSchemas,
    to: v.optional(
      v.pipe(
        v.string("expected the label of an endpoint"),
        v.minLength(1, "expected the label of an endpoint"),
        v.maxLength(512, "expected the label of an endpoint"),
        v.description(
          "Another endpoint: `app/name` of the letters' app, or `-/name` of a named one. Its filters are not asked.",
        ),
      ),
    ),
  },
  'expected {"filter": {…}}, {"ids": […]}, {"all": true} or {"max": an integer of at least 1}',
);

type Given = v.InferOutput<typeof redriveBody>;

/** POST /v1/queues/{queue}/dead/redrive and /remove. */
export function deadChangeRoutes(deps: AdminDeps, operations: Operations): Route[] {
  const run = createDeadBulk(deps);

  const start = async (verb: BulkPlan["verb"], request: AdminRequest, given: Given): Promise<Reply> => {
    const queue = queueParameter(deps, request);
    const { caller } = request;
    if (given.dry_run) noteDryRun(request);
    else requireOperate(caller);
    requireSelection(verb, given);
    requireOpenDriver(deps);
    const format = formatOf(deps, queue);
    const { ids = null, filter = {}, max = Infinity, to } = given;
    const isEverything = caller.apps === null && isEmpty(filter);
    if (verb === "remove" && isEverything && ids === null && !deps.driver.capabilities.listsDeadLetters) {
      throw new RequestError(
        "unsupported_by_driver",
        `the driver ${deps.driver.name} sees a sample of its dead letters only: give a filter or ids, or empty the queue with hookline sqs purge`,
      );
    }
    const choice = chooseDeadLetters(filter, { deps, caller, format });
    if (to !== undefined) requireSameApp(filter, to);
    const target = to === undefined ? null : findTarget(deps, to, { caller, queue, format });
    const plan: BulkPlan = {
      verb,
      queue,
      format,
      ids,
      choice,
      isEverything,
      target,
      max,
      isDry: given.dry_run,
    };
    const started = await operations.start({
      kind: verb,
      queue,
      isDry: given.dry_run,
      caller,
      body: given,
      perSecond: given.per_second,
      work: (work) => run(plan, work),
    });
    return startedReply(deps, started);
  };

  const errors = [
    "unknown_queue",
    "empty_filter",
    "driver_unavailable",
    "queue_full",
    "storage_full",
    "draining",
    "list_first",
    "too_many_operations",
    "unsupported_by_driver",
  ] as const;
  const oneShape =
    "A small request is answered when it has ended (200), a large one after a moment (202); the answer is the operation either way, and GET /v1/operations/{id} has its progress. The same request while it runs is the same operation; after the process died half way, the same request does the rest.";

  return [
    route({
      method: "POST",
      path: "/v1/queues/:queue/dead/redrive",
      access: "operate",
      dryRun: true,
      reach: { apps: "own" },
      body: redriveBody,
      about: () => ({
        id: "redriveDeadLetters",
        summary: "Make dead letters ready again",
        details: `By \`filter\`, \`ids\`, \`all\` or \`max\`. Attempts are counted from 1 again; what dies again meanwhile is left alone. With \`to\` they go to another endpoint, under its own \`webhook-id\`. ${oneShape} On SQS a filter is asked of a sample (\`complete: false\`).`,
        answers: operationAnswers(),
        errors: [
          ...errors,
          "other_app",
          ["unknown_endpoint", 422],
          "endpoint_disabled",
          "token_not_configured",
        ],
        example: {
          path: { queue: "webhooks" },
          body: { filter: { endpoint: "shop/orders", since: "-1h" }, dry_run: true },
        },
      }),
      async handle(request, { body }) {
        return start("redrive", request, await body());
      },
    }),
    route({
      method: "POST",
      path: "/v1/queues/:queue/dead/remove",
      access: "token",
      dryRun: true,
      reach: { apps: "own" },
      body: removeBody,
      about: () => ({
        id: "removeDeadLetters",
        summary: "Remove dead letters for good",
        details: `By \`filter\`, \`ids\` or \`all\`. ${oneShape} On SQS a filter is asked of a sample, and \`all\` is 422.`,
        answers: operationAnswers({ kind: "remove", removed: 20, redriven: undefined }),
        errors,
        example: { path: { queue: "webhooks" }, body: { filter: { reason: "malformed" }, dry_run: true } },
      }),
      async handle(request, { body }) {
        return start("remove", request, await body());
      },
    }),
  ];
}

/** @throws RequestError `empty_filter`, or `invalid_body` for two ways at once. */
function requireSelection(verb: BulkPlan["verb"], { ids, filter, all, max }: Given): void {
  if ([ids !== undefined, filter !== undefined, all].filter(Boolean).length > 1) {
    throw new RequestError("invalid_body", "expected one of ids, filter and all");
  }
  if (ids !== undefined && max !== undefined) {
    throw new RequestError("invalid_body", "expected max beside filter or all, not beside ids");
  }
  if (ids !== undefined || all) return;
  if (filter !== undefined && !isEmpty(filter)) return;
  if (verb === "redrive" && filter === undefined && max !== undefined) return;
  throw new RequestError("empty_filter", "filter: empty; give one, or all: true for every dead letter");
}

function isEmpty(filter: GivenDeadFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

/** @throws RequestError `other_app` where the filter names another app than the target. */
function requireSameApp(filter: GivenDeadFilter, to: string): void {
  const label = labelOf(filter);
  const app = filter.app ?? (label === undefined ? undefined : appOfLabel(label));
  const target = to.includes("/") ? appOfLabel(to) : "-";
  if (app === undefined || target === "-" || app === target) return;
  throw new RequestError(
    "other_app",
    "to: it belongs to another app than the dead letters of this filter: name an endpoint of their app, or a named one (-/NAME)",
  );
}
