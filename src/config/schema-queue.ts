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
import { setting } from "./setting.ts";
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
        "jobs: the forms of contract §3. raw: any body, delivered verbatim to an endpoint.",
      ),
    ),
    url: setting(
      v.nullable(
        v.pipe(
          checkedText("a queue's URL or ARN", queueAddressProblem, "URL or ARN of this queue (sqs)."),
          v.metadata(secretAddress),
        ),
      ),
      { default: null },
    ),
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
  concurrency: setting(
    integer(
      { min: 1 },
      "Attempts in flight for the whole group, plus one for each endpoint that has none in flight.",
    ),
    { default: 5 },
  ),
  strategy: setting(
    choice(
      ["weighted", "strict"],
      "weighted: round robin by weight. strict: the first queue that has a job.",
    ),
    { default: "weighted" },
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
            weight: setting(integer({ min: 1, max: 1000 }, "Turns in a round."), { default: 1 }),
          }),
        ]),
        v.description("A queue of queue.queues: its name, or {name, weight}."),
      ),
    ),
    v.minLength(1, "at least one queue"),
  ),
  empty_pause_ms: setting(milliseconds(0, "An empty queue is not asked again for so long."), { default: 0 }),
});

/** `queue`: where jobs wait, and how many are in flight. */
export const queueSchema = v.strictObject({
  driver: setting(
    choice(["memory", "file", "redis", "redis-cluster", "sqs", "none"], "The backend that holds the jobs."),
    { env: ["QUEUE_DRIVER", "SOKETI_QUEUE_DRIVER"], default: "memory" },
  ),
  queues: setting(
    v.pipe(
      v.array(v.union([plainQueue, queueObject]), "an array of queue names"),
      v.minLength(1, "at least one queue"),
      v.description("Queues that are consumed: names, or objects for raw queues."),
    ),
    { env: "QUEUE_NAMES", default: ["webhooks"] },
  ),
  consume: setting(flag("false: accept and enqueue only."), { env: "QUEUE_CONSUME", default: true }),
  groups: setting(v.array(groupSchema, "an array of groups"), { default: [] }),
  memory: setting(
    v.strictObject({
      capacity: setting(
        integer({ min: 1 }, "Ready, delayed and parked jobs per queue, retries and children counted."),
        { env: "QUEUE_MEMORY_CAPACITY", default: 100_000 },
      ),
      when_full: setting(
        choice(
          ["evict_oldest", "reject"],
          "evict_oldest: the oldest job of the endpoint that holds most goes, counted and logged. reject: 503 queue_full.",
        ),
        { default: "evict_oldest" },
      ),
      concurrency: setting(
        integer(
          { min: 1 },
          "Attempts in flight per queue, plus one for each endpoint that has none in flight.",
        ),
        { env: "QUEUE_MEMORY_CONCURRENCY", default: 5 },
      ),
    }),
    { default: {} },
  ),
  file: setting(fileSchema, { default: {} }),
  redis: setting(redisSchema, { default: {} }),
  redis_cluster: setting(redisClusterSchema, { default: {} }),
  sqs: setting(sqsSchema, { default: {} }),
  reliability: setting(
    v.strictObject({
      lease_duration_ms: setting(
        milliseconds(100, "A leased job is hidden for so long; renewed every third of it."),
        { env: "QUEUE_LEASE_DURATION_MS", default: 30_000 },
      ),
      shutdown_timeout_ms: setting(milliseconds(0, "Longest wait for attempts in flight at shutdown."), {
        env: "QUEUE_SHUTDOWN_TIMEOUT_MS",
        default: 8000,
      }),
      failed_retention: setting(
        v.nullable(
          integer(
            { min: 0 },
            "Dead letters kept per queue; null = as many as there is room for (memory: 100,000 and 64 MiB).",
          ),
        ),
        { env: "QUEUE_FAILED_RETENTION", default: null },
      ),
      failed_retention_ms: setting(
        longMilliseconds(1, "How long a dead letter is kept. What retention removes is logged and counted."),
        { default: 2_592_000_000 },
      ),
      deduplication_ttl_ms: setting(milliseconds(1, "How long an enqueued id is remembered."), {
        env: "QUEUE_DEDUPLICATION_TTL_MS",
        default: 300_000,
      }),
      unknown_grace_ms: setting(
        milliseconds(
          0,
          "sqs: a job that this process cannot route goes back for so long before it is dead: another may know better.",
        ),
        { default: 900_000 },
      ),
    }),
    { default: {} },
  ),
});

/** A consumed queue; a plain name comes out as one with format "jobs". */
export type QueueConfig = v.InferOutput<typeof queueObject>;
export type RouteConfig = v.InferOutput<typeof routeSchema>;
export type GroupConfig = v.InferOutput<typeof groupSchema>;
