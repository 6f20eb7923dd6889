import { readyKey } from "./keys.ts";

/** A list in which another system keeps jobs that hookline does not read. */
export interface ForeignList {
  readonly key: string;
  /** The queue of ours that it stands beside; "" where it belongs to none in particular. */
  readonly queue: string;
  /** What it is, and what to set where something helps. Names no host and no app. */
  readonly meaning: string;
}

const sockudo5 = "Sockudo v5 keeps its jobs there, which hookline does not read";
const bullMq = "BullMQ (Soketi) keeps its jobs there, which hookline does not read";

/** Soketi 1.6's own queues, one for each kind of event (webhook-sender.ts). */
const soketiQueues = new Set(
  ["client_event", "member_added", "member_removed", "channel_vacated", "channel_occupied", "cache_miss"].map(
    (event) => `${event}_webhooks`,
  ),
);

/** The places beside a queue's ready list where producers of the field write by their defaults. */
export function knownLists(prefix: string, queue: string): ForeignList[] {
  const otherSpelling = prefix.endsWith("::") ? prefix.slice(0, -1) : `${prefix}:`;
  const bare = prefix.replace(/:+$/, "");
  const lists = new Map<string, string>();
  lists.set(
    readyKey(otherSpelling, queue),
    `jobs lie under the other spelling; set the prefix to ${otherSpelling}`,
  );
  for (const start of new Set([prefix, `${bare}:`, `${bare}::`])) {
    for (const list of ["wait", "inline-wait"]) lists.set(`${start}v2:{${queue}}:${list}`, sockudo5);
  }
  for (const key of [`bull:${queue}:wait`, `:${queue}:wait`]) lists.set(key, bullMq);
  const besideThis = [...lists].map(([key, meaning]) => ({ key, queue, meaning }));
  return [...besideThis, { key: ":client_event_webhooks:wait", queue: "", meaning: bullMq }];
}

/** What a list found by its name's end, `:wait`, is to these queues; null where it is somebody else's business. */
export function foreignListOf(key: string, queues: readonly string[]): ForeignList | null {
  const own = /:v2:\{([^{}]+)\}:wait$/.exec(key)?.[1];
  if (own !== undefined) return queues.includes(own) ? { key, queue: own, meaning: sockudo5 } : null;
  const name = /^(?:.*:)?([^:]+):wait$/.exec(key)?.[1];
  if (name === undefined) return null;
  if (queues.includes(name)) return { key, queue: name, meaning: bullMq };
  return soketiQueues.has(name) ? { key, queue: "", meaning: bullMq } : null;
}
