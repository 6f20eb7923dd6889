import * as v from "valibot";
import { UnsupportedByDriverError } from "../errors.ts";
import { createPacer } from "../pacer.ts";
import { listedStates, type JobLists } from "../queue/job-lists.ts";
import { pageOf } from "./answer-kinds.ts";
import { describedTime, nameOf, outOfReach, timeOf } from "./delivery-filter.ts";
import type { AdminDeps } from "./deps.ts";
import { answer } from "./description.ts";
import { describeJob, idsOf, jobAnswer, jobExample } from "./job-view.ts";
import { createJobMatcher, knowJob, maySeeJob } from "./known-job.ts";
import { createPageText } from "./page.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { queueParameter, requireOpenDriver } from "./queues.ts";
import { createRawRoutes } from "./raw-queues.ts";
import { mayNameApp } from "./reach.ts";
import { route, type Route } from "./route.ts";

/** Most bytes of bodies that are read for one page; they are cut to be shown. */
const readBytes = 16_000_000;

const expectedState = `expected one of ${listedStates.join(", ")}`;

/** GET /v1/queues/{queue}/jobs: what waits, in order. */
export function waitingJobRoutes(deps: AdminDeps): Route[] {
  const { clock, live } = deps;
  const rawRoutesOf = createRawRoutes(live);
  return [
    route({
      method: "GET",
      path: "/v1/queues/:queue/jobs",
      access: "read",
      reach: { apps: "own" },
      query: {
        state: v.optional(v.picklist(listedStates, expectedState), "ready"),
        app: nameOf("Id of the app; `-` for the named endpoints."),
        endpoint: nameOf(
          "Label of the endpoint (`app/name`), or beside `app` its name; `-/name` of a named one.",
        ),
        event: nameOf("Name of an event in it."),
        job_id: nameOf("Id of the job or of its delivery."),
        since: v.optional(describedTime("Enqueued at or after")),
        until: v.optional(describedTime("Enqueued at or before")),
        limit: limitParameter(50),
        cursor: cursorParameter,
      },
      about: () => ({
        id: "listJobs",
        summary: "List the jobs of a queue that wait",
        details:
          "Those that are ready in the order in which they will be leased, delayed ones by the time at which they are due, leased ones by the end of their lease, parked ones by endpoint. With filters a page may hold less than `limit`, or nothing, and lead on: one request looks at 5000 jobs at most. A job that nobody has routed yet fits the endpoints that it would go to.",
        answers: {
          200: answer("A page.", pageOf("items", jobAnswer()), {
            items: [jobExample],
            cursor: null,
            complete: true,
          }),
        },
        errors: ["unknown_queue", "driver_unavailable", "unsupported_by_driver"],
        example: { path: { queue: "webhooks" }, query: { state: "ready", limit: "10" } },
      }),
      async handle(request, { query }) {
        const queue = queueParameter(deps, request);
        const { caller } = request;
        const { state, limit, cursor, since, until, ...names } = query;
        if (names.app !== undefined && !mayNameApp(caller, names.app)) throw outOfReach("app");
        const lists = requireJobLists(deps);
        const rawRoutes = rawRoutesOf(queue);
        const { directory } = live;
        const now = clock.now();
        const filter = { ...names, since: timeOf(since, now), until: timeOf(until, now) };
        const matches = createJobMatcher(filter, directory, rawRoutes);
        const pace = createPacer();
        const text = createPageText();
        const page = await lists.page(queue, {
          state,
          limit,
          cursor,
          maxBytes: readBytes,
          async judge(job) {
            await pace();
            const known = knowJob(job.body, directory, rawRoutes);
            if (
              !maySeeJob(caller, known) ||
              !matches({ ids: idsOf(job, known), enqueuedAt: job.enqueuedAt }, known)
            ) {
              return "pass";
            }
            return text.tryAdd(describeJob(deps, job, known)) ? "take" : "full";
          },
        });
        return text.reply("items", { cursor: page.cursor, complete: page.cursor === null });
      },
    }),
  ];
}

/**
 * The backend's lists of jobs.
 *
 * @throws UnsupportedByDriverError where it has none.
 */
export function requireJobLists(deps: AdminDeps): JobLists {
  requireOpenDriver(deps);
  const { jobs, name } = deps.driver;
  if (jobs !== undefined) return jobs;
  throw new UnsupportedByDriverError(
    name === "sqs"
      ? "SQS hands messages out and lists none: GET /v1/jobs/{id} tells what the history of this process knows"
      : `the driver ${name} keeps no jobs that could be listed`,
  );
}
