import type { KeptLetter, Recovered } from "./recovered.ts";
import { places } from "./snapshots.ts";
import { untried } from "./states.ts";
import type { WaitingState } from "./states.ts";

/** A job or dead letter as a survey knows it. */
export type Item = ({ readonly kind: "dead" } & KeptLetter) | ({ readonly kind: "job" } & KeptJob);

interface KeptJob extends WaitingState {
  /** Null where it is the one of the snapshot. */
  readonly id: string | null;
}

/** Everything that lives in a store, in the order of its numbers. */
export function* itemsOf(recovered: Recovered): Generator<readonly [seq: number, item: Item]> {
  const { locations, states, ids, letters, cold, leased } = recovered;
  const all = new Map<number, Item>();
  for (const [queue, jobs] of cold) {
    for (let at = 0; at < jobs.count; at += 1) {
      const enqueuedAt = jobs.enqueuedAt(at);
      all.set(jobs.seq(at), { kind: "job", id: null, queue, enqueuedAt, state: untried });
    }
  }
  for (const seq of states.numbers()) {
    all.set(seq, { kind: "job", id: ids.get(seq) ?? null, ...(states.get(seq) as WaitingState) });
  }
  for (const [seq, letter] of letters) all.set(seq, { kind: "dead", ...letter });
  for (const [seq, item] of [...all].sort(([a], [b]) => a - b)) {
    if (locations.get(seq) === undefined) continue;
    if (item.kind === "dead" || !leased.has(seq)) {
      yield [seq, item];
      continue;
    }
    // As a start would have it: ready, one attempt charged.
    const { state } = item;
    yield [seq, { ...item, state: { ...state, place: places.back, attempts: state.attempts + 1, due: 0 } }];
  }
}
