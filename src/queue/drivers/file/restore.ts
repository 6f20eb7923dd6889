import type { Clock } from "../../../clock.ts";
import { createJobEntry } from "../memory/job-entry.ts";
import type { JobEntry } from "../memory/job-entry.ts";
import type { KeptJob } from "../memory/memory-queue.ts";
import { eachInOrder } from "./cold-jobs.ts";
import type { FileQueue } from "./file-queue.ts";
import type { FileKeeper } from "./keeper.ts";
import type { JobState } from "./snapshots.ts";
import { untried } from "./states.ts";
import type { WaitingState } from "./states.ts";
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
  const { states, leased, letters, locations } = recovered;
  const number = store.numberOf(queue.name);
  const now = clock.now();

  /** One that was leased: written anew. */
  const putLeased = (seq: number, enqueuedAt: number, { attempts, endpoint }: JobState): void => {
    const entry = createJobEntry("", seq, seq, enqueuedAt, endpoint);
    entry.attempts = attempts + 1;
    keeper.waits(entry, { delayMs: 0 });
    queue.restore({ entry, delayMs: 0, place: "back" });
  };

  // One entry serves all others: a store's lines keep its numbers, and not the entry.
  const entry = createJobEntry("", 0, 0, 0);
  const kept: { entry: JobEntry; delayMs: number; place: KeptJob["place"] } = {
    entry,
    delayMs: 0,
    place: "line",
  };
  const put = (seq: number): void => {
    entry.ref = seq;
    entry.endpoint = states.endpoint(seq);
    kept.delayMs = states.dueIn(seq, now);
    kept.place = placeNames[states.place(seq)];
    queue.restore(kept);
  };

  // Found before a job of the line that was leased comes to be one of them.
  const elsewhere = states.inOrder(number);
  const cold = recovered.cold.get(number);
  if (cold !== undefined) {
    queue.line.reserve(Math.min(cold.count, locations.size));
    eachInOrder(cold, (at) => {
      const seq = cold.seq(at);
      if (states.has(seq) || letters.has(seq) || !locations.has(seq)) return;
      const enqueuedAt = cold.enqueuedAt(at);
      if (leased.has(seq)) putLeased(seq, enqueuedAt, untried);
      else queue.line.push(seq, enqueuedAt);
    });
  }
  recovered.cold.delete(number);
  for (let at = 0; at < elsewhere.length; at += 1) {
    const seq = elsewhere[at] as number;
    if (!leased.has(seq)) {
      put(seq);
      continue;
    }
    const { enqueuedAt, state } = states.get(seq) as WaitingState;
    putLeased(seq, enqueuedAt, state);
  }

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
