import * as v from "valibot";
import type { HistoryEntry } from "../history/entry.ts";
import { deliveryId, safeJobId } from "../jobs/id.ts";
import { createMemo } from "../memo.ts";
import { createPacer } from "../pacer.ts";
import type { DeadLetter } from "../queue/driver.ts";
import { listedStates } from "../queue/job-lists.ts";
import { maskId } from "../secrets/mask-id.ts";
import { maskedStart } from "../secrets/masked-start.ts";
import { count, text, time } from "./answer-kinds.ts";
import { nameHashes } from "./dead-named.ts";
import { maySee, nameOf, outOfReach } from "./delivery-filter.ts";
import { deliveryAnswer, deliveryExample, describeDelivery } from "./delivery-view.ts";
import type { AdminDeps } from "./deps.ts";
import { answer } from "./description.ts";
import { describeJob, describeKept, idsOf, jobExample, jobMembers } from "./job-view.ts";
import { knowJob, maySeeJob, type KnownJob } from "./known-job.ts";
import { requireOpenDriver, requireQueue } from "./queues.ts";
import { createRawRoutes } from "./raw-queues.ts";
import { mayNameQueue } from "./reach.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";
import { listedBodyBytes } from "./shown-body.ts";
import type { Caller } from "./tokens.ts";

/** Most jobs and most deliveries of the history in one answer, which so stays below 4 MB. */
const mostShown = { jobs: 50, deliveries: 25 } as const;
/** Deliveries of a job to so many endpoints are looked for among the dead letters. */
const mostHashes = 5_000;
/** Entries of the history that are passed over without a look at the time. */
const passedAtATime = 256;

const states = [...listedStates, "dead", "delivered", "cancelled", "unknown"] as const;

const storyAnswer = () =>
  v.object({
    id: text("As it was asked for."),
    queue: v.nullable(v.string()),
    state: v.pipe(
      v.picklist(states),
      v.description("Of the first of `jobs`; where the backend has none, what the history says."),
    ),
    endpoint: v.nullable(text("Label of the endpoint that it is bound to.")),
    attempts: v.nullable(count("Attempts made so far; null where nobody knows.")),
    due_at: time("When it is due; null where it does not wait for a time."),
    complete: v.pipe(
      v.boolean(),
      v.description(
        "False: more waits than is looked through for an id, so that it may be there all the same.",
      ),
    ),
    jobs: v.pipe(
      v.array(
        v.object({
          queue: v.string(),
          state: v.picklist([...listedStates, "dead"]),
          ref: v.optional(text("For `run` and `cancel`; absent for a dead letter.")),
          reason: v.optional(text("Why it is dead.")),
          detail: v.optional(v.nullable(v.string())),
          failed_at: v.optional(time("When it was given up.")),
          ...jobMembers(),
        }),
      ),
      v.description(
        "All that the backend has under the id: a job, its deliveries that are jobs of their own, doubles.",
      ),
    ),
    deliveries: v.pipe(
      v.array(deliveryAnswer()),
      v.description("What the history of this process knows of it, newest first."),
    ),
  });

/** A job of the answer: what orders them, and what is shown. */
interface Shown {
  readonly rank: number;
  readonly queue: string;
  readonly state: (typeof states)[number];
  readonly attempts: number;
  readonly described: Record<string, unknown>;
}

/** Being delivered comes before what waits, and that before what is over. */
const ranks = { leased: 0, ready: 1, delayed: 2, parked: 3, dead: 4 } as const;

/** GET /v1/jobs/{id}: where a job is. */
export function jobStoryRoutes(deps: AdminDeps): Route[] {
  const { driver, history, live, mask } = deps;
  const rawRoutesOf = createRawRoutes(live);
  const hashesOf = createMemo(nameHashes);

  const read = (queue: string, body: DeadLetter["body"]): KnownJob =>
    knowJob(body, live.directory, rawRoutesOf(queue));

  const describeDead = (letter: DeadLetter, known: KnownJob): Record<string, unknown> => ({
    reason: maskedStart(mask, letter.reason, 200),
    detail: letter.detail === null ? null : maskedStart(mask, letter.detail, 500),
    failed_at: isoTime(letter.failedAt),
    ...describeKept(deps, { ...letter, id: letter.jobId }, known),
  });

  /** What one queue has under the ids that fit `isMeant`. */
  const lookIn = async (
    queue: string,
    ids: readonly string[],
    deadIds: readonly string[],
    isMeant: (own: ReadonlySet<string>, known: KnownJob) => boolean,
  ): Promise<{ shown: Shown[]; complete: boolean }> => {
    const found = await driver.jobs?.find(queue, ids);
    const dead = (await driver.findDead?.(queue, deadIds)) ?? [];
    const pace = createPacer();
    const shown: Shown[] = [];
    for (const job of found?.jobs ?? []) {
      await pace();
      const known = read(queue, job.body);
      if (!isMeant(idsOf(job, known), known)) continue;
      const { state, attempts } = job;
      const described = { queue, ...describeJob(deps, job, known) };
      shown.push({ rank: ranks[state], queue, state, attempts, described });
    }
    for (const letter of dead) {
      await pace();
      const known = read(queue, letter.body);
      if (!isMeant(idsOf({ id: letter.jobId }, known), known)) continue;
      const described = { queue, state: "dead", ...describeDead(letter, known) };
      shown.push({ rank: ranks.dead, queue, state: "dead", attempts: letter.attempts, described });
    }
    return { shown, complete: (found?.complete ?? false) && driver.findDead !== undefined };
  };

  const deliveriesOf = async (
    caller: Caller,
    queue: string | undefined,
    ids: ReadonlySet<string>,
  ): Promise<HistoryEntry[]> => {
    const entries: HistoryEntry[] = [];
    const pace = createPacer();
    let passed = 0;
    const filter = { ids: [...ids] };
    for await (const entry of live.config.history.enabled ? history.list({ filter }) : []) {
      passed += 1;
      if (passed % passedAtATime === 0) await pace();
      if (!ids.has(entry.jobId) && !ids.has(entry.webhookId)) continue;
      if ((queue !== undefined && entry.queue !== queue) || !maySee(caller, entry)) continue;
      if (entries.push(entry) === mostShown.deliveries) break;
    }
    return entries;
  };

  return [
    route({
      method: "GET",
      path: "/v1/jobs/:id",
      access: "read",
      reach: { apps: "own", queues: "own" },
      query: { queue: nameOf("Look in this queue only.") },
      about: () => ({
        id: "getJob",
        summary: "Say where a job is",
        details:
          "From the backend and the history of this process. By the id of a job, or of one of its deliveries (`webhook-id`). 404 only after a complete look; a job that was delivered by another process, or too long ago, is not there either.",
        parameters: { id: "Id of a job or of a delivery." },
        answers: {
          200: answer("Where it is.", storyAnswer(), {
            id: "order-17",
            queue: "webhooks",
            state: "delayed",
            endpoint: "shop/orders",
            attempts: 2,
            due_at: "2026-12-01T12:03:00.000Z",
            complete: true,
            jobs: [{ queue: "webhooks", ...jobExample }],
            deliveries: [{ ...deliveryExample, state: "retrying", dead_reason: null }],
          }),
        },
        errors: ["unknown_job", "unknown_queue", "driver_unavailable"],
        example: { path: { id: "order-17" } },
      }),
      async handle(request, { query }) {
        const { caller } = request;
        const given = pathParameter(request, "id").slice(0, 1024);
        if (query.queue !== undefined) requireQueue(deps, query.queue);
        if (query.queue !== undefined && !mayNameQueue(caller, query.queue)) throw outOfReach("queue");
        requireOpenDriver(deps);
        const queues = query.queue === undefined ? deps.queues : [query.queue];
        const asked = new Set([given, safeJobId(given)]);
        // A delivery's id, of which the job may not have been split yet.
        const parent = /^(.+)_[0-9a-f]{8}$/.exec(given)?.[1];
        const hashes = hashesOf(live.directory);
        const ids = [...asked, ...(parent === undefined ? [] : [parent])];
        const deliveries = hashes.slice(0, mostHashes).map((hash) => deliveryId(safeJobId(given), hash));
        const isMeant = (own: ReadonlySet<string>, known: KnownJob): boolean => {
          if (!maySeeJob(caller, known)) return false;
          for (const one of own) if (asked.has(one) || asked.has(one.slice(0, -9))) return true;
          const isBound = known.decoded.kind !== "malformed" && known.decoded.deliveryId !== null;
          return parent !== undefined && !isBound && own.has(parent);
        };
        const looks = [];
        for (const queue of queues.filter((name) => mayNameQueue(caller, name))) {
          looks.push(await lookIn(queue, ids, [...ids, ...deliveries], isMeant));
        }
        const shown = looks.flatMap((look) => look.shown).sort((a, b) => a.rank - b.rank);
        const complete = looks.every((look) => look.complete) && hashes.length <= mostHashes;
        const entries = await deliveriesOf(caller, query.queue, asked);
        if (shown.length === 0 && entries.length === 0 && complete) throw unknownJob();
        const [first] = shown;
        const [newest] = entries;
        return jsonReply({
          id: maskId(mask, given).slice(0, 256),
          queue: first?.queue ?? newest?.queue ?? null,
          state: first?.state ?? stateOf(newest, complete),
          endpoint: first?.described["endpoint"] ?? (newest?.label || null),
          attempts: first?.attempts ?? newest?.attempts.at(-1)?.attempt ?? null,
          due_at: first?.described["due_at"] ?? null,
          complete,
          jobs: shown.slice(0, mostShown.jobs).map(({ described }) => described),
          deliveries: entries.map((entry) => describeDelivery(deps, entry, listedBodyBytes)),
        });
      },
    }),
  ];
}

/** What the history says of a job that the backend does not have, or that was not found there. */
function stateOf(newest: HistoryEntry | undefined, isComplete: boolean): (typeof states)[number] {
  if (newest?.state === "delivered" || newest?.state === "cancelled") return newest.state;
  // Removed, or redriven and done elsewhere, where the look was complete.
  return newest?.state === "dead" && !isComplete ? "dead" : "unknown";
}

function unknownJob(): RequestError {
  return new RequestError(
    "unknown_job",
    "no job of this id waits, is leased or dead, and the history of this process has no delivery of it: it was delivered by another process or too long ago, or never taken in",
  );
}
