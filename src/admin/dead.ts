import * as v from "valibot";
import { count, pageOf, text } from "./answer-kinds.ts";
import { chooseDeadLetters, deadFilterSchemas } from "./dead-filter.ts";
import { deadSummaryRoute } from "./dead-summary.ts";
import { createNamedRedrive } from "./dead-redrive.ts";
import { deadLetterPage } from "./dead-page.ts";
import { deadLetterAnswer, deadLetterExample } from "./dead-view.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, emptyAnswer } from "./description.ts";
import { jsonReply } from "./reply.ts";
import { maskId } from "../secrets/mask-id.ts";
import { quote } from "../secrets/masked-start.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";

const deadLetterId = v.pipe(
  v.string("expected the id of a dead letter"),
  v.minLength(1, "expected the id of a dead letter"),
  v.maxLength(256, "expected the id of a dead letter"),
);

const redriveShape = 'expected {"ids": [1 to 1000 ids]} or {"max": an integer of at least 1}';

const redriveBody = v.pipe(
  v.strictObject(
    {
      ids: v.optional(
        v.pipe(
          v.array(deadLetterId, "expected an array of ids"),
          v.minLength(1, "expected at least one id"),
          v.maxLength(1000, "expected at most 1000 ids"),
        ),
      ),
      max: v.optional(
        v.pipe(
          v.number("expected an integer of at least 1"),
          v.integer("expected an integer of at least 1"),
          v.minValue(1, "expected an integer of at least 1"),
        ),
      ),
    },
    redriveShape,
  ),
  v.check(({ ids, max }) => (ids === undefined) !== (max === undefined), redriveShape),
);

/** Listing, redriving and removing dead letters. */
export function deadLetterRoutes(deps: AdminDeps): Route[] {
  const { driver, metrics } = deps;
  const redriveNamed = createNamedRedrive(deps);
  const formatOf = (queue: string): "raw" | "auto" => {
    const settings = deps.live.config.queue.queues.find(({ name }) => name === queue);
    return settings?.format === "raw" ? "raw" : "auto";
  };
  return [
    route({
      method: "GET",
      path: "/v1/queues/:queue/dead",
      access: "read",
      reach: { apps: "own" },
      query: { ...deadFilterSchemas, limit: limitParameter(50), cursor: cursorParameter },
      about: () => ({
        id: "listDeadLetters",
        summary: "List a queue's dead letters",
        details:
          "The newest first where the backend keeps an order. With a filter a page may have fewer entries than `limit`, or none, and a `cursor`: the rest is looked through from there. On SQS it is a sample: `cursor` is null and `complete` false.",
        answers: {
          200: answer("A page.", pageOf("items", deadLetterAnswer()), {
            items: [deadLetterExample],
            cursor: null,
            complete: true,
          }),
        },
        errors: ["unknown_queue", "driver_unavailable"],
        example: { path: { queue: "webhooks" }, query: { endpoint: "shop/orders", limit: "10" } },
      }),
      async handle(request, { query: { limit, cursor, ...filter } }) {
        const queue = queueParameter(deps, request);
        requireOpenDriver(deps);
        const format = formatOf(queue);
        const choice = chooseDeadLetters(filter, { deps, caller: request.caller, format });
        return deadLetterPage(deps, queue, format, choice, { limit, cursor });
      },
    }),
    deadSummaryRoute(deps),
    route({
      method: "POST",
      path: "/v1/queues/:queue/dead/redrive",
      access: "operate",
      body: redriveBody,
      about: () => ({
        id: "redriveDeadLetters",
        summary: "Make dead letters ready again",
        details:
          "By `ids`, of dead letters or of jobs (then all dead deliveries of the job), or the oldest `max`. Attempts are counted from 1 again.",
        answers: {
          200: answer(
            "How many were made ready.",
            v.object({
              redriven: count("Dead letters that are ready now."),
              not_found: v.optional(v.array(text("An id under which there was none."))),
            }),
            { redriven: 1 },
          ),
        },
        errors: ["unknown_queue", "driver_unavailable", "list_first"],
        example: { path: { queue: "webhooks" }, body: { ids: ["order-17"] } },
      }),
      async handle(request, { body }) {
        const queue = queueParameter(deps, request);
        const { ids, max = 1 } = await body();
        requireOpenDriver(deps);
        if (ids !== undefined) {
          const { redriven, notFound } = await redriveNamed(queue, ids);
          deps.log.info("dead letters redriven", { queue, redriven, not_found: notFound.length });
          const masked = notFound.map((id) => maskId(deps.mask, id));
          return jsonReply({ redriven, ...(masked.length === 0 ? {} : { not_found: masked }) });
        }
        const redriven = await driver.redrive(queue, { max });
        metrics.redriven.labels({ queue }).inc(redriven);
        deps.log.info("dead letters redriven", { queue, redriven });
        return jsonReply({ redriven });
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/queues/:queue/dead/:id",
      access: "token",
      about: () => ({
        id: "removeDeadLetter",
        summary: "Remove a dead letter for good",
        parameters: { id: "Id of the dead letter, which for a job of several endpoints is not the job's." },
        answers: { 204: emptyAnswer("It is gone.") },
        errors: ["unknown_queue", "unknown_dead_letter", "driver_unavailable", "list_first"],
        example: { path: { queue: "webhooks", id: "order-17_0f3a9c21" } },
      }),
      async handle(request) {
        const queue = queueParameter(deps, request);
        const id = pathParameter(request, "id");
        requireOpenDriver(deps);
        if (!(await driver.removeDead(queue, id))) {
          throw new RequestError(
            "unknown_dead_letter",
            `no dead letter ${quote(deps.mask, id, 200)} in ${queue}: take the id of an entry of GET /v1/queues/${queue}/dead, which for a job of several endpoints is not the job's`,
          );
        }
        metrics.removed.labels({ queue }).inc();
        deps.log.warn("dead letter removed for good", { queue, dead_letter: id });
        return { status: 204, headers: {}, body: null };
      },
    }),
  ];
}
