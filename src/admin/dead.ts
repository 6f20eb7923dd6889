import * as v from "valibot";
import { createNamedRedrive } from "./dead-redrive.ts";
import { deadLetterPage } from "./dead-page.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonReply } from "./reply.ts";
import { maskId } from "../secrets/mask-id.ts";
import { quote } from "../secrets/masked-start.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { parseJsonBody, readJsonText } from "./request.ts";
import { validate } from "./validate.ts";
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
      query: { limit: limitParameter(50), cursor: cursorParameter },
      async handle(request, { query }) {
        const queue = queueParameter(deps, request);
        requireOpenDriver(deps);
        return deadLetterPage(deps, queue, formatOf(queue), query);
      },
    }),
    route({
      method: "POST",
      path: "/v1/queues/:queue/dead/redrive",
      access: "operate",
      async handle(request) {
        const queue = queueParameter(deps, request);
        const text = await readJsonText(request, deps.live.config.server.max_body_bytes);
        const { ids, max = 1 } = validate(redriveBody, parseJsonBody(text), "invalid_body");
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
