import { HooklineError } from "../errors.ts";
import { deliveryId, safeJobId } from "../jobs/id.ts";
import { createNameHashes } from "./dead-named.ts";
import type { AdminDeps } from "./deps.ts";

/** What became of a redrive by ids. */
export interface NamedRedrive {
  readonly redriven: number;
  /** The ids given under which there was nothing. */
  readonly notFound: readonly string[];
}

/** Questions to the backend at once; each is one small call. */
const parallel = 32;

/**
 * Redrives dead letters by their ids, or by the id of their job: then all its dead deliveries.
 *
 * A delivery's id is made of its job's and of its endpoint's name, so that a job's deliveries are found by
 * asking for each endpoint's, without looking through what is there.
 *
 * Counts in `metrics.redriven` as it goes: what was moved before a failure stays moved.
 *
 * @throws HooklineError `list_first` when the driver finds none of them, not having listed them.
 */
export function createNamedRedrive(
  deps: Pick<AdminDeps, "driver" | "live" | "metrics">,
): (queue: string, ids: readonly string[]) => Promise<NamedRedrive> {
  const { driver } = deps;
  const hashesOf = createNameHashes(deps);

  return async (queue, given) => {
    const hashes = await hashesOf(queue);
    const ids = [...new Set(given)];
    let redriven = 0;
    let refusal: HooklineError | null = null;
    /** How many of these moved; 0 where the driver knows only what it has listed, and has not listed one of them. */
    const take = async (some: readonly string[]): Promise<number> => {
      try {
        const moved = await driver.redrive(queue, { ids: some });
        deps.metrics.redriven.labels({ queue }).inc(moved);
        redriven += moved;
        return moved;
      } catch (error) {
        if (!(error instanceof HooklineError) || error.code !== "list_first") throw error;
        refusal ??= error;
        return 0;
      }
    };
    const takeJob = async (id: string): Promise<number> => {
      const jobId = safeJobId(id);
      const deliveries = hashes.map((hash) => deliveryId(jobId, hash));
      if (jobId !== id) deliveries.push(jobId);
      if (deliveries.length === 0) return 0;
      if (driver.capabilities.listsDeadLetters) return take(deliveries);
      let moved = 0;
      for (const one of deliveries) moved += await take([one]);
      return moved;
    };
    const isThere = async (id: string): Promise<boolean> => (await take([id])) > 0 || (await takeJob(id)) > 0;

    // Where dead letters can only be received, one call for all of them is a tenth of the requests.
    if (!driver.capabilities.listsDeadLetters && (await take(ids)) > 0) return { redriven, notFound: [] };
    const notFound: string[] = [];
    for (let at = 0; at < ids.length; at += parallel) {
      const some = ids.slice(at, at + parallel);
      const found = await Promise.all(some.map(isThere));
      notFound.push(...some.filter((_, index) => !found[index]));
    }
    if (redriven === 0 && refusal !== null) throw refusal as HooklineError;
    return { redriven, notFound };
  };
}
