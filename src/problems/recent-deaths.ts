import type { Clock } from "../clock.ts";
import type { Finding } from "./finding.ts";

/** A dead letter that was written, or is about to be. */
export interface Death {
  readonly queue: string;
  readonly jobId: string;
  readonly reason: string;
  /** Endpoint label; null where the job had none. */
  readonly endpoint: string | null;
}

/** The dead letters that this process made in the last hour, by endpoint and reason. */
export interface RecentDeaths {
  add(death: Death): void;
  /** The queue had no dead letter at this time, epoch ms: what died well before has been redriven or removed. */
  emptied(queue: string, at: number): void;
  findings(): Finding[];
}

const hourMs = 3_600_000;
/** An hour is so many slots; what died counts for the rest of its slot and an hour. */
const slots = 12;
const slotMs = hourMs / slots;
/** Endpoints and reasons that are told apart; further ones are counted together. */
const mostGroups = 1_000;
/** A death is added before its letter is written. */
const writingMs = 2_000;

interface Group {
  readonly queue: string;
  readonly endpoint: string | null;
  readonly reason: string;
  since: number;
  latest: number;
  /** Deaths by slot, the newest last; `end` is the slot number of the newest. */
  readonly counts: number[];
  end: number;
}

export function createRecentDeaths(clock: Clock): RecentDeaths {
  const groups = new Map<string, Group>();

  const move = (group: Group, slot: number): void => {
    for (let steps = Math.min(slots + 1, slot - group.end); steps > 0; steps -= 1) {
      group.counts.shift();
      group.counts.push(0);
    }
    group.end = Math.max(group.end, slot);
  };
  const countOf = ({ counts }: Group): number => counts.reduce((sum, count) => sum + count, 0);

  return {
    add({ queue, endpoint, reason }) {
      const now = clock.now();
      const slot = Math.floor(now / slotMs);
      let key = `${queue} ${endpoint ?? ""} ${reason}`;
      const isTold = groups.has(key) || groups.size < mostGroups;
      if (!isTold) key = "";
      let group = groups.get(key);
      if (group === undefined) {
        const counts = Array.from({ length: slots + 1 }, () => 0);
        const named = isTold ? { queue, endpoint, reason } : { queue: "", endpoint: null, reason: "others" };
        groups.set(key, (group = { ...named, since: now, latest: now, counts, end: slot }));
      }
      move(group, slot);
      if (countOf(group) === 0) group.since = now;
      group.latest = now;
      group.counts[slots] = (group.counts[slots] ?? 0) + 1;
    },

    emptied(queue, at) {
      for (const [key, group] of groups) {
        if (group.queue === queue && group.latest < at - writingMs) groups.delete(key);
      }
    },

    findings() {
      const slot = Math.floor(clock.now() / slotMs);
      const byEndpoint = new Map<string, { since: number; texts: string[] }>();
      for (const [key, group] of groups) {
        move(group, slot);
        const count = countOf(group);
        if (count === 0) {
          groups.delete(key);
          continue;
        }
        const object = group.endpoint ?? "";
        const found = byEndpoint.get(object) ?? { since: group.since, texts: [] };
        byEndpoint.set(object, found);
        found.since = Math.min(found.since, group.since);
        found.texts.push(`${count} ${group.reason}${group.queue === "" ? "" : ` (queue ${group.queue})`}`);
      }
      return [...byEndpoint].map(([object, { since, texts }]) => ({
        kind: "dead_letters",
        object,
        since,
        detail: `dead letters in the last hour: ${texts.join(", ")}`.slice(0, 500),
      }));
    },
  };
}
