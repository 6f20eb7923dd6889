import * as v from "valibot";
import {
  checkedText,
  choice,
  flag,
  integer,
  longMilliseconds,
  milliseconds,
  receiverName,
  secretAddress,
  text,
  textLike,
} from "./kinds.ts";
import { fileSchema } from "./schema-file.ts";
import { redisClusterSchema, redisSchema } from "./schema-redis.ts";
import { sqsSchema } from "./schema-sqs.ts";
import { queueAddressProblem } from "./urls.ts";

/** Names that are safe in a Redis key, an SQS name with `-dead.fifo` after it (80 characters) and a URL path. */
const queueName = textLike(
  /^[A-Za-z0-9_-]{1,70}$/,
  "a queue name of 1 to 70 letters, digits, _ and -",
  "Name of a queue.",
);

const matchSchema = v.strictObject({
  attribute: v.optional(text("Name of a message attribute, as in shoryuken_class.")),
  body: v.optional(text("Dotted path into a JSON body, as in job_class.")),
  equals: v.optional(v.pipe(v.string("a string"), v.description("The value it must have."))),
  prefix: v.optional(text("What its value must begin with.")),
});

const routeSchema = v.strictObject({
  match: matchSchema,
  endpoint: receiverName("Name of one of `endpoints`."),
});

const queueObject = v.pipe(
  v.strictObject({
    name: queueName,
    format: v.optional(
      choice(
        ["jobs", "raw"],
        "jobs: the forms of contract §3. raw: any body, delivered verbatim to an endpoint.",
      ),
    ),
    url: v.optional(
      v.nullable(
        v.pipe(
          checkedText("a queue's URL or ARN", queueAddressProblem, "URL or ARN of this queue (sqs)."),
          v.metadata(secretAddress),
        ),
      ),
      null,
    ),
    endpoint: v.optional(
      v.nullable(receiverName("Raw: the one of `endpoints` that gets every message.")),
      null,
    ),
    routes: v.optional(v.array(routeSchema, "an array of routes"), []),
  }),
  v.transform(({ format, ...rest }) => ({
    ...rest,
    format: format ?? (rest.endpoint !== null || rest.routes.length > 0 ? "raw" : "jobs"),
  })),
);

const plainQueue = v.pipe(
  queueName,
  v.transform((name) => ({
    name,
    format: "jobs" as const,
    url: null as string | null,
    endpoint: null as string | null,
    routes: [] as v.InferOutput<typeof routeSchema>[],
  })),
);

const groupSchema = v.strictObject({
  name: textLike(/^[A-Za-z0-9_-]{1,70}$/, "a name of 1 to 70 letters, digits, _ and -", "Name of the group."),
  concurrency: v.optional(
    integer(
      { min: 1 },
      "Attempts in flight for the whole group, plus one for each endpoint that has none in flight.",
    ),
    5,
  ),
  strategy: v.optional(
    choice(
      ["weighted", "strict"],
      "weighted: round robin by weight. strict: the first queue that has a job.",
    ),
    "weighted",
  ),
  queues: v.pipe(
    v.array(
      v.pipe(
        v.union([
          v.pipe(
            queueName,
            v.transform((name) => ({ name, weight: 1 })),
          ),
          v.strictObject({
            name: queueName,
            weight: v.optional(integer({ min: 1, max: 1000 }, "Turns in a round."), 1),
          }),
        ]),
        v.description("A queue of queue.queues: its name, or {name, weight}."),
      ),
    ),
    v.minLength(1, "at least one queue"),
  ),
  empty_pause_ms: v.optional(milliseconds(0, "An empty queue is not asked again for so long."), 0),
});

/** `queue`: where jobs wait, and how many are in flight. */
export const queueSchema = v.strictObject({
  driver: v.optional(
    choice(["memory", "file", "redis", "redis-cluster", "sqs", "none"], "The backend that holds the jobs."),
    "memory",
  ),
  queues: v.optional(
    v.pipe(
      v.array(v.union([plainQueue, queueObject]), "an array of queue names"),
      v.minLength(1, "at least one queue"),
      v.description("Queues that are consumed: names, or objects for raw queues."),
    ),
    ["webhooks"],
  ),
  consume: v.optional(flag("false: accept and enqueue only."), true),
  groups: v.optional(v.array(groupSchema, "an array of groups"), []),
  memory: v.optional(
    v.strictObject({
      capacity: v.optional(
        integer({ min: 1 }, "Ready, delayed and parked jobs per queue, retries and children counted."),
        100_000,
      ),
      when_full: v.optional(
        choice(
          ["evict_oldest", "reject"],
          "evict_oldest: the oldest job of the endpoint that holds most goes, counted and logged. reject: 503 queue_full.",
        ),
        "evict_oldest",
      ),
      concurrency: v.optional(
        integer(
          { min: 1 },
          "Attempts in flight per queue, plus one for each endpoint that has none in flight.",
        ),
        5,
      ),
    }),
    {},
  ),
  file: v.optional(fileSchema, {}),
  redis: v.optional(redisSchema, {}),
  redis_cluster: v.optional(redisClusterSchema, {}),
  sqs: v.optional(sqsSchema, {}),
  reliability: v.optional(
    v.strictObject({
      lease_duration_ms: v.optional(
        milliseconds(100, "A leased job is hidden for so long; renewed every third of it."),
        30_000,
      ),
      shutdown_timeout_ms: v.optional(
        milliseconds(0, "Longest wait for attempts in flight at shutdown."),
        8000,
      ),
      failed_retention: v.optional(
        v.nullable(
          integer(
            { min: 0 },
            "Dead letters kept per queue; null = as many as there is room for (memory: 100,000 and 64 MiB).",
          ),
        ),
        null,
      ),
      failed_retention_ms: v.optional(
        longMilliseconds(1, "How long a dead letter is kept. What retention removes is logged and counted."),
        2_592_000_000,
      ),
      deduplication_ttl_ms: v.optional(milliseconds(1, "How long an enqueued id is remembered."), 300_000),
      unknown_grace_ms: v.optional(
        milliseconds(
          0,
          "sqs: a job that this process cannot route goes back for so long before it is dead: another may know better.",
        ),
        900_000,
      ),
    }),
    {},
  ),
});

/** A consumed queue; a plain name comes out as one with format "jobs". */
export type QueueConfig = v.InferOutput<typeof queueObject>;
export type RouteConfig = v.InferOutput<typeof routeSchema>;
export type GroupConfig = v.InferOutput<typeof groupSchema>;
