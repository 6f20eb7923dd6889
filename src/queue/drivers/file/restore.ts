import type { Clock } from "../../../clock.ts";
import { createJobEntry } from "../memory/job-entry.ts";
import type { ColdJobs, HotJob } from "./recovered.ts";
import type { FileQueue } from "./file-queue.ts";
import type { FileKeeper } from "./keeper.ts";
import { places } from "./snapshots.ts";
import type { JobState, Place } from "./snapshots.ts";
import type { Store } from "./store.ts";

const placeNames = ["line", "delayed", "back", "parked", "ahead"] as const satisfies Record<number, string>;

/**
 * Puts back into a queue what the journal says of it.
 *
 * Jobs that were leased when the process died are ready, one attempt charged; that is written at once, so that a job
 * that ends processes is charged each time. A due time is never further away than the delay that was asked for: a
 * clock that went back delays nobody for years.
 */
export function restoreQueue(queue: FileQueue, store: Store, keeper: FileKeeper, clock: Clock): void {
  const { recovered } = store;
  const { hot, leased, letters, locations } = recovered;
  const number = store.numberOf(queue.name);
  const now = clock.now();

  const put = (seq: number, job: HotJob): void => {
    const { attempts, place, due, delay, endpoint } = job.state;
    const entry = createJobEntry(job.id, seq, seq, job.enqueuedAt, endpoint);
    entry.attempts = attempts;
    if (leased.has(seq)) {
      entry.attempts += 1;
      keeper.waits(entry, { delayMs: 0 });
      queue.restore({ entry, delayMs: 0, place: "back" });
      return;
    }
    const delayMs = due === 0 ? 0 : Math.min(Math.max(0, due - now), delay);
    keeper.changed.set(seq, { entry, state: job.state, isLeased: false });
    queue.restore({ entry, delayMs, place: placeNames[place] });
  };

  const cold = recovered.cold.get(number);
  if (cold !== undefined) {
    queue.line.reserve(Math.min(cold.count, locations.size));
    for (const at of inOrder(cold)) {
      const seq = cold.seq(at);
      if (hot.has(seq) || letters.has(seq) || locations.get(seq) === undefined) continue;
      const enqueuedAt = cold.enqueuedAt(at);
      if (leased.has(seq)) put(seq, { queue: number, id: "", enqueuedAt, state: untried });
      else queue.line.push(seq, enqueuedAt);
    }
  }
  const own = [...hot].filter(([, job]) => job.queue === number);
  own.sort(([, one], [, other]) => one.state.order - other.state.order);
  for (const [seq, job] of own) put(seq, job);

  const dead = [...letters].filter(([, letter]) => letter.queue === number);
  // One that was written anew stands further on in the journal than those that died after it.
  dead.sort(([a, one], [b, other]) => one.letter.failedAt - other.letter.failedAt || a - b);
  for (const [seq, { letter: kept }] of dead) {
    const { seq: _seq, ...letter } = kept;
    const shelved = { ...letter, ref: seq, bodyBytes: locations.get(seq)?.bodyLength ?? 0 };
    keeper.letters.set(seq, shelved);
    queue.dead.restore(shelved);
  }

  const keys = recovered.dedup.filter((kept) => kept.queue === number).sort((a, b) => a.usedAt - b.usedAt);
  for (const { key, fingerprint, id, usedAt } of keys) {
    queue.restoreDedup({ key, fingerprint }, id, Math.max(0, now - usedAt));
  }
  if (recovered.paused.has(number)) queue.setPaused(true);
}

const untried: JobState = {
  place: places.line satisfies Place,
  attempts: 0,
  due: 0,
  delay: 0,
  order: 0,
  endpoint: null,
};

/** Places of the jobs in the order of their numbers, each number once: cleaning may have written one twice. */
function* inOrder(jobs: ColdJobs): Iterable<number> {
  let isAscending = true;
  for (let at = 1; at < jobs.count && isAscending; at += 1) isAscending = jobs.seq(at) > jobs.seq(at - 1);
  if (isAscending) {
    for (let at = 0; at < jobs.count; at += 1) yield at;
    return;
  }
  const all = Uint32Array.from({ length: jobs.count }, (_, at) => at);
  all.sort((a, b) => jobs.seq(a) - jobs.seq(b));
  let last = 0;
  for (const at of all) {
    if (jobs.seq(at) !== last) yield at;
    last = jobs.seq(at);
  }
}
