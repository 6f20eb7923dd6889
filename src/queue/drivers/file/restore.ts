import type { Clock } from "../../../clock.ts";
import { createJobEntry } from "../memory/job-entry.ts";
import { inOrder } from "./cold-jobs.ts";
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

  const put = (seq: number, enqueuedAt: number, state: JobState): void => {
    const { attempts, place, due, delay, endpoint } = state;
    const entry = createJobEntry("", seq, seq, enqueuedAt, endpoint);
    entry.attempts = attempts;
    if (leased.has(seq)) {
      entry.attempts += 1;
      keeper.waits(entry, { delayMs: 0 });
      queue.restore({ entry, delayMs: 0, place: "back" });
      return;
    }
    const delayMs = due === 0 ? 0 : Math.min(Math.max(0, due - now), delay);
    queue.restore({ entry, delayMs, place: placeNames[place] });
  };

  // Found before a job of the line that was leased comes to be one of them.
  const elsewhere = states.inOrder(number);
  const cold = recovered.cold.get(number);
  if (cold !== undefined) {
    queue.line.reserve(Math.min(cold.count, locations.size));
    for (const at of inOrder(cold)) {
      const seq = cold.seq(at);
      if (states.has(seq) || letters.has(seq) || locations.get(seq) === undefined) continue;
      const enqueuedAt = cold.enqueuedAt(at);
      if (leased.has(seq)) put(seq, enqueuedAt, untried);
      else queue.line.push(seq, enqueuedAt);
    }
  }
  for (const seq of elsewhere) {
    const { enqueuedAt, state } = states.get(seq) as WaitingState;
    put(seq, enqueuedAt, state);
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
