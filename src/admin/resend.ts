import * as v from "valibot";
import { createMatcher, type HistoryFilter } from "../history/filter.ts";
import { createResend, type ResentDelivery } from "../jobs/resend.ts";
import { createPacer } from "../pacer.ts";
import { maskId } from "../secrets/mask-id.ts";
import { noteDryRun } from "./audit.ts";
import { requireOperate } from "./auth.ts";
import { deliveryParameter, requireHistory } from "./deliveries.ts";
import { bodyFilterSchemas, deliveryFilter } from "./delivery-filter.ts";
import type { AdminDeps } from "./deps.ts";
import { requiredRevision, requireIntake, writeJobs } from "./enqueue.ts";
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
export function resendRoutes(deps: AdminDeps): Route[] {
  const { clock, driver, log, mask } = deps;
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
        const chosen = await choose(deps, wanted, check, filter.state !== undefined);
        const answer = { dry_run: isDry, matched: chosen.matched, skipped: chosen.skipped };
        if (isDry) return jsonReply({ ...answer, resendable: chosen.deliveries.length });

        // Delayed in the backend, so that the pace outlives this process and the request need not wait.
        const gapMs = perSecond === undefined ? 0 : 1000 / perSecond;
        const longestMs = Math.round(gapMs * Math.max(0, chosen.deliveries.length - 1));
        if (longestMs > driver.capabilities.maxDelayMs) {
          throw new RequestError(
            "unsupported_by_driver",
            `per_second: the last of ${chosen.deliveries.length} would wait ${longestMs} ms, and this backend delays a job by at most ${driver.capabilities.maxDelayMs} ms; raise it, or narrow the filter`,
          );
        }
        const apiRevision = requiredRevision(deps);
        const jobs: { resend_of: string; job_id: string }[] = [];
        const failed: Record<string, number> = {};
        let resent = 0;
        for (const [queue, batch] of batchesOf(chosen.deliveries)) {
          const made = batch.map(({ delivery, at }) =>
            createResend(delivery, { isNew, delayMs: Math.round(at * gapMs), apiRevision }),
          );
          let verdicts: Awaited<ReturnType<typeof writeJobs>>;
          try {
            verdicts = await writeJobs(
              deps,
              queue,
              made.map(({ job }) => job),
            );
          } catch (error) {
            // What was written before stays written, and the answer must say how much that is.
            if (resent === 0) throw error;
            const { code } = publicError(deps, error);
            const told = Object.values(failed).reduce((sum, count) => sum + count, resent);
            failed[code] = (failed[code] ?? 0) + (chosen.deliveries.length - told);
            break;
          }
          for (const [index, verdict] of verdicts.entries()) {
            if (verdict.status === "failed" || verdict.status === "refused") {
              const { code } = publicError(deps, verdict.error);
              failed[code] = (failed[code] ?? 0) + 1;
              continue;
            }
            resent += 1;
            if (jobs.length === mostNamed) continue;
            jobs.push({ resend_of: batch[index]!.delivery.id, job_id: made[index]!.job.id });
          }
        }
        log.info("deliveries sent again", { resent, matched: chosen.matched });
        const note = isNew || resent === 0 ? {} : { note: sameIdNote };
        return jsonReply({ ...answer, resent, failed, jobs, ...note }, resent > 0 ? 202 : 200);
      },
    }),
  ];
}

interface Chosen {
  readonly matched: number;
  /** How many are left out, by why. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly deliveries: readonly { readonly queue: string; readonly delivery: ResentDelivery }[];
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
): Promise<Chosen> {
  const matches = createMatcher(wanted);
  const skipped: Record<string, number> = {};
  const deliveries: { queue: string; delivery: ResentDelivery }[] = [];
  const seen = new Set<string>();
  const pace = createPacer();
  const skip = (why: string): void => void (skipped[why] = (skipped[why] ?? 0) + 1);
  let matched = 0;
  let passed = 0;
  for await (const entry of history.list({ filter: wanted })) {
    passed += 1;
    if (passed % together === 0) await pace();
    if (!matches(entry)) continue;
    matched += 1;
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
  return { matched, skipped, deliveries: deliveries.reverse() };
}

/** Deliveries of one queue each, in order, with their places among all. */
function* batchesOf(
  deliveries: Chosen["deliveries"],
): Generator<[queue: string, batch: { readonly delivery: ResentDelivery; readonly at: number }[]]> {
  let batch: { delivery: ResentDelivery; at: number }[] = [];
  let queue = "";
  for (const [at, one] of deliveries.entries()) {
    if (batch.length > 0 && (one.queue !== queue || batch.length === together)) {
      yield [queue, batch];
      batch = [];
    }
    ({ queue } = one);
    batch.push({ delivery: one.delivery, at });
  }
  if (batch.length > 0) yield [queue, batch];
}
