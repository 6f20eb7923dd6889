import { pageOf } from "./answer-kinds.ts";
import { chooseDeadLetters, deadFilterSchemas } from "./dead-filter.ts";
import { deadSummaryRoute } from "./dead-summary.ts";
import { createNamedLetters } from "./dead-named.ts";
import { deadLetterPage } from "./dead-page.ts";
import { deadLetterAnswer, deadLetterExample } from "./dead-view.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, emptyAnswer } from "./description.ts";
import { quote } from "../secrets/masked-start.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";

/** Listing and counting dead letters, and removing one. */
export function deadLetterRoutes(deps: AdminDeps): Route[] {
  const { driver, metrics } = deps;
  const findNamed = createNamedLetters(deps);
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
        const format = formatOf(deps, queue);
        const choice = chooseDeadLetters(filter, { deps, caller: request.caller, format });
        return deadLetterPage(deps, queue, format, choice, { limit, cursor });
      },
    }),
    deadSummaryRoute(deps),
    route({
      method: "DELETE",
      path: "/v1/queues/:queue/dead/:id",
      access: "token",
      reach: { apps: "own" },
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
        const { caller } = request;
        requireOpenDriver(deps);
        const isOwn = async (): Promise<boolean> => {
          const format = formatOf(deps, queue);
          const choice = chooseDeadLetters({}, { deps, caller, format });
          const { letters } = await findNamed(queue, [id], format);
          return letters.some((letter) => letter.id === id && choice.includes(letter));
        };
        const isReached = caller.apps === null || (await isOwn());
        if (!isReached || !(await driver.removeDead(queue, id))) {
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

/** How the jobs of a queue are to be read. */
export function formatOf({ live }: Pick<AdminDeps, "live">, queue: string): "raw" | "auto" {
  const settings = live.config.queue.queues.find(({ name }) => name === queue);
  return settings?.format === "raw" ? "raw" : "auto";
}
