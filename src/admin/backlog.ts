import type { ParkedJobs } from "../queue/driver.ts";
import { within } from "../wait.ts";
import type { AdminDeps } from "./deps.ts";

/** What waits for one endpoint: parked in the backend, and here. */
export interface Backlog {
  readonly count: number;
  /** Epoch ms of the oldest one's enqueue; null where it is not known. */
  readonly oldestEnqueuedAt: number | null;
}

/** A backend that takes longer than this is not waited for. */
const timeoutMs = 2_000;

/**
 * What waits for each endpoint, by label; null where no queue tells anything. One round trip for each queue.
 *
 * What a broken queue does not tell is missing in it (the problem `queue_broken` names the queue).
 */
export async function readBacklogs(
  deps: Pick<AdminDeps, "driver" | "queues" | "state" | "endpointMetrics">,
): Promise<ReadonlyMap<string, Backlog> | null> {
  const { driver, queues } = deps;
  if (!deps.state().driverOpen) return null;
  const asked = queues.map(async (queue): Promise<readonly ParkedJobs[]> =>
    driver.parkedJobs === undefined
      ? []
      : within(timeoutMs, () => driver.parkedJobs?.(queue) ?? Promise.resolve([])),
  );
  const answers = await Promise.allSettled(asked);
  const known = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  if (known.length === 0 && queues.length > 0) return null;
  const backlogs = new Map<string, Backlog>();
  for (const { key, count, oldestEnqueuedAt } of [...deps.endpointMetrics.waiting(), ...known.flat()]) {
    const before = backlogs.get(key);
    backlogs.set(key, {
      count: count + (before?.count ?? 0),
      oldestEnqueuedAt: earlier(oldestEnqueuedAt, before?.oldestEnqueuedAt ?? null),
    });
  }
  return backlogs;
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null ? one : Math.min(one, other);
}
