import { createDeadlineHeap } from "./deadline-heap.ts";
import type { JobEntry } from "./job-entry.ts";

/** The leases of one queue, each under its token. A time is monotonic ms. */
export interface Leases {
  readonly size: number;
  /** Begins a lease under a token that was never given before. */
  begin(entry: JobEntry, endsAt: number): void;
  /** Finds the entry that is leased under a token, also after the lease's end while nobody has ended it. */
  find(token: string): JobEntry | undefined;
  extend(entry: JobEntry, endsAt: number): void;
  end(entry: JobEntry): void;
  /** Ends the lease that is over for longest; undefined when none is over. */
  endNextOver(now: number): JobEntry | undefined;
  /** When the next one is over; Infinity when there is none. */
  nextEnd(): number;
  /** The leased jobs, in any order. */
  values(): Iterable<JobEntry>;
}

export function createLeases(): Leases {
  const byToken = new Map<string, JobEntry>();
  const ends = createDeadlineHeap<JobEntry>();
  let lastToken = 0;

  const end = (entry: JobEntry): void => {
    byToken.delete(entry.token as string);
    ends.remove(entry);
    entry.token = null;
  };

  return {
    get size() {
      return byToken.size;
    },
    begin(entry, endsAt) {
      lastToken += 1;
      entry.token = String(lastToken);
      entry.deadline = endsAt;
      byToken.set(entry.token, entry);
      ends.add(entry);
    },
    find: (token) => byToken.get(token),
    extend(entry, endsAt) {
      ends.remove(entry);
      entry.deadline = endsAt;
      ends.add(entry);
    },
    end,
    endNextOver(now) {
      const entry = ends.nearest();
      if (entry === undefined || entry.deadline > now) return undefined;
      end(entry);
      return entry;
    },
    nextEnd: () => ends.nearest()?.deadline ?? Infinity,
    values: () => byToken.values(),
  };
}
