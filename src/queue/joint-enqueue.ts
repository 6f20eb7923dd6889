import { bodyBytes } from "../jobs/body.ts";
import { endOfTick } from "../wait.ts";
import type { EnqueueResult, NewJob, QueueDriver } from "./driver.ts";

/** Most that one shared call carries: a call must not grow with the number of producers. */
const mostJobs = 1_000;
const mostBytes = 1_048_576;

interface Waiting {
  readonly job: NewJob;
  readonly resolve: (results: EnqueueResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The driver's enqueue, one call for all single jobs that arrive in one tick: a call costs as much for one job as for
 * sixty.
 *
 * One job's failure is its own, and a backend that takes no job of the call refuses each, as it would have refused
 * calls of their own. Where it takes some of them only, the others fail by their result and not by an exception.
 *
 * Several jobs at a time are a call of their own. So is every job where the backend orders jobs by group: there one
 * that cannot be sent keeps back those behind it.
 *
 * @returns What the driver's own enqueue guarantees, for each caller.
 */
export function createJointEnqueue(
  driver: Pick<QueueDriver, "name" | "enqueue" | "capabilities">,
): QueueDriver["enqueue"] {
  const most = Math.min(driver.capabilities.maxBatch, mostJobs);
  const gathering = new Map<string, Waiting[]>();

  const write = async (queue: string, batch: readonly Waiting[]): Promise<void> => {
    try {
      const results = await driver.enqueue(
        queue,
        batch.map(({ job }) => job),
      );
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index];
        if (result === undefined) reject(new Error(`driver ${driver.name} answered fewer jobs than it got`));
        else resolve([result]);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const writeAll = async (queue: string): Promise<void> => {
    await endOfTick();
    const all = gathering.get(queue) ?? [];
    gathering.delete(queue);
    let batch: Waiting[] = [];
    let bytes = 0;
    for (const one of all) {
      const size = bodyBytes(one.job.body);
      if (batch.length > 0 && (batch.length >= most || bytes + size > mostBytes)) {
        void write(queue, batch);
        [batch, bytes] = [[], 0];
      }
      batch.push(one);
      bytes += size;
    }
    void write(queue, batch);
  };

  const { ordersGroups } = driver.capabilities;
  return (queue, jobs) => {
    const [job] = jobs;
    if (job === undefined || jobs.length > 1 || ordersGroups) return driver.enqueue(queue, jobs);
    return new Promise((resolve, reject) => {
      let waiting = gathering.get(queue);
      if (waiting === undefined) {
        gathering.set(queue, (waiting = []));
        void writeAll(queue);
      }
      waiting.push({ job, resolve, reject });
    });
  };
}
