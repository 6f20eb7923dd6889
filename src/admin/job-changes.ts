import * as v from "valibot";
import { DriverUnavailableError } from "../errors.ts";
import { safeJobId } from "../jobs/id.ts";
import type { ListedJob, RefOutcome } from "../queue/job-lists.ts";
import { createPacer } from "../pacer.ts";
import { maskId } from "../secrets/mask-id.ts";
import { count, text } from "./answer-kinds.ts";
import { noteCancelled } from "./cancelled-jobs.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, type RouteDescription } from "./description.ts";
import { idsOf } from "./job-view.ts";
import { knowJob, maySeeJob } from "./known-job.ts";
import { publicError } from "./problem.ts";
import { queueParameter } from "./queues.ts";
import { createRawRoutes } from "./raw-queues.ts";
import { jsonReply } from "./reply.ts";
import { route, type Route } from "./route.ts";
import type { Caller } from "./tokens.ts";
import { requireJobLists } from "./waiting-jobs.ts";

const shape = 'expected {"refs": [1 to 1000 refs]} or {"ids": [1 to 100 ids]}';

const namesUpTo = (most: number, one: string, longest: number) =>
  v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string(`expected ${one}`),
          v.minLength(1, `expected ${one}`),
          v.maxLength(longest, `expected ${one}`),
        ),
        `expected an array of ${one}s`,
      ),
      v.minLength(1, "expected at least one"),
      v.maxLength(most, `expected at most ${most}`),
    ),
  );

const body = v.pipe(
  v.strictObject({ refs: namesUpTo(1000, "ref", 1024), ids: namesUpTo(100, "id", 1024) }, shape),
  v.check(({ refs, ids }) => (refs === undefined) !== (ids === undefined), shape),
);

const changeAnswer = () =>
  v.object({
    done: count("Jobs that were changed."),
    leased: v.array(text("A ref or id whose job somebody holds; it was left alone.")),
    not_found: v.array(text("A ref or id under which no job waits.")),
    complete: v.optional(
      v.pipe(v.literal(false), v.description("Too much waits to be looked through for the ids: give refs.")),
    ),
    failed: v.optional(
      v.pipe(v.record(v.string(), v.number()), v.description("How many the backend refused, by error code.")),
    ),
  });

const abouts = {
  run: {
    id: "runJobs",
    summary: "Make delayed and parked jobs ready now",
    details:
      "They go ahead of others; one that is ready stays so. An endpoint that is paused, or whose breaker is open, has them put aside again. An id stands for all deliveries of its job.",
  },
  cancel: {
    id: "cancelJobs",
    summary: "Remove waiting jobs for good",
    details:
      "They are not delivered, and stand in the history as `cancelled`, from where they can be resent. One that is leased is being delivered and is left alone. An id stands for all deliveries of its job.",
  },
} as const;

const about = (verb: "run" | "cancel") => (): RouteDescription<v.InferInput<typeof body>> => ({
  ...abouts[verb],
  answers: {
    200: answer("What became of them.", changeAnswer(), { done: 1, leased: [], not_found: [] }),
  },
  errors: ["unknown_queue", "driver_unavailable", "unsupported_by_driver"],
  example: { path: { queue: "webhooks" }, body: { ids: ["order-17"] } },
});

/** Jobs that the driver is given at a time. */
const changedAtATime = 200;

/** What is to be changed: each name that was given, with the refs it stands for. */
type Named = ReadonlyMap<string, readonly string[]>;

/** POST /v1/queues/{queue}/jobs/run and …/cancel. */
export function jobChangeRoutes(deps: AdminDeps): Route[] {
  const { live, log, mask, metrics } = deps;
  const rawRoutesOf = createRawRoutes(live);

  const maySee = (caller: Caller, queue: string, job: ListedJob): boolean =>
    maySeeJob(caller, knowJob(job.body, live.directory, rawRoutesOf(queue)));

  /** The refs that the caller may name: of others' jobs nobody tells it that they are there. */
  const byRefs = async (caller: Caller, queue: string, refs: readonly string[]): Promise<Named> => {
    const all = new Map(refs.map((ref) => [ref, [ref]]));
    if (caller.apps === null) return all;
    const jobs = await requireJobLists(deps).read(queue, refs);
    return new Map(
      refs.map((ref, index) => {
        const job = jobs[index] ?? null;
        return [ref, job !== null && maySee(caller, queue, job) ? [ref] : []];
      }),
    );
  };

  const byIds = async (
    caller: Caller,
    queue: string,
    ids: readonly string[],
  ): Promise<{ named: Named; complete: boolean }> => {
    const found = await requireJobLists(deps).find(queue, [
      ...new Set(ids.flatMap((id) => [id, safeJobId(id)])),
    ]);
    const pace = createPacer();
    const named = new Map<string, string[]>(ids.map((id) => [id, []]));
    for (const job of found.jobs) {
      await pace();
      const known = knowJob(job.body, live.directory, rawRoutesOf(queue));
      if (!maySeeJob(caller, known)) continue;
      const own = idsOf(job, known);
      for (const [id, refs] of named) {
        if (own.has(id) || own.has(safeJobId(id)) || job.id?.slice(0, -9) === safeJobId(id))
          refs.push(job.ref);
      }
    }
    return { named, complete: found.complete };
  };

  const change = (verb: "run" | "cancel"): Route =>
    route({
      method: "POST",
      path: `/v1/queues/:queue/jobs/${verb}`,
      access: "operate",
      reach: { apps: "own" },
      body,
      about: about(verb),
      async handle(request, input) {
        const queue = queueParameter(deps, request);
        const { refs, ids = [] } = await input.body();
        const lists = requireJobLists(deps);
        const { caller } = request;
        const { named, complete } =
          refs === undefined
            ? await byIds(caller, queue, ids)
            : { named: await byRefs(caller, queue, refs), complete: true };
        const asked = [...new Set([...named.values()].flat())];
        const outcomes = new Map<string, Outcome>();
        for (let at = 0; at < asked.length; at += changedAtATime) {
          const some = asked.slice(at, at + changedAtATime);
          const answered = await lists[verb](queue, some).catch((error: unknown) => {
            // What was changed before stays so, and the answer must say how much that is.
            if (at === 0 || !(error instanceof DriverUnavailableError)) throw error;
            return some.map((): RefOutcome => ({ status: "failed", error }));
          });
          for (const [index, outcome] of answered.entries()) {
            outcomes.set(some[index] as string, outcomeOf(outcome));
            if (verb !== "cancel" || outcome.status !== "done") continue;
            metrics.cancelled.labels({ queue }).inc();
            noteCancelled(deps, queue, outcome.job, rawRoutesOf(queue));
          }
        }
        const told = tell(named, outcomes);
        const failed: Record<string, number> = {};
        for (const error of told.errors) {
          const { code } = publicError(deps, error);
          failed[code] = (failed[code] ?? 0) + 1;
        }
        if (told.done === 0 && told.errors[0] !== undefined) throw told.errors[0];
        log.info(verb === "run" ? "jobs made ready by an operator" : "jobs cancelled by an operator", {
          queue,
          token: caller.name,
          done: told.done,
          leased: told.leased.length,
          not_found: told.notFound.length,
        });
        const show = (name: string): string => (refs === undefined ? maskId(mask, name) : name);
        return jsonReply({
          done: told.done,
          leased: told.leased.map(show),
          not_found: told.notFound.map(show),
          ...(complete || told.notFound.length === 0 ? {} : { complete: false }),
          ...(told.errors.length === 0 ? {} : { failed }),
        });
      },
    });

  return [change("run"), change("cancel")];
}

/** What became of one ref, without its job: of many large ones the bytes are not to be held together. */
interface Outcome {
  readonly status: RefOutcome["status"];
  readonly error: Error | null;
}

function outcomeOf(outcome: RefOutcome): Outcome {
  return { status: outcome.status, error: outcome.status === "failed" ? outcome.error : null };
}

/** What became of the names: a name is leased where one of its jobs is, and not found where none of them is there. */
function tell(named: Named, outcomes: ReadonlyMap<string, Outcome>) {
  const leased: string[] = [];
  const notFound: string[] = [];
  for (const [name, refs] of named) {
    const statuses = new Set(refs.map((ref) => outcomes.get(ref)?.status ?? "not_found"));
    if (statuses.has("leased")) leased.push(name);
    else if (!statuses.has("done") && !statuses.has("failed")) notFound.push(name);
  }
  const all = [...outcomes.values()];
  return {
    done: all.filter(({ status }) => status === "done").length,
    leased,
    notFound,
    errors: all.flatMap(({ error }) => (error === null ? [] : [error])),
  };
}
