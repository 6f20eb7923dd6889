import type { ConfigError } from "../errors.ts";
import type { JobBody } from "../jobs/job.ts";
import type { JobLists } from "./job-lists.ts";
import type { DeadLetterFilter } from "./dead-filter.ts";
import type { RecordStore } from "./records.ts";
import type { Finding } from "../problems/finding.ts";

/**
 * The driver: all that hookline knows of a backend.
 *
 * A driver moves jobs between four states and knows nothing of HTTP, retries or loops.
 *
 *     ready ──lease──▶ leased ──ack──▶ gone
 *       ▲                │ ├──retry{delayMs}──▶ delayed ──(due)──▶ ready
 *       │                │ ├──park{key}──▶ parked ──(key not closed)──▶ ready
 *       │                │ ├──dead{reason}──▶ dead ──redrive──▶ ready, attempts 0
 *       │                │ └──replace{jobs}──▶ gone, its children ready
 *       └──release, or the lease's end─┘
 *
 * What every driver guarantees, and the conformance suite (test/drivers/conformance.ts) proves:
 * - `lease` takes and hides in one atomic step. No job is ever in two unexpired leases.
 * - A lease that ends unsettled makes its job ready again with one attempt charged, whoever died.
 * - Settling or extending with a token that is no longer current changes nothing and answers `lost`.
 * - The dead copy is written before the live one goes; children before their parent goes.
 * - Bytes and id survive every move; attempts and enqueue time every move but redrive, which starts the
 *   job anew: attempts 0, enqueued now, or its age would end it at its first failure.
 * - Nothing is dropped silently: what capacity or retention removes is counted through DriverEvents.
 * - Client libraries' errors are translated: DriverUnavailableError (back off and try again),
 *   QueueFullError, PayloadTooLargeError, UnsupportedByDriverError. Anything else is a bug.
 */
export interface QueueDriver {
  /** As in `queue.driver`. */
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  /**
   * What stands wrong at this moment: settings of the backend, a queue that it refuses, room that runs out.
   * Costs no round trip. Absent: nothing is ever found.
   */
  problems?(): readonly Finding[];
  /** What the backend keeps of what it has confirmed, known after `open`. Absent: `capabilities.durable`. */
  durable?(): Durability;
  /**
   * Resolves when the backend has become one that this configuration can never work with, with what to change; the
   * process is to end. Pending otherwise.
   */
  readonly refused?: Promise<ConfigError>;

  /**
   * Connects and proves that every configured queue can be used.
   *
   * Resolves when the driver is usable. Throws ConfigError for what an operator must change (wrong
   * password, no such queue, missing permission), DriverUnavailableError when the backend does not answer.
   */
  open(signal: AbortSignal): Promise<void>;

  /**
   * Writes jobs, one round trip for many. One result per job, in the order given.
   *
   * A job whose result is `enqueued` or `duplicate` is in the backend when this resolves. One job's
   * failure never fails its neighbours. Throws only when nothing at all is known to be written.
   */
  enqueue(queue: string, jobs: readonly NewJob[]): Promise<EnqueueResult[]>;

  /**
   * Leases up to `max` jobs for `leaseMs`: due delayed jobs first, then children, then the rest in order.
   *
   * Waits up to `waitMs` when there is nothing (blocked, not polling) and returns at once when `signal`
   * aborts; a job taken while aborting is given back without an attempt charged. Jobs parked under a
   * key in `closedKeys` stay away. A paused queue yields nothing. Where the backend orders jobs by
   * group, only a group's head is handed out: its successor follows after the head's settlement is
   * confirmed, so the caller may run everything it holds in parallel.
   */
  lease(queue: string, options: LeaseOptions): Promise<Lease[]>;

  /**
   * Sets each lease to end `leaseMs` from now. Per lease, in order: extended, lost, or unknown (it may end when it
   * would have; ask again).
   *
   * Throws DriverUnavailableError when all are unknown.
   */
  extend(leases: readonly Lease[], leaseMs: number): Promise<ExtendResult[]>;

  /**
   * Ends leases. Per settlement, in order: settled, lost (the token was not current: nothing changed),
   * failed (this one only; its lease will end by itself), or unknown (ask again: that is safe, and goes on where
   * this call stopped).
   *
   * Throws DriverUnavailableError when all are unknown.
   */
  settle(settlements: readonly Settlement[]): Promise<SettleResult[]>;

  /**
   * Whether a job that this process cannot route goes back, because another process on this backend may be
   * configured otherwise: then it is to be released with that delay. Null: it is a dead letter now. Absent: always null.
   */
  putBack?(lease: Lease): PutBack | null;

  /** Counts; null for what the backend cannot tell. */
  stats(queue: string): Promise<QueueStats>;
  /** What is parked under each key, counted now; fails as `stats` does. Absent: the backend cannot tell. */
  parkedJobs?(queue: string): Promise<readonly ParkedJobs[]>;

  /** Stops handing out jobs of this queue, in the scope that `capabilities.pauseScope` names. */
  pause(queue: string): Promise<void>;
  resume(queue: string): Promise<void>;

  /**
   * One page of dead letters, newest first where the backend keeps an order.
   *
   * With a filter a call looks at a few thousand letters at most, so that it holds nobody up: a page with fewer items than
   * its limit, or none, and a cursor then says that there is more to look at.
   *
   * Throws HooklineError `bad_cursor` for a cursor that no page gave.
   */
  deadLetters(queue: string, page: DeadLetterPageRequest): Promise<DeadLetterPage>;
  /**
   * Dead letters by endpoint and reason, counted as they come and go and never by scanning; null where the
   * backend cannot tell. Absent: as null.
   */
  deadCounts?(queue: string): Promise<DeadCounts | null>;
  /**
   * The dead letters of these ids, and those beside them under the same id with `.2`, `.3` … (the first ten). Costs
   * time for the ids alone. Absent: the backend finds none by its id.
   */
  findDead?(queue: string, ids: readonly string[]): Promise<readonly DeadLetter[]>;
  /** Makes dead letters ready again, attempts 0, enqueued now, ids and bytes kept. Returns how many. */
  redrive(queue: string, which: RedriveSelection): Promise<number>;
  /** Removes one dead letter for good; false when there is none of that id. */
  removeDead(queue: string, id: string): Promise<boolean>;
  /** Removes dead letters for good, at most 1000. Returns how many there were. Absent: one call each. */
  removeManyDead?(queue: string, ids: readonly string[]): Promise<number>;

  /** The jobs that wait, to be listed, run and cancelled one by one; absent where the backend cannot. */
  readonly jobs?: JobLists;

  /**
   * Resolves when an enqueue on this queue would be taken now, as far as the backend tells without a job; throws
   * what the enqueue would throw. Leaves nothing behind, and costs no more than `ping`. Absent: only an
   * enqueue can tell.
   */
  probeWrite?(queue: string, signal: AbortSignal): Promise<void>;

  /** Resolves when the backend answers; throws DriverUnavailableError when it does not. */
  ping(signal: AbortSignal): Promise<void>;

  /** How processes of different configurations on this backend give way to each other; absent where they do not. */
  readonly ranks?: Ranks;

  /** Values that all processes on this backend see; absent where each process is alone. */
  readonly shared?: SharedState;
  /** What the API stores, apps and endpoints; absent where the backend cannot keep it. */
  readonly records?: RecordStore;

  /**
   * Lets go of connections. Never touches shared contents: leases still held end by themselves,
   * and the worker has released what it could before.
   */
  close(): Promise<void>;
}

/** By what processes tell whether they route alike (rank-marks.ts). */
export interface RankMark {
  readonly hash: string;
  /** The rank, where the configuration sets it; null = by order of appearance. */
  readonly revision: number | null;
}

/** A process that consumes queues on this backend. */
export interface LivingProcess {
  readonly id: string;
  readonly host: string;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly version: string;
  readonly rank: number;
  /** A process of a newer rank consumes one of its queues. */
  readonly behind: boolean;
  readonly queues: readonly string[];
}

/**
 * Lets only the processes of the newest configuration take jobs of a queue (contract §7, "Ranks").
 *
 * A process that has joined and lives keeps those of older ranks from leasing; one that has not joined takes what it gets.
 */
export interface Ranks {
  /**
   * This process consumes these queues, and routes by these marks from now on. Once it has resolved, what is enqueued is
   * leased by processes of this rank or a newer one, for as long as one of them lives. A queue where the backend refused it
   * is a problem, is tried again by itself, and nothing of it is leased here until it worked once.
   */
  join(marks: ReadonlyMap<string, RankMark>): Promise<void>;
  /** This process takes nothing more; others wait for it for ten seconds at most. */
  leave(): void;
  /** How this process stands, as its last looks said; empty before it has joined. */
  standing(): readonly { readonly queue: string; readonly rank: number; readonly behind: boolean }[];
  /** All that live, this process included. */
  processes(): Promise<readonly LivingProcess[]>;
}

/**
 * A few small values that every process on one backend sees, as the modes of endpoints. They outlive the
 * processes.
 *
 * - When `set` resolves, the value is in the backend; null removes it. The last writer wins. When it throws
 *   (DriverUnavailableError), the value may be there or not; setting it again is safe.
 * - A listener gets all values, never a part of them: once after `open`, and within 2 seconds of every
 *   change by any process, this one included. Changes in between may be seen as one.
 * - Neither a listener nor who asks for `all` gets values older than a `set` of this process that has resolved.
 * - `all` and `set` may be called once `open` has resolved; listeners may be added before.
 */
export interface SharedState {
  all(): Promise<ReadonlyMap<string, string>>;
  set(key: string, value: string | null): Promise<void>;
  onChange(listener: (values: ReadonlyMap<string, string>) => void): void;
}

/**
 * What a backend keeps: all (true), or nothing beyond its own end (false); "process": the end of its process, but no power
 * cut; "snapshots": what its last snapshot had; "unknown": it does not tell.
 */
export type Durability = boolean | "process" | "snapshots" | "unknown";

/** Plain data, read at start: a configuration that asks for more is a configuration error. */
export interface DriverCapabilities {
  /** Jobs survive the end of this process. */
  readonly durable: boolean;
  /** Enqueue deduplicates by NewJob.dedup in the same atomic step as the write. */
  readonly dedup: boolean;
  /** A stale token is recognised (`lost`) in every case, not only in most. */
  readonly fenced: boolean;
  /** `release` costs no attempt. */
  readonly refundsAttempt: boolean;
  /** Stats count exactly, at the moment they are asked for. */
  readonly exactStats: boolean;
  /** Dead letters are listed completely, by cursor; otherwise a page is a sample (`complete: false`). */
  readonly listsDeadLetters: boolean;
  /** Jobs of one `group` are delivered in order; otherwise a job with a group is refused. */
  readonly ordersGroups: boolean;
  /** Most jobs the backend takes in one call; drivers split larger batches themselves. */
  readonly maxBatch: number;
  /** Largest job in bytes of UTF-8. */
  readonly maxPayloadBytes: number;
  /** True: every job is counted and thrown away, and nothing is ever leased. */
  readonly discards?: boolean;
  /** Longest `delayMs` at enqueue; 0 where none is possible. */
  readonly maxDelayMs: number;
  /**
   * How long the settler may gather settlements to fill a call; absent or 0 = one tick. For backends
   * where a call costs more than the wait (SQS bills and limits requests).
   */
  readonly settleLingerMs?: number;
  /** What a pause reaches. */
  readonly pauseScope: "cluster" | "process";
}

/** A job to be written. */
export interface NewJob {
  /** Matches jobIdPattern. Given by the caller, who made one up where the producer gave none. */
  readonly id: string;
  readonly body: JobBody;
  /** Milliseconds until it may be leased; 0 = at once. */
  readonly delayMs: number;
  /** Order key, only where capabilities.ordersGroups. */
  readonly group: string | null;
  /** Backend deduplication id (SQS FIFO); null = the driver's rule. */
  readonly deduplicationId: string | null;
  /** Values for the group template (SQS FIFO): app id, channel and name of the first event. */
  readonly routing: { readonly appId: string; readonly channel: string; readonly event: string } | null;
  /** Deduplication at enqueue: same key again within deduplication_ttl_ms = duplicate, or conflict if the fingerprint differs. */
  readonly dedup: { readonly key: string; readonly fingerprint: string } | null;
}

export type EnqueueResult =
  | { readonly status: "enqueued"; readonly id: string }
  /** The job is there already, under `id` (the first one's). */
  | { readonly status: "duplicate"; readonly id: string }
  /** The dedup key was used with another body. Nothing was written. */
  | { readonly status: "conflict"; readonly id: string }
  /** Driver none. */
  | { readonly status: "discarded"; readonly id: string }
  /** Not written; `error` is a HooklineError subclass from errors.ts. */
  | { readonly status: "failed"; readonly id: string; readonly error: Error };

export interface LeaseOptions {
  readonly max: number;
  readonly leaseMs: number;
  /** 0 = do not wait. */
  readonly waitMs: number;
  /** Keys whose parked jobs stay away; jobs parked under any other key come back. */
  readonly closedKeys: ReadonlySet<string>;
  /**
   * Most jobs taken from each parked key in one call, so that a lane which just opened gets what it can
   * hold and not a batch that would be parked again.
   */
  readonly parkedMax: number;
  readonly signal: AbortSignal;
}

/** A job hidden from others until the lease ends. */
export interface Lease {
  readonly queue: string;
  /** Current ownership; opaque to everyone but the driver. A new lease of the same job has a new one. */
  readonly token: string;
  readonly job: LeasedJob;
}

export interface LeasedJob {
  /** Given by the producer at enqueue, or by the driver at first lease, and kept from then on. */
  readonly id: string;
  readonly body: JobBody;
  /** Attempts already charged: the one about to be made is `attempts + 1`. */
  readonly attempts: number;
  /** Epoch ms; null where the backend does not tell. */
  readonly enqueuedAt: number | null;
  /** What the backend says of the message, for raw queues; null where there is nothing to say. */
  readonly message: MessageInfo | null;
}

export interface MessageInfo {
  readonly id: string;
  readonly group: string | null;
  readonly receiveCount: number | null;
  readonly firstReceivedAt: number | null;
  /** Text as it is; bytes as base64url, under their name with `-b64` appended. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** The way back of a job that this process cannot route. */
export interface PutBack {
  readonly delayMs: number;
  /** How often this process has put it back before. */
  readonly times: number;
}

export type ExtendResult = "extended" | "lost" | "unknown";

/**
 * How a lease ends. `body`, where given, replaces the stored bytes: a job that is kept is kept without
 * app_secret, bound to its endpoint (jobs/native.ts). `id`, where given, is the job's own id, learnt only by
 * reading the job; it replaces the stored one, so that a job that a producer pushed with an id is found
 * under it. A driver whose backend keeps the producer's message as it is may leave the stored one.
 */
export type Disposition =
  | { readonly verb: "ack" }
  /**
   * Delayed, one attempt charged. `endpoint` (label `app/name`) and `detail` (what the attempt came to, no
   * secrets) are for a driver whose own limits end the job here: they stand in its dead letter. So is `attemptMs`,
   * how long the attempt took; absent where nobody knows.
   */
  | {
      readonly verb: "retry";
      readonly delayMs: number;
      readonly attemptMs?: number;
      readonly endpoint?: string;
      readonly detail?: string;
      readonly body?: JobBody;
      readonly id?: string;
    }
  /**
   * Ready again at once, ahead of others, no attempt charged where the backend can tell. With `delayMs`, which only a
   * driver is given that has `putBack`: ready again after it, for this process or another.
   */
  | { readonly verb: "release"; readonly delayMs?: number }
  /** Put aside, no attempt charged, until a lease call whose closedKeys do not hold the key. */
  | { readonly verb: "park"; readonly key: string; readonly body?: JobBody; readonly id?: string }
  /** Kept as a dead letter, the attempt charged when `attempted`. */
  | {
      readonly verb: "dead";
      readonly reason: string;
      /** One sentence for people: status, error code. No secrets. */
      readonly detail: string | null;
      /** Endpoint label `app/name`; null when the job never reached routing. */
      readonly endpoint: string | null;
      readonly attempted: boolean;
      readonly body?: JobBody;
      readonly id?: string;
    }
  /**
   * Acked and its children ready, in one step where the backend can, else children first. `tail`, where given, is how
   * all their bodies end: a driver may keep it once.
   */
  | { readonly verb: "replace"; readonly jobs: readonly ChildJob[]; readonly tail?: string };

/** One delivery of a job that had several endpoints. Exempt from capacity and deduplication. */
export interface ChildJob {
  /** The delivery's id. */
  readonly id: string;
  readonly body: JobBody;
  /** What stands before the disposition's `tail` in the body; absent where there is no tail. */
  readonly head?: string;
  /** Endpoint label, from which ordered drivers derive the child's group. */
  readonly endpoint: string;
}

export type Settlement = Disposition & { readonly lease: Lease };

export type SettleResult =
  | { readonly status: "settled" }
  | { readonly status: "lost" }
  | { readonly status: "failed"; readonly error: Error }
  /** `error` is a DriverUnavailableError. */
  | { readonly status: "unknown"; readonly error: Error };

export interface QueueStats {
  readonly ready: number | null;
  /** Waiting for a due time. */
  readonly delayed: number | null;
  readonly leased: number | null;
  readonly parked: number | null;
  readonly dead: number | null;
  readonly oldestReadyAgeMs: number | null;
  readonly paused: boolean;
}

/** The parked jobs of one key. */
export interface ParkedJobs {
  readonly key: string;
  /** At least 1. */
  readonly count: number;
  /** Epoch ms of the enqueue of the one that was parked first; null where it is not known. */
  readonly oldestEnqueuedAt: number | null;
}

export interface DeadLetter {
  /** Unique among the queue's dead letters: the job's id, with `.2`, `.3` … where that is taken. */
  readonly id: string;
  readonly jobId: string;
  readonly reason: string;
  readonly detail: string | null;
  readonly endpoint: string | null;
  readonly attempts: number;
  /** Epoch ms. */
  readonly failedAt: number;
  readonly enqueuedAt: number | null;
  readonly body: JobBody;
}

export interface DeadLetterPageRequest {
  /** 1 to 1000. */
  readonly limit: number;
  /** The previous page's cursor; null for the first. */
  readonly cursor: string | null;
  /**
   * Most bytes of what is stored that the page holds, so that no page costs more memory than this. A larger letter
   * comes on a page of its own. Absent: `limit` alone counts.
   */
  readonly maxBytes?: number;
  /** Only letters that fit. Absent: all. */
  readonly filter?: DeadLetterFilter;
  /** The oldest first; the cursor is one of such a page. Where the backend keeps no order this changes nothing. */
  readonly oldestFirst?: boolean;
  /** With `oldestFirst`, the cursor of the last letter that is wanted: what died after it is left out. */
  readonly upTo?: string;
  /** False: the bodies are not asked for; a backend that has them at hand may give them all the same, others give "". */
  readonly bodies?: boolean;
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  /** For each item the cursor of a page that ends with it; empty where there are none. */
  readonly cursors: readonly string[];
  /** How many letters were looked at, those that do not fit counted. */
  readonly looked: number;
  /** Null after the last page. */
  readonly cursor: string | null;
  /** False where a page is a sample of what is there. */
  readonly complete: boolean;
}

export interface DeadCounts {
  readonly groups: readonly DeadCount[];
  /** Bytes that the queue's dead letters take, their bodies and what is kept beside them. */
  readonly bytes: number;
  /** False until the counts of a store that older versions filled are complete. */
  readonly complete: boolean;
}

export interface DeadCount {
  /** Endpoint label `app/name`; null where the job never reached routing. */
  readonly endpoint: string | null;
  readonly reason: string;
  readonly count: number;
}

export type RedriveSelection =
  | {
      readonly ids: readonly string[];
      /** By dead letter's id: the job that it becomes, where that is another than it was. */
      readonly rewritten?: ReadonlyMap<string, RewrittenJob>;
    }
  | { readonly max: number };

/** A job that takes a dead letter's place, in the same atomic step as a redrive. */
export interface RewrittenJob {
  readonly id: string;
  readonly body: JobBody;
  /** Label of the endpoint it is bound to. */
  readonly endpoint: string;
}

/** Where drivers report what happens to jobs outside of any call's answer. */
export interface DriverEvents {
  /** Capacity removed ready jobs (memory, evict_oldest). */
  evicted(queue: string, count: number): void;
  /** Retention removed dead letters. */
  trimmed(queue: string, count: number): void;
  /** Leases that ended unsettled and were reclaimed. */
  reclaimed(queue: string, count: number): void;
  /** One that the driver gave up by its own limits; its dead letter is written. Those asked of it are not told. */
  deadLettered?(queue: string, letter: OwnDeadLetter): void;
}

/** A dead letter that no settlement asked for. */
export interface OwnDeadLetter {
  readonly jobId: string;
  readonly reason: string;
  /** One sentence for people, no secrets. */
  readonly detail: string | null;
  /** Endpoint label; null when the driver was not told. */
  readonly endpoint: string | null;
}
