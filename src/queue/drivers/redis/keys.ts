import { createHash } from "node:crypto";

/**
 * The Redis keys of one queue.
 *
 * The ready list is the producers' own; everything else is hookline's and lives in the same cluster slot,
 * because one script touches them all. A ready key without braces is wrapped as a hash tag
 * (`{sockudo_queue:queue:webhooks}:leased`); one that has a complete tag of its own is only suffixed
 * (Redis Cluster specification, "Hash tags").
 *
 * | key | type | holds |
 * |---|---|---|
 * | ready | list | what producers pushed, as they wrote it |
 * | `:claimed` | list | pushed jobs that a blocked wait has moved out of ready, still as they were written |
 * | `:own` | list | records (record.ts) of what hookline enqueued or redrove |
 * | `:children` | list | records of fan-out children |
 * | `:delayed` | sorted set | records by due time; retries and releases too |
 * | `:leased`, `:leases` | hash, sorted set | token → record, token by the lease's end |
 * | `:parked`, `:parked:KEY` | set, lists | the keys with parked jobs; their records |
 * | `:dead`, `:dead-jobs` | sorted set, hash | dead letter ids by time; their contents |
 * | `:dead-counts` | hash | dead letters by endpoint and reason, see dead-part.ts |
 * | `:dedup:KEY` | string | fingerprint and id of an enqueued job, for deduplication_ttl_ms |
 * | `:paused` | string | there while the queue is paused; also the channel that tells so |
 * | `:waiters` | sorted set | processes that wait for a job; `:waiters:PROCESS` is the channel that wakes one |
 * | `:living` | sorted set | the processes that consume the queue, by the time until which they count |
 * | `:ranks` | hash | rank by configuration's hash; `last`: the highest ever given |
 * | `:ranked` | sorted set | the ranks of living processes, by the time until which they count |
 * | `:fence` | none | never exists, see `all` |
 */
export interface QueueKeys {
  readonly ready: string;
  readonly claimed: string;
  /** Channel on which a pause and its end are told. */
  readonly paused: string;
  /** Prefix of the channels that wake one process. */
  readonly waiters: string;
  /**
   * What every script declares, in the order that script.ts names them.
   *
   * `:fence` is among them and never exists: while the slot moves between cluster nodes, a script with a
   * missing key is refused as a whole (ASK, TRYAGAIN) instead of failing half-way at the first key that
   * has already moved.
   */
  readonly all: readonly string[];
}

/** The helper keys, in the order that script.ts names them, and the type of each; null = any. */
const helpers = {
  claimed: "list",
  own: "list",
  children: "list",
  delayed: "zset",
  leased: "hash",
  leases: "zset",
  parked: "set",
  paused: null,
  waiters: "zset",
  dead: "zset",
  "dead-jobs": "hash",
  dedup: null,
  "dead-counts": "hash",
  // No job's way leads over these: where one is broken, its renewal says so (rank-script.ts).
  living: null,
  ranks: null,
  ranked: null,
  fence: null,
} as const;

/** The type of each key of `QueueKeys.all`, as TYPE names it; null = any. */
export const keyTypes: readonly (string | null)[] = ["list", ...Object.values(helpers)];

/** The keys of one queue. The prefix must have passed `hashTagProblem`. */
export function queueKeys(prefix: string, queue: string): QueueKeys {
  const ready = readyKey(prefix, queue);
  const base = /[{}]/.test(ready) ? ready : `{${ready}}`;
  return {
    ready,
    claimed: `${base}:claimed`,
    paused: `${base}:paused`,
    waiters: `${base}:waiters`,
    all: [ready, ...Object.keys(helpers).map((suffix) => `${base}:${suffix}`)],
  };
}

/**
 * The hash of what all processes under a prefix share, the modes of endpoints; also the channel that tells of
 * changes. No queue's key can be the same: their ready keys begin with the prefix and `queue:`.
 */
export function sharedKey(prefix: string): string {
  return `${sharedBase(prefix)}:shared`;
}

function sharedBase(prefix: string): string {
  const base = `${prefix}hookline`;
  return /[{}]/.test(base) ? base : `{${base}}`;
}

/** The keys of the stored records, in one slot. */
export interface RecordKeys {
  /** Hash: key → value; also the channel that tells of writes. */
  readonly values: string;
  /** Sorted set: key by revision. */
  readonly revisions: string;
  /** What the scripts declare: values, revisions, and the sorted set of tombstones. */
  readonly all: readonly string[];
}

/** The keys of what the API stores (queue/records.ts), for all processes under a prefix. */
export function recordKeys(prefix: string): RecordKeys {
  const values = `${sharedBase(prefix)}:records`;
  const revisions = `${values}:revisions`;
  return { values, revisions, all: [values, revisions, `${values}:removed`] };
}

/** The list that producers push to. */
export function readyKey(prefix: string, queue: string): string {
  return `${prefix}queue:${queue}`;
}

/** Why the prefix cannot be used, or null: a lone brace would put the helper keys into other slots. */
export function hashTagProblem(prefix: string): string | null {
  if (!/[{}]/.test(prefix)) return null;
  const open = prefix.indexOf("{");
  const close = open === -1 ? -1 : prefix.indexOf("}", open);
  if (close > open + 1) return null;
  return `the prefix "${prefix}" has a lone brace; use none, or a complete hash tag as in {hookline}:`;
}

/** The part of a dedup key's name that stands for the caller's key, which may have any length. */
export function dedupName(key: string): string {
  return key.length <= 128 ? key : createHash("sha256").update(key).digest("hex");
}
