import { Buffer } from "node:buffer";
import { createEventBatcher, type EventBatch } from "../jobs/batcher.ts";
import { createEventsJob, type EventText } from "../jobs/events.ts";
import type { NewJob } from "../queue/driver.ts";
import type { AdminDeps } from "./deps.ts";
import { requiredRevision, writeJobs, type Verdict } from "./enqueue.ts";

/** Turns an app's events into jobs and writes them, batched where `webhooks.batching` says so. */
export interface EventWriter {
  /**
   * What became of the jobs the events went into, once the driver has ruled on all of them.
   *
   * @param once Makes the same request again a duplicate; then they share no job with other requests.
   */
  write(
    queue: string,
    appId: string,
    events: readonly EventText[],
    once: NewJob["dedup"],
  ): Promise<Verdict[]>;
  /** Writes what still waits for its batch; for shutdown. Never rejects. */
  flush(): Promise<void>;
}

export function createEventWriter(deps: AdminDeps): EventWriter {
  const settings = () => deps.live.config.webhooks.batching;
  const enqueue = (batch: EventBatch, once: NewJob["dedup"] = null): Promise<Verdict[]> => {
    const jobs = createJobs(batch, deps.driver.capabilities.maxPayloadBytes, requiredRevision(deps));
    // Cut in the same places each time, so that the same part has the same key.
    const keyed = jobs.map((job, at) =>
      once === null ? job : { ...job, dedup: { ...once, key: `${once.key}:${at}` } },
    );
    return writeJobs(deps, batch.queue, keyed);
  };
  const writeAlone: EventWriter["write"] = (queue, appId, events, once) =>
    enqueue({ queue, appId, timeMs: deps.clock.now(), events }, once);
  const batcher = createEventBatcher({
    durationMs: () => settings().duration_ms,
    size: () => settings().size,
    enqueue: (batch) => enqueue(batch),
  });
  return {
    async write(queue, appId, events, once) {
      if (once !== null || !settings().enabled) return writeAlone(queue, appId, events, once);
      return (await batcher.add(queue, appId, deps.clock.now(), events)).flat();
    },
    flush: () => batcher.flush(),
  };
}

/**
 * One job, or several where the backend would not take so large a one: the events of one request must
 * not fail because of what another request put into the same batch.
 */
function createJobs(batch: EventBatch, maxPayloadBytes: number, apiRevision: number): NewJob[] {
  const { appId, timeMs, events } = batch;
  const job = createEventsJob(appId, timeMs, events, apiRevision);
  if (events.length === 1 || Buffer.byteLength(job.body) <= maxPayloadBytes) return [job];
  const middle = Math.ceil(events.length / 2);
  return [events.slice(0, middle), events.slice(middle)].flatMap((half) =>
    createJobs({ ...batch, events: half }, maxPayloadBytes, apiRevision),
  );
}
