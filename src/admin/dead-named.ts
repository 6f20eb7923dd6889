import type { Directory } from "../delivery/endpoint.ts";
import { findByLabel } from "../delivery/live.ts";
import { deliveryId, endpointNameHash, safeJobId } from "../jobs/id.ts";
import { createMemo } from "../memo.ts";
import type { DeadLetter, QueueDriver } from "../queue/driver.ts";
import { createPacer } from "../pacer.ts";
import { idsOf } from "./dead-view.ts";
import type { AdminDeps } from "./deps.ts";

/** What was found under some ids. */
export interface NamedLetters {
  readonly letters: readonly DeadLetter[];
  /** The ids given under which there was nothing. */
  readonly notFound: readonly string[];
}

/** Names asked for in one call. */
const together = 500;

/**
 * Finds dead letters by their ids, or by the id of their job: then all its dead deliveries.
 *
 * Where the backend can only show a sample, that is what is looked through.
 */
export function createNamedLetters(
  deps: Pick<AdminDeps, "driver" | "live">,
): (queue: string, ids: readonly string[], format: "auto" | "raw") => Promise<NamedLetters> {
  const { driver } = deps;
  const hashesOf = createNameHashes(deps);

  const findExactly = async (queue: string, ids: readonly string[]): Promise<DeadLetter[]> => {
    const found = new Map<string, DeadLetter>();
    const pace = createPacer();
    for (let at = 0; at < ids.length; at += together) {
      const some = new Set(ids.slice(at, at + together));
      // Those of the same id with a number come with it.
      for (const letter of (await driver.findDead?.(queue, [...some])) ?? []) {
        if (some.has(letter.id)) found.set(letter.id, letter);
      }
      await pace();
    }
    return [...found.values()];
  };

  return async (queue, given, format) => {
    const ids = [...new Set(given)];
    if (driver.findDead === undefined) return findInSample(driver, queue, ids, format);
    const letters = await findExactly(queue, ids);
    const isThere = new Set(letters.map(({ id }) => id));
    const jobs = ids.filter((id) => !isThere.has(id));
    if (jobs.length === 0) return { letters, notFound: [] };
    const hashes = await hashesOf(queue);
    const jobOf = new Map<string, string>();
    for (const id of jobs) {
      const jobId = safeJobId(id);
      for (const hash of hashes) jobOf.set(deliveryId(jobId, hash), id);
      if (jobId !== id) jobOf.set(jobId, id);
    }
    const deliveries = await findExactly(queue, [...jobOf.keys()]);
    const found = new Set(deliveries.map(({ id }) => jobOf.get(id)));
    const others = deliveries.filter(({ id }) => !isThere.has(id));
    return { letters: [...letters, ...others], notFound: jobs.filter((id) => !found.has(id)) };
  };
}

async function findInSample(
  driver: QueueDriver,
  queue: string,
  ids: readonly string[],
  format: "auto" | "raw",
): Promise<NamedLetters> {
  const { items } = await driver.deadLetters(queue, { limit: 1000, cursor: null });
  const namesOf = (letter: DeadLetter): string[] => [letter.id, letter.jobId, idsOf(letter, format).jobId];
  const wanted = new Set(ids.flatMap((id) => [id, safeJobId(id)]));
  const letters = items.filter((letter) => namesOf(letter).some((name) => wanted.has(name)));
  const found = new Set(letters.flatMap(namesOf));
  return { letters, notFound: ids.filter((id) => !found.has(id) && !found.has(safeJobId(id))) };
}

/**
 * The second halves of the ids that a queue's dead deliveries have: of the endpoints that the driver counts letters of,
 * so that of thousands of stored apps none has to be made; of all endpoints where it does not count, or not all of them.
 */
export function createNameHashes({
  driver,
  live,
}: Pick<AdminDeps, "driver" | "live">): (queue: string) => Promise<readonly string[]> {
  const ofAll = createMemo(nameHashes);
  return async (queue) => {
    const counts = (await driver.deadCounts?.(queue)) ?? null;
    // Beyond a number of groups Redis counts the rest as one, of no endpoint (dead-part.ts).
    const isWhole = counts?.groups.every(({ endpoint, reason }) => endpoint !== null || reason !== "other");
    if (counts?.complete !== true || isWhole !== true) return ofAll(live.directory);
    const labels = new Set(counts.groups.flatMap(({ endpoint }) => endpoint ?? []));
    const hashes = [...labels].flatMap((label) => {
      const former = findByLabel(live.directory, label)?.formerName ?? null;
      const names = [label.slice(label.indexOf("/") + 1), ...(former === null ? [] : [former])];
      return names.map(endpointNameHash);
    });
    return [...new Set(hashes)];
  };
}

/** The second halves of the ids of deliveries to all endpoints that are configured. */
export function nameHashes({ endpoints }: Directory): readonly string[] {
  const formers = endpoints.flatMap(({ formerName }) => (formerName === null ? [] : [formerName]));
  return [...new Set([...endpoints.map(({ nameHash }) => nameHash), ...formers.map(endpointNameHash)])];
}
