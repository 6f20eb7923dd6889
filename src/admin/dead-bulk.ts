import type { DeadLetter, DeadLetterPage, RewrittenJob } from "../queue/driver.ts";
import { maskId } from "../secrets/mask-id.ts";
import type { DeadLetterChoice } from "./dead-filter.ts";
import { createNamedLetters } from "./dead-named.ts";
import { createNamedRedrive } from "./dead-redrive.ts";
import type { DeadLetterTarget } from "./dead-target.ts";
import type { AdminDeps } from "./deps.ts";
import type { OperationWork } from "./operations/operation.ts";
import { RequestError } from "./request-error.ts";

/** What is to be done to which dead letters of a queue. */
export interface BulkPlan {
  readonly verb: "redrive" | "remove";
  readonly queue: string;
  readonly format: "auto" | "raw";
  /** These alone; null = those that the choice includes. */
  readonly ids: readonly string[] | null;
  readonly choice: DeadLetterChoice;
  /** Everything is meant: no filter is given, and the caller may see all. */
  readonly isEverything: boolean;
  /** Where they go instead of to their own endpoint; null = nowhere else. */
  readonly target: DeadLetterTarget | null;
  /** The oldest of them, at most so many. */
  readonly max: number;
  readonly isDry: boolean;
}

type BulkDeps = Pick<AdminDeps, "driver" | "live" | "mask" | "metrics">;

/** Letters of a page. */
const together = 1_000;
const pageBytes = 4_000_000;

/**
 * The work of a bulk request on dead letters.
 *
 * It goes from the oldest on to the newest that was there when it began, so that what dies again meanwhile is left
 * alone. Each step moves some letters atomically: when the process dies half way, those that were not moved are still
 * dead, and the same request does the rest.
 */
export function createDeadBulk(deps: BulkDeps): (plan: BulkPlan, work: OperationWork) => Promise<void> {
  const { driver, metrics } = deps;
  const findNamed = createNamedLetters(deps);
  const redriveNamed = createNamedRedrive(deps);

  const change = async (
    plan: BulkPlan,
    letters: readonly string[],
    rewritten: Rewritten,
  ): Promise<number> => {
    const { queue, verb } = plan;
    if (verb === "redrive") {
      const moved = await driver.redrive(queue, {
        ids: letters,
        ...(rewritten === null ? {} : { rewritten }),
      });
      metrics.redriven.labels({ queue }).inc(moved);
      return moved;
    }
    let removed = 0;
    if (driver.removeManyDead !== undefined) removed = await driver.removeManyDead(queue, letters);
    else for (const id of letters) removed += (await driver.removeDead(queue, id)) ? 1 : 0;
    metrics.removed.labels({ queue }).inc(removed);
    return removed;
  };

  /** Does it to letters that are meant, in as many steps as the pace asks for. */
  const changeAll = async (
    plan: BulkPlan,
    letters: readonly DeadLetter[],
    work: OperationWork,
  ): Promise<void> => {
    const { progress } = work;
    progress.matched += letters.length;
    const rewritten = plan.target === null ? null : new Map<string, RewrittenJob>();
    const ready = letters.filter((letter) => {
      if (plan.target === null || rewritten === null) return true;
      const made = plan.target.rewrite(letter);
      if ("job" in made) rewritten.set(letter.id, made.job);
      else count(progress.skipped, made.obstacle);
      return "job" in made;
    });
    if (plan.isDry) return;
    for (let at = 0; at < ready.length; at += work.mostAtOnce) {
      const ids = ready.slice(at, at + work.mostAtOnce).map(({ id }) => id);
      let left = ids.length;
      // A backend may stop in the middle of a step: those that are left are asked for again, until none moves any more.
      while (left > 0) {
        const moved = await work.step(() => change(plan, ids, rewritten));
        if (moved === null) return;
        if (moved === 0) break;
        progress.done += moved;
        left -= moved;
      }
      if (left > 0) count(progress.skipped, "gone", left);
    }
  };

  const runNamed = async (plan: BulkPlan, ids: readonly string[], work: OperationWork): Promise<void> => {
    const { progress } = work;
    const { queue, format, choice } = plan;
    const tell = (missing: readonly string[]): void => {
      progress.notFound.push(...missing.map((id) => maskId(deps.mask, id)));
    };
    if (
      plan.verb === "redrive" &&
      plan.isEverything &&
      plan.target === null &&
      !plan.isDry &&
      !work.isPaced
    ) {
      const result = await work.step(() => redriveNamed(queue, ids));
      if (result === null) return;
      progress.looked = progress.matched = progress.done = result.redriven;
      return tell(result.notFound);
    }
    const found = await work.step(() => findNamed(queue, ids, format));
    if (found === null) return;
    const letters = found.letters.filter((letter) => choice.includes(letter));
    const hidden = found.letters.filter((letter) => !choice.includes(letter)).map(({ id }) => id);
    progress.looked = found.letters.length;
    tell([...found.notFound, ...hidden]);
    await changeAll(plan, letters, work);
  };

  /** Where dead letters can only be received: everything, as often as it takes, or the part of a sample that fits. */
  const runOnSample = async (plan: BulkPlan, work: OperationWork): Promise<void> => {
    const { progress } = work;
    const { queue, choice, max } = plan;
    progress.complete = false;
    if (plan.isEverything && plan.target === null && plan.verb === "redrive") {
      let left = Math.min(max, progress.total ?? 0);
      if (plan.isDry) progress.matched = left;
      while (!plan.isDry && left > 0) {
        const most = Math.min(left, work.isPaced ? work.mostAtOnce : together);
        const moved = await work.step(() => driver.redrive(queue, { max: most }));
        if (moved === null || moved === 0) return;
        metrics.redriven.labels({ queue }).inc(moved);
        for (const name of ["looked", "matched", "done"] as const) progress[name] += moved;
        left -= moved;
      }
      return;
    }
    const { filter } = choice;
    const ask = () =>
      driver.deadLetters(queue, {
        limit: together,
        cursor: null,
        ...(filter === undefined ? {} : { filter }),
      });
    const sample = await work.step(ask);
    if (sample === null) return;
    progress.looked = sample.looked;
    await changeAll(plan, sample.items.filter((one) => choice.includes(one)).slice(0, max), work);
  };

  const runOnAll = async (plan: BulkPlan, work: OperationWork): Promise<void> => {
    const { progress } = work;
    const { queue, choice, max } = plan;
    const newest = await work.step(() =>
      driver.deadLetters(queue, { limit: 1, cursor: null, bodies: false }),
    );
    const upTo = newest?.cursors[0];
    if (upTo === undefined) return;
    const total = progress.total ?? Infinity;
    let cursor: string | null = null;
    do {
      const limit = Math.min(together, choice.isNarrower ? together : max - progress.matched);
      const ask = (): Promise<DeadLetterPage> =>
        driver.deadLetters(queue, {
          limit,
          cursor,
          maxBytes: pageBytes,
          ...(choice.filter === undefined ? {} : { filter: choice.filter }),
          oldestFirst: true,
          upTo,
          bodies: choice.needsBody || plan.target !== null,
        });
      const page: DeadLetterPage | null = await work.step(ask);
      if (page === null) return;
      progress.looked += page.looked;
      const meant = page.items.filter((one) => choice.includes(one)).slice(0, max - progress.matched);
      await changeAll(plan, meant, work);
      ({ cursor } = page);
    } while (cursor !== null && progress.matched < max && progress.looked < total && !work.signal.aborted);
  };

  return async (plan, work) => {
    const { progress } = work;
    if (plan.ids !== null) await runNamed(plan, plan.ids, work);
    else {
      progress.total = (await driver.stats(plan.queue)).dead;
      await (driver.capabilities.listsDeadLetters ? runOnAll(plan, work) : runOnSample(plan, work));
    }
    if (progress.done > 0 || progress.matched === 0 || progress.skipped["other_app"] !== progress.matched)
      return;
    throw new RequestError(
      "other_app",
      "to: none of the dead letters that are meant belongs to the app of this endpoint: name an endpoint of their app, or a named one (-/NAME)",
    );
  };
}

type Rewritten = ReadonlyMap<string, RewrittenJob> | null;

function count(counts: Record<string, number>, why: string, some = 1): void {
  counts[why] = (counts[why] ?? 0) + some;
}
