import { Buffer } from "node:buffer";
import * as v from "valibot";
import type { DeadLetter } from "../queue/driver.ts";
import { readJsonText } from "./body.ts";
import type { AdminDeps } from "./deps.ts";
import { isoTime, jsonResponse } from "./json.ts";
import { parseJsonBody } from "./json-body.ts";
import { maskId } from "./mask-id.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, type Route } from "./route.ts";
import { validate } from "./validate.ts";

const pageQuery = v.object({
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,6}$/, "expected an integer from 1 to 1000"),
      v.transform(Number),
      v.minValue(1, "expected an integer from 1 to 1000"),
      v.maxValue(1000, "expected an integer from 1 to 1000"),
    ),
    "50",
  ),
  cursor: v.optional(v.pipe(v.string(), v.maxLength(1024, "expected a cursor of a previous page"))),
});

const deadLetterId = v.pipe(
  v.string("expected the id of a dead letter"),
  v.minLength(1, "expected the id of a dead letter"),
  v.maxLength(256, "expected the id of a dead letter"),
);

const redriveBody = v.union(
  [
    v.strictObject({
      ids: v.pipe(v.array(deadLetterId), v.minLength(1), v.maxLength(1000)),
    }),
    v.strictObject({ max: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
  ],
  'expected {"ids": [1 to 1000 ids of dead letters]} or {"max": an integer of at least 1}',
);

/** Listing, redriving and removing dead letters. */
export function deadLetterRoutes(deps: AdminDeps): Route[] {
  const { driver } = deps;
  return [
    {
      method: "GET",
      path: "/v1/queues/:queue/dead",
      access: "operator",
      async handle(c) {
        const queue = queueParameter(deps, c);
        const query = validate(pageQuery, c.req.query(), "bad_query");
        requireOpenDriver(deps);
        const cursor = query.cursor === undefined || query.cursor === "" ? null : query.cursor;
        const page = await driver.deadLetters(queue, { limit: query.limit, cursor });
        return jsonResponse({
          items: page.items.map((item) => describe(deps.mask, item)),
          cursor: page.cursor,
          complete: page.complete,
        });
      },
    },
    {
      method: "POST",
      path: "/v1/queues/:queue/dead/redrive",
      access: "operator",
      async handle(c) {
        const queue = queueParameter(deps, c);
        const text = await readJsonText(c, deps.config.server.max_body_bytes);
        const which = validate(redriveBody, parseJsonBody(text), "invalid_body");
        requireOpenDriver(deps);
        const redriven = await driver.redrive(queue, which);
        deps.log.info("dead letters redriven", { queue, redriven });
        return jsonResponse({ redriven });
      },
    },
    {
      method: "DELETE",
      path: "/v1/queues/:queue/dead/:id",
      access: "token",
      async handle(c) {
        const queue = queueParameter(deps, c);
        const id = pathParameter(c, "id");
        requireOpenDriver(deps);
        if (!(await driver.removeDead(queue, id))) {
          throw new RequestError(
            "unknown_dead_letter",
            `no dead letter ${JSON.stringify(deps.mask(id.slice(0, 200)))} in ${queue}`,
          );
        }
        deps.log.warn("dead letter removed for good", { queue, dead_letter: id });
        return new Response(null, { status: 204 });
      },
    },
  ];
}

function describe(mask: (text: string) => string, item: DeadLetter): Record<string, unknown> {
  return {
    id: maskId(mask, item.id),
    reason: item.reason,
    detail: item.detail === null ? null : mask(item.detail),
    attempts: item.attempts,
    failed_at: isoTime(item.failedAt),
    endpoint: item.endpoint,
    job: {
      id: maskId(mask, item.jobId),
      enqueued_at: isoTime(item.enqueuedAt),
      ...bodyMembers(mask, item.body),
    },
  };
}

/** The body as its exact text; in base64 where it is no text. Masked either way. */
function bodyMembers(mask: (text: string) => string, body: DeadLetter["body"]): Record<string, string> {
  if (typeof body === "string") return { body: mask(body) };
  // latin1 has one character per byte, so that an ASCII secret in the bytes is found and the rest survives.
  const latin1 = Buffer.from(body).toString("latin1");
  return { body_base64: Buffer.from(mask(latin1), "latin1").toString("base64") };
}
