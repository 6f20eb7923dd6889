import * as v from "valibot";
import { createMatcher, type HistoryFilter } from "../history/filter.ts";
import { createResend, type ResentDelivery } from "../jobs/resend.ts";
import type { NewJob } from "../queue/driver.ts";
import { createPacer } from "../pacer.ts";
import { maskId } from "../secrets/mask-id.ts";
import { noteDryRun } from "./audit.ts";
import { requireOperate } from "./auth.ts";
import { deliveryParameter, requireHistory } from "./deliveries.ts";
import { bodyFilterSchemas, deliveryFilter } from "./delivery-filter.ts";
import type { AdminDeps } from "./deps.ts";
import { requiredRevision, requireIntake, writeJobs } from "./enqueue.ts";
import type { OperationWork } from "./operations/operation.ts";
import type { Operations } from "./operations/registry.ts";
import { startedReply } from "./operations/view.ts";
import { publicError } from "./problem.ts";
import { jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { aboutResend, aboutResendMany, sameIdNote } from "./resend-description.ts";
import { createResendCheck } from "./resend-obstacle.ts";
import { route, type Route } from "./route.ts";

const flag = v.optional(v.boolean("expected true or false"), false);

const oneBody = v.optional(
  v.strictObject({ new_id: flag }, 'expected {"new_id": true or false}, or no body'),
  {},
);

const manyBody = v.strictObject(
  {
    filter: v.optional(v.strictObject(bodyFilterSchemas, "expected an object of filters"), {}),
    all: flag,
    new_id: flag,
    dry_run: flag,
    per_second: v.optional(
      v.pipe(v.number("expected a number above 0"), v.gtValue(0, "expected a number above 0"), v.finite()),
    ),
  },
  'expected {"filter": {…}, "new_id", "dry_run", "per_second"}, or {"all": true} in place of the filter',
);

/** Jobs that are written in one call, and ids of new jobs that an answer names. */
const together = 100;
const mostNamed = 1000;

/** POST /v1/deliveries/{id}/resend, and in bulk /v1/deliveries/resend. */
export function resendRoutes(deps: AdminDeps, operations: Operations): Route[] {
  const { clock, mask } = deps;
  const check = createResendCheck(deps);
  return [
    route({
      method: "POST",
      path: "/v1/deliveries/:id/resend",
      access: "operate",
      reach: { apps: "own", queues: "own" },
      body: oneBody,
      about: aboutResend,
      async handle(request, { body }) {
        const { new_id: isNew } = await body();
        const entry = await deliveryParameter(deps, request);
        requireIntake(deps);
        const found = check(entry);
        if ("obstacle" in found) throw found.obstacle;
        const { job, webhookId } = createResend(found.delivery, {
          isNew,
          delayMs: 0,
          apiRevision: requiredRevision(deps),
        });
        const [verdict] = await writeJobs(deps, entry.queue, [job]);
        if (verdict === undefined) throw new Error("the driver gave no result");
        if (verdict.status === "failed" || verdict.status === "refused") throw verdict.error;
        return jsonReply(
          {
            job_id: job.id,
            status: verdict.status,
            queue: entry.queue,
            endpoint: entry.label,
            webhook_id: maskId(mask, webhookId),
            resend_of: found.delivery.id,
            ...(isNew ? {} : { note: sameIdNote }),
          },
          202,
        );
      },
    }),
    route({
      method: "POST",
      path: "/v1/deliveries/resend",
      access: "operate",
      dryRun: true,
      reach: { apps: "own", queues: "own" },
      body: manyBody,
      about: aboutResendMany,
      async handle(request, { body }) {
        const given = await body();
        const { filter, new_id: isNew, dry_run: isDry, per_second: perSecond } = given;
        if (isDry) noteDryRun(request);
        else requireOperate(request.caller);
        const isEmpty = Object.values(filter).every((value) => value === undefined);
        if (isEmpty !== given.all) {
          throw isEmpty
            ? new RequestError("empty_filter", "filter: empty; give one, or all: true for every delivery")
            : new RequestError("invalid_body", "filter and all: give one of the two");
        }
        requireHistory(deps);
        if (!isDry) requireIntake(deps);
        const wanted = deliveryFilter(filter, request.caller, clock.now());
        const takesAnyState = filter.state !== undefined;
        const started = await operations.start({
          kind: "resend",
          queue: filter.queue ?? null,
          isDry,
          caller: request.caller,
          body: given,
          perSecond,
          async work(work) {
            const chosen = await choose(deps, wanted, check, takesAnyState, work);
            if (isDry) work.progress.extra = { resendable: chosen.length };
            else await sendAgain(deps, chosen, isNew, work);
          },
        });
        return startedReply(deps, started);
      },
    }),
  ];
}

type Chosen = readonly { readonly queue: string; readonly delivery: ResentDelivery }[];

/** Enqueues the jobs that send deliveries again, a batch a step. */
async function sendAgain(
  deps: AdminDeps,
  chosen: Chosen,
  isNew: boolean,
  work: OperationWork,
): Promise<void> {
  const { progress } = work;
  const apiRevision = requiredRevision(deps);
  const jobs: { resend_of: string; job_id: string }[] = [];
  const note = isNew ? {} : { note: sameIdNote };
  progress.extra = { jobs };
  for (const [queue, batch] of batchesOf(chosen, Math.min(together, work.mostAtOnce))) {
    const made = batch.map((delivery) => createResend(delivery, { isNew, delayMs: 0, apiRevision }));
    const write = () =>
      writeJobs(
        deps,
        queue,
        made.map(({ job }) => (deps.driver.capabilities.dedup ? repeatable(job) : job)),
      );
    const verdicts = await work.step(write);
    if (verdicts === null) return;
    for (const [index, verdict] of verdicts.entries()) {
      if (verdict.status === "failed" || verdict.status === "refused") {
        const { code } = publicError(deps, verdict.error);
        progress.failed[code] = (progress.failed[code] ?? 0) + 1;
        continue;
      }
      progress.done += 1;
      if (jobs.length < mostNamed) jobs.push({ resend_of: batch[index]!.id, job_id: made[index]!.job.id });
    }
    if (progress.done > 0) progress.extra = { jobs, ...note };
  }
}

/** A job whose write may be repeated when its answer was lost: it is there once. */
function repeatable(job: NewJob): NewJob {
  return { ...job, dedup: { key: `resend:${job.id}`, fingerprint: job.id } };
}

/**
 * The deliveries that fit, each webhook-id once: a delivery that was sent again stands in the history twice. One that
 * is still to be tried is left out unless its state was asked for, because its job is there already.
 */
async function choose(
  { history }: Pick<AdminDeps, "history">,
  wanted: HistoryFilter,
  check: ReturnType<typeof createResendCheck>,
  takesAnyState: boolean,
  { progress, signal }: Pick<OperationWork, "progress" | "signal">,
): Promise<Chosen> {
  const matches = createMatcher(wanted);
  const { skipped } = progress;
  const deliveries: { queue: string; delivery: ResentDelivery }[] = [];
  const seen = new Set<string>();
  const pace = createPacer();
  const skip = (why: string): void => void (skipped[why] = (skipped[why] ?? 0) + 1);
  for await (const entry of history.list({ filter: wanted })) {
    progress.looked += 1;
    if (progress.looked % together === 0) await pace();
    if (signal.aborted) return [];
    if (!matches(entry)) continue;
    progress.matched += 1;
    const key = `${entry.queue} ${entry.webhookId}`;
    if (seen.has(key)) {
      skip("same_webhook_id");
      continue;
    }
    seen.add(key);
    if (!takesAnyState && (entry.state === "retrying" || entry.state === "released")) {
      skip("still_to_be_tried");
      continue;
    }
    if (!takesAnyState && entry.state === "cancelled") {
      skip("cancelled");
      continue;
    }
    const found = check(entry);
    if ("obstacle" in found) skip(found.obstacle.code);
    else deliveries.push({ queue: entry.queue, delivery: found.delivery });
  }
  // In the order in which they were sent first.
  return deliveries.reverse();
}

/** Deliveries of one queue each, in order. */
function* batchesOf(
  deliveries: Chosen,
  most: number,
): Generator<[queue: string, batch: readonly ResentDelivery[]]> {
  let batch: ResentDelivery[] = [];
  let queue = "";
  for (const one of deliveries) {
    if (batch.length > 0 && (one.queue !== queue || batch.length === most)) {
      yield [queue, batch];
      batch = [];
    }
    ({ queue } = one);
    batch.push(one.delivery);
  }
  if (batch.length > 0) yield [queue, batch];
}
