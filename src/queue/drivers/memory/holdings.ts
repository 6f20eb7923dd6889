import { createDeadlineHeap } from "./deadline-heap.ts";
import type { JobEntry, Holding } from "./job-entry.ts";

/** The waiting jobs whose endpoint is known, by endpoint: those tried before, parked ones, children. */
export interface Holdings {
  /** Does nothing for a job whose endpoint is not known. */
  add(entry: JobEntry): void;
  /** Does nothing for a job that is not in here. */
  remove(entry: JobEntry): void;
  /** The oldest job of the endpoint that holds most, left where it is; undefined when nothing is held. */
  oldestOfMost(): JobEntry | undefined;
}

/** Adding and removing cost O(log n); a queue whose endpoints are well holds little. */
export function createHoldings(): Holdings {
  const byEndpoint = new Map<string, Holding>();
  const bySize = createDeadlineHeap<Holding>();

  const resize = (holding: Holding): void => {
    if (holding.place !== -1) bySize.remove(holding);
    holding.deadline = -holding.jobs.size;
    if (holding.jobs.size > 0) bySize.add(holding);
    else byEndpoint.delete(holding.endpoint);
  };

  return {
    add(entry) {
      const { endpoint } = entry;
      if (endpoint === null) return;
      let holding = byEndpoint.get(endpoint);
      if (holding === undefined) {
        holding = { endpoint, jobs: createDeadlineHeap(), deadline: 0, place: -1 };
        byEndpoint.set(endpoint, holding);
      }
      entry.held = { entry, holding, deadline: entry.order, place: -1 };
      holding.jobs.add(entry.held);
      resize(holding);
    },
    remove(entry) {
      if (entry.held === null) return;
      const { holding } = entry.held;
      holding.jobs.remove(entry.held);
      entry.held = null;
      resize(holding);
    },
    oldestOfMost: () => bySize.nearest()?.jobs.nearest()?.entry,
  };
}
