import * as v from "valibot";
import { outcomeKinds } from "../delivery/outcome.ts";
import { deliveryStates, type HistoryEntry } from "../history/entry.ts";
import type { HistoryFilter } from "../history/filter.ts";
import { mayNameApp, mayNameQueue } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { expectedTime, readTime } from "./time-text.ts";
import type { Caller } from "./tokens.ts";

/** A name that something is filtered by. */
export const nameOf = (description: string) =>
  v.optional(
    v.pipe(
      v.string("expected a text"),
      v.minLength(1, "expected a text that is not empty"),
      v.maxLength(512, "expected at most 512 characters"),
      v.description(description),
    ),
  );
const timeText = v.pipe(
  v.string(`expected ${expectedTime}`),
  v.check((text) => readTime(text, 0) !== null, `expected ${expectedTime}`),
);
/** A time that something is filtered by. */
export const describedTime = (text: string) => v.pipe(timeText, v.description(`${text} ${expectedTime}.`));
const expectedStatus = "expected an HTTP status as 404, or a hundred of them as 4xx";
const statusText = v.pipe(
  v.string(expectedStatus),
  v.regex(/^[1-5](?:\d\d|xx)$/i, expectedStatus),
  v.toLowerCase(),
  v.description("HTTP status of the last attempt as 404, or a hundred of them as 4xx."),
);

/** The filters of deliveries, as query parameters. */
export const deliveryFilterSchemas = {
  queue: nameOf("Name of the queue."),
  app: nameOf("Id of the app; `-` for the named endpoints."),
  endpoint: nameOf("Label of the endpoint (`app/name`), or beside `app` its name; `-/name` of a named one."),
  event: nameOf("Name of an event in it."),
  outcome: v.optional(v.picklist(outcomeKinds, `expected one of ${outcomeKinds.join(", ")}`)),
  status: v.optional(statusText),
  state: v.optional(v.picklist(deliveryStates, `expected one of ${deliveryStates.join(", ")}`)),
  reason: nameOf("Why it was given up, as http_404."),
  job_id: nameOf("Id of the job."),
  since: v.optional(describedTime("Some attempt began, or it was cancelled, at or after")),
  until: v.optional(describedTime("Some attempt began, or it was cancelled, at or before")),
} as const;

/** A number where a program may write one in JSON and the query has a text. */
export const orNumber = <Schema extends v.GenericSchema<string, string>>(schema: Schema) =>
  v.optional(v.pipe(v.union([v.string(), v.pipe(v.number(), v.transform(String))]), schema));

/** The filters as members of a body's `filter`. */
export const bodyFilterSchemas = {
  ...deliveryFilterSchemas,
  status: orNumber(statusText),
  since: orNumber(timeText),
  until: orNumber(timeText),
} as const;

type Given = {
  readonly [Name in keyof typeof deliveryFilterSchemas]?: v.InferOutput<(typeof deliveryFilterSchemas)[Name]>;
};

/**
 * A filter for the deliveries that fit what is given and that the caller may see.
 *
 * @throws RequestError `forbidden` for a queue or an app that the caller may not name.
 */
export function deliveryFilter(given: Given, caller: Caller, now: number): HistoryFilter {
  const { app, queue } = given;
  if (queue !== undefined && !mayNameQueue(caller, queue)) throw outOfReach("queue");
  if (app !== undefined && !mayNameApp(caller, app)) throw outOfReach("app");
  return {
    ...given,
    queues: caller.queues === null ? undefined : [...caller.queues],
    apps: caller.apps === null ? undefined : [...caller.apps],
    since: timeOf(given.since, now),
    until: timeOf(given.until, now),
  };
}

/** Whether the caller may name the queue and the app of a delivery. */
export function maySee(caller: Caller, { appId, queue }: Pick<HistoryEntry, "appId" | "queue">): boolean {
  return mayNameQueue(caller, queue) && mayNameApp(caller, appId ?? "-");
}

/** A filter's time, checked before, in epoch ms. */
export function timeOf(text: string | undefined, now: number): number | undefined {
  return text === undefined ? undefined : (readTime(text, now) ?? undefined);
}

/** The refusal of a filter that names what the caller may not. */
export function outOfReach(what: string): RequestError {
  return new RequestError("forbidden", `${what}: the token may not name this ${what}`);
}
