import * as v from "valibot";
import type { DeadCount } from "../queue/driver.ts";
import { labelOf } from "../history/filter.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { count, countIfTold, text } from "./answer-kinds.ts";
import { appOfLabel, deadFilterSchemas } from "./dead-filter.ts";
import { outOfReach } from "./delivery-filter.ts";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { limitParameter } from "./query.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { mayNameApp } from "./reach.ts";
import { jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { route, type Route } from "./route.ts";

const { app, endpoint, reason } = deadFilterSchemas;

/** GET /v1/queues/{queue}/dead/summary: how many dead letters there are by endpoint and reason, as the driver counts them. */
export function deadSummaryRoute(deps: AdminDeps): Route {
  const { driver, mask } = deps;
  return route({
    method: "GET",
    path: "/v1/queues/:queue/dead/summary",
    access: "read",
    reach: { apps: "own" },
    query: { app, endpoint, reason, limit: limitParameter(1000) },
    about: () => ({
      id: "summarizeDeadLetters",
      summary: "Count a queue's dead letters by endpoint and reason",
      details:
        "Counted as they come and go, so that it costs the same beside a million of them. On SQS nobody counts them: 422.",
      answers: {
        200: answer("The groups with most letters, and sums over all groups that fit.", summaryAnswer(), {
          queue: "webhooks",
          count: 412,
          bytes: 301_877,
          complete: true,
          groups: [{ endpoint: "shop/orders", app: "shop", reason: "attempts_exhausted", count: 412 }],
          more_groups: 0,
        }),
      },
      errors: ["unknown_queue", "driver_unavailable", "unsupported_by_driver"],
      example: { path: { queue: "webhooks" } },
    }),
    async handle(request, { query }) {
      const { caller } = request;
      const queue = queueParameter(deps, request);
      if (query.app !== undefined && !mayNameApp(caller, query.app)) throw outOfReach("app");
      requireOpenDriver(deps);
      const counts = (await driver.deadCounts?.(queue)) ?? null;
      if (counts === null) {
        throw new RequestError(
          "unsupported_by_driver",
          `the driver ${driver.name} does not count its dead letters by endpoint and reason: GET /v1/queues/${queue}/dead shows a sample`,
        );
      }
      const label = labelOf(query);
      const fits = (group: DeadCount): boolean => {
        const owner = group.endpoint === null ? null : appOfLabel(group.endpoint);
        if (query.app !== undefined && owner !== query.app) return false;
        if (label !== undefined && group.endpoint !== label) return false;
        if (query.reason !== undefined && group.reason !== query.reason) return false;
        return caller.apps === null || (owner !== null && mayNameApp(caller, owner));
      };
      const groups = counts.groups.filter(fits).toSorted((one, other) => other.count - one.count);
      const isWhole = caller.apps === null && label === undefined && !(query.app ?? query.reason);
      return jsonReply({
        queue,
        count: groups.reduce((sum, group) => sum + group.count, 0),
        bytes: isWhole ? counts.bytes : null,
        complete: counts.complete,
        groups: groups.slice(0, query.limit).map((group) => ({
          endpoint: group.endpoint === null ? null : maskedStart(mask, group.endpoint, 300),
          app: group.endpoint === null ? null : maskedStart(mask, appOfLabel(group.endpoint), 300),
          reason: maskedStart(mask, group.reason, 200),
          count: group.count,
        })),
        more_groups: Math.max(0, groups.length - query.limit),
      });
    },
  });
}

const summaryAnswer = () =>
  v.object({
    queue: text("The queue."),
    count: count("Dead letters in all groups that fit."),
    bytes: countIfTold("What the queue's dead letters take; null where not all of them are asked for."),
    complete: v.pipe(
      v.boolean(),
      v.description("False until letters of an older version have been counted."),
    ),
    groups: v.array(
      v.object({
        endpoint: v.nullable(text("Label of the endpoint; null for jobs that have none.")),
        app: v.nullable(text("Id of its app; `-` for a named endpoint.")),
        reason: text("Why they were given up."),
        count: count("Dead letters of this endpoint and reason."),
      }),
    ),
    more_groups: count("Groups that `limit` left out."),
  });
