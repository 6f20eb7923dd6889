import * as v from "valibot";
import { ofEachQueue } from "../queue/sections.ts";
import { choice, receiverName, text, textLike } from "./kinds.ts";
import { setting } from "./setting.ts";

/** Names that are safe in a Redis key, an SQS name with `-dead.fifo` after it (80 characters) and a URL path. */
export const queueName = textLike(
  /^[A-Za-z0-9_-]{1,70}$/,
  "a queue name of 1 to 70 letters, digits, _ and -",
  "Name of a queue.",
);

const matchSchema = v.strictObject({
  attribute: setting(text("Name of a message attribute, as in shoryuken_class.")),
  body: setting(text("Dotted path into a JSON body, as in job_class.")),
  equals: setting(v.pipe(v.string("a string"), v.description("The value it must have."))),
  prefix: setting(text("What its value must begin with.")),
});

const routeSchema = v.strictObject({
  match: matchSchema,
  endpoint: receiverName("Name of one of `endpoints`."),
});

const queueObject = v.pipe(
  v.strictObject({
    name: queueName,
    format: setting(
      choice(
        ["jobs", "raw"],
        "jobs: the forms of a job that docs/api.md has. raw: any body, delivered verbatim to an endpoint.",
      ),
    ),
    ...ofEachQueue,
    endpoint: setting(v.nullable(receiverName("Raw: the one of `endpoints` that gets every message.")), {
      default: null,
    }),
    routes: setting(v.array(routeSchema, "an array of routes"), { default: [] }),
  }),
  v.transform(({ format, ...rest }) => ({
    ...rest,
    format: format ?? (rest.endpoint !== null || rest.routes.length > 0 ? "raw" : "jobs"),
  })),
);

const plainQueue = v.pipe(
  queueName,
  v.transform((name) => v.parse(queueObject, { name })),
);

/** `queue.queues`. */
export const queuesSchema = v.pipe(
  v.array(v.union([plainQueue, queueObject]), "an array of queue names"),
  v.minLength(1, "at least one queue"),
  v.description("Queues that are consumed: names, or objects for raw queues."),
);

/** A consumed queue; a plain name comes out as one with format "jobs". */
export type QueueConfig = v.InferOutput<typeof queueObject>;
export type RouteConfig = v.InferOutput<typeof routeSchema>;
