import type * as v from "valibot";
import type { Config } from "../config/schema.ts";
import type { Live } from "../delivery/live.ts";
import { compileRawRoutes } from "../delivery/raw-routes.ts";
import { route as routeJob, type RawRoutes } from "../delivery/router.ts";
import { readJobs, type Intake, type IntakeItem, type Obstacle } from "../jobs/intake.ts";
import type { DecodedJob } from "../jobs/job.ts";
import { readTraceparent } from "../jobs/traceparent.ts";
import { createMemo } from "../memo.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, type RouteDescription } from "./description.ts";
import { jobsAccepted, jobsBody, jobsDiscarded } from "./job-body.ts";
import {
  answerFor,
  intakeCodes,
  countRejected,
  requireIntake,
  writeJobs,
  type Verdict,
  lookForStored,
  requiredRevision,
} from "./enqueue.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { queueParameter } from "./queues.ts";
import { invalidJson, readJsonText } from "./request.ts";
import { mayNameApp } from "./reach.ts";
import { RequestError } from "./request-error.ts";
import { route, type Route } from "./route.ts";
import type { Caller } from "./tokens.ts";

/** No job of any known form is shorter; bounds what one request can make the answer grow to. */
const shortestJobBytes = 32;

/**
 * POST /v1/queues/{queue}/jobs: one job or an array of them, in any form of contract §3.
 *
 * Bad ones are named and the good ones accepted. Nothing is answered before the driver has confirmed.
 */
export function jobRoutes(deps: AdminDeps): Route[] {
  const { driver, live, clock } = deps;
  const readingsOf = createMemo(({ queue: { consume, queues } }: Config) => {
    const isConsumed = consume && driver.capabilities.discards !== true;
    return new Map(
      queues.map((queue) => {
        const rawRoutes = queue.format === "raw" ? compileRawRoutes(queue) : null;
        const findObstacle = isConsumed ? obstacleFinder(live, rawRoutes) : undefined;
        return [queue.name, { format: rawRoutes === null ? "auto" : "raw", findObstacle }] as const;
      }),
    );
  });
  return [
    route({
      method: "POST",
      path: "/v1/queues/:queue/jobs",
      access: "enqueue",
      reach: { apps: "own" },
      body: jobsBody,
      about: aboutJobs,
      async handle(request) {
        const queue = queueParameter(deps, request);
        requireIntake(deps);
        const key = idempotencyKey(request.headers);
        const traceparent = readTraceparent(request.headers.get("traceparent"));
        const { max_body_bytes: maxBodyBytes } = live.config.server;
        const maxJobs = Math.ceil(maxBodyBytes / shortestJobBytes);
        const text = await readJsonText(request, maxBodyBytes);
        const read = (): Intake =>
          readJobs(text, {
            queue,
            format: "auto",
            ...readingsOf(live.config).get(queue),
            apps: live.directory,
            apiRevision: requiredRevision(deps),
            traceparent,
            capabilities: driver.capabilities,
            // What is discarded is never there twice.
            idempotencyKey: driver.capabilities.discards === true ? null : key,
            now: clock.now(),
          });
        let intake = read();
        if (intake.ok && intake.items.some(isUnknown)) {
          await lookForStored(deps);
          intake = read();
        }
        if (!intake.ok) {
          if (intake.code === "malformed") throw invalidJson(text);
          throw new RequestError(intake.code, intake.message);
        }
        if (intake.items.length === 0)
          throw new RequestError("invalid_body", "an empty array: send at least one job");
        if (intake.items.length > maxJobs) {
          throw new RequestError(
            "too_many_jobs",
            `${intake.items.length} jobs: send at most ${maxJobs} per request`,
          );
        }
        const items = intake.items.map((item) => withinReach(item, request.caller));
        return answerFor(deps, await enqueueItems(deps, queue, items));
      },
    }),
  ];
}

const aboutJobs = (): RouteDescription<v.InferInput<typeof jobsBody>> => ({
  id: "enqueueJobs",
  summary: "Put jobs on a queue",
  details:
    "Answered when the backend has them. Of an array the good ones are taken and the bad ones named; where all are bad, the answer is the error of the first.",
  headers: {
    "idempotency-key": "Makes the same request again harmless: 1 to 255 visible ASCII characters.",
    traceparent: "The trace that the jobs belong to (W3C), for those without a key of this name.",
  },
  answers: {
    200: answer("The driver is `none`: they were counted and discarded.", jobsDiscarded(), {
      accepted: 0,
      discarded: 1,
      reason: "queue driver is none",
      jobs: [{ id: "order-17", status: "discarded" }],
    }),
    202: answer("The backend has all of them, or some.", jobsAccepted(), {
      accepted: 1,
      jobs: [{ id: "order-17", status: "enqueued" }],
    }),
  },
  errors: [
    "unknown_queue",
    "invalid_idempotency_key",
    "idempotency_conflict",
    "too_many_jobs",
    "malformed",
    "unknown_app",
    "bad_signature",
    "format_not_accepted",
    "no_route",
    "not_wanted",
    "unsupported_by_driver",
    ["unknown_endpoint", 422],
    ...intakeCodes,
  ],
  example: {
    path: { queue: "webhooks" },
    headers: { "idempotency-key": "order-17" },
    body: { type: "invoice.paid", data: { invoice: 17 }, endpoint: "billing", id: "order-17" },
  },
});

/** Refused for what another process may have stored a moment ago. */
function isUnknown(item: IntakeItem): boolean {
  return !item.ok && (item.code === "unknown_app" || item.code === "unknown_endpoint");
}

/** The error of a refused job. Equal ones are one object: an error costs more than the job it is about. */
function createRefusals(): (item: Extract<IntakeItem, { ok: false }>) => RequestError {
  const known = new Map<string, RequestError>();
  return ({ code, message }) => {
    const key = `${code} ${message}`;
    // An endpoint that a job names is part of the job: its absence is 422, where a path to it would be 404.
    const status = code === "unknown_endpoint" ? 422 : null;
    const refusal = known.get(key) ?? new RequestError(code, message, {}, status);
    known.set(key, refusal);
    return refusal;
  };
}

/** The item, refused where the caller may not name its app; a job of no app goes to a named endpoint. */
function withinReach(item: IntakeItem, caller: Caller): IntakeItem {
  if (!item.ok || caller.apps === null) return item;
  const app = item.job.routing?.appId || "-";
  if (mayNameApp(caller, app)) return item;
  const whose = app === "-" ? "jobs for named endpoints" : "jobs of this app";
  return { ok: false, id: item.job.id, code: "forbidden", message: `the token may not send ${whose}` };
}

/** What a sender is told. The router's own words are for an operator who looks at a dead letter. */
const obstacles: Readonly<Record<Obstacle["code"], string>> = {
  unknown_endpoint:
    "endpoint: the job cannot go to it from this queue; GET /v1/endpoints lists those that are configured",
  no_route: "no route of this queue takes the message, and the queue has no endpoint for what none takes",
  not_wanted: "endpoint: its event_types and filter take none of the job's events",
};

/** Asks the routing that the worker will ask: a job that it gives up is better refused while its sender listens. */
function obstacleFinder(live: Live, rawRoutes: RawRoutes | null) {
  return (job: DecodedJob): Obstacle | null => {
    const routing = routeJob(job, live.directory, rawRoutes);
    if (routing.kind !== "dead") return null;
    // Who sends a job knows nothing of what hookline has bound.
    const reason = routing.reason === "endpoint_removed" ? "unknown_endpoint" : routing.reason;
    return reason === "unknown_endpoint" || reason === "no_route" || reason === "not_wanted"
      ? { code: reason, message: obstacles[reason] }
      : null;
  };
}

/** Writes the good ones in one call; one verdict per item, in order. */
async function enqueueItems(
  deps: AdminDeps,
  queue: string,
  items: readonly IntakeItem[],
): Promise<Verdict[]> {
  const jobs = items.flatMap((item) => (item.ok ? [item.job] : []));
  const results = (await writeJobs(deps, queue, jobs)).values();
  const refusalOf = createRefusals();
  return items.map((item): Verdict => {
    if (!item.ok) {
      countRejected(deps, queue, item.code);
      return { status: "refused", id: item.id, error: refusalOf(item) };
    }
    const result = results.next();
    if (!result.done) return result.value;
    // Short of a result nothing is known of the job, and nothing may be promised.
    return { status: "failed", id: item.job.id, error: new Error("the driver gave too few results") };
  });
}
