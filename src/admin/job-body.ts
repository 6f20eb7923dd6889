import * as v from "valibot";
import { dateTimePattern } from "../jobs/generic.ts";
import { count, text } from "./answer-kinds.ts";

/**
 * What POST /v1/queues/{queue}/jobs and /v1/apps/{app}/events take and answer, for the API document.
 *
 * The bodies are read by jobs/intake.ts and jobs/events.ts, which keep each byte of them; a test holds those readers
 * against these schemas.
 */

const name = (description: string) => v.pipe(v.string(), v.minLength(1), v.description(description));

const eventBody = v.pipe(
  v.looseObject({
    name: name("Its type, as in `event_types` of webhooks."),
    channel: v.optional(v.nullable(v.pipe(v.string(), v.description("What a webhook's `filter` looks at.")))),
  }),
  v.description("An event. Further members are the producer's own; all of it arrives byte for byte."),
);

const payload = v.pipe(
  v.looseObject({
    time_ms: v.pipe(v.number(), v.description("Epoch milliseconds.")),
    events: v.array(eventBody),
  }),
  v.description("Delivered as it stands, where no filter leaves events out."),
);

/** A name or an id; a producer that counts may send numbers. */
const nameOrNumber = (description: string) =>
  v.pipe(v.union([v.pipe(v.string(), v.minLength(1)), v.number()]), v.description(description));

/** Null and an empty text say nothing. */
const perhaps = (description: string) =>
  v.nullable(v.pipe(v.union([v.string(), v.number()]), v.description(description)));
const ids = {
  id: v.optional(perhaps("Id of the job: the same job again is a duplicate.")),
  job_id: v.optional(perhaps("Another name of `id`.")),
};

/** What may stand beside a job of any form. */
const options = {
  delay_ms: v.optional(
    v.nullable(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.description("How long it is kept before its first attempt."),
      ),
    ),
  ),
  group: v.optional(v.nullable(name("SQS FIFO: message group."))),
  deduplication_id: v.optional(v.nullable(name("SQS FIFO: deduplication id."))),
};

const appId = "Id of the app.";
const appKey = "Key of the app; its id counts before it.";

const sockudoJob = v.pipe(
  v.union([
    v.looseObject({
      app_id: nameOrNumber(appId),
      app_key: v.optional(perhaps(appKey)),
      payload,
      ...ids,
      ...options,
    }),
    v.looseObject({
      app_id: v.optional(perhaps(appId)),
      app_key: nameOrNumber(appKey),
      payload,
      ...ids,
      ...options,
    }),
  ]),
  v.description("Sockudo's form."),
);

const signature = v.pipe(
  v.string(),
  v.description("Hex HMAC-SHA256 of the payload's bytes with a secret of the app."),
);

const soketiEntries = { originalPusherSignature: signature, payload, ...ids, ...options };

const soketiJob = v.pipe(
  v.union([
    v.looseObject({ appId: nameOrNumber(appId), appKey: v.optional(perhaps(appKey)), ...soketiEntries }),
    v.looseObject({ appId: v.optional(perhaps(appId)), appKey: nameOrNumber(appKey), ...soketiEntries }),
  ]),
  v.description("Soketi's form."),
);

const genericEntries = {
  type: v.pipe(v.string(), v.minLength(1), v.maxLength(256), v.description("As `invoice.paid`.")),
  data: v.pipe(v.unknown(), v.description("Any JSON; arrives byte for byte.")),
  timestamp: v.optional(
    v.pipe(
      v.string(),
      v.regex(dateTimePattern),
      v.description("ISO 8601; the time of arrival, where it is left out."),
    ),
  ),
  ...ids,
  ...options,
};

const genericJob = v.pipe(
  v.union([
    v.strictObject({ endpoint: name("Name of an endpoint of `endpoints`."), ...genericEntries }),
    v.strictObject({
      app_id: name("Id of an app, whose webhooks for this type get it."),
      ...genericEntries,
    }),
  ]),
  v.description("The generic form, delivered as `{type, timestamp, data}`."),
);

const job = v.union([sockudoJob, soketiJob, genericJob]);

export const jobsBody = v.pipe(
  v.union([job, v.pipe(v.array(job), v.minLength(1))]),
  v.description("One job or an array of jobs. On a raw queue: any JSON, or an array of any JSON."),
);

export const eventsBody = v.strictObject({ events: v.pipe(v.array(eventBody), v.minLength(1)) });

/** Members of the answer to jobs. */
const results = () => ({
  jobs: v.pipe(
    v.array(
      v.object({
        id: v.nullable(text("Id of the job; null where none could be read.")),
        status: v.picklist(["enqueued", "duplicate", "discarded", "failed"]),
        error: v.optional(v.object({ code: v.string(), detail: v.string() })),
      }),
    ),
    v.description("One for each job, in order."),
  ),
});

const interest = () => ({
  events: v.array(
    v.object({ name: v.string(), webhooks: count("How many webhooks want it; 0 is often a misspelt name.") }),
  ),
});

const accepted = () => ({ accepted: count("Jobs that the backend has."), ...results() });

const discarded = () => ({
  accepted: v.literal(0),
  discarded: count("Jobs that nobody will deliver."),
  reason: v.literal("queue driver is none"),
  ...results(),
});

export const jobsAccepted = () => v.object(accepted());
export const jobsDiscarded = () => v.object(discarded());
export const eventsAccepted = () => v.object({ ...accepted(), ...interest() });
export const eventsDiscarded = () => v.object({ ...discarded(), ...interest() });
