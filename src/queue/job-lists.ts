import type { JobBody } from "../jobs/job.ts";

/** Where a job can wait. */
export const listedStates = ["ready", "delayed", "leased", "parked"] as const;
export type ListedState = (typeof listedStates)[number];

/** A job that is there, as it stood when it was looked at. */
export interface ListedJob {
  /** Names this job for `read`, `run` and `cancel`: visible ASCII without spaces, at most 1,000 characters. */
  readonly ref: string;
  readonly state: ListedState;
  /** Null for a producer's own message that nobody has leased yet: its id, if it has one, stands in its bytes. */
  readonly id: string | null;
  readonly attempts: number;
  /** Epoch ms; null where the backend does not tell. */
  readonly enqueuedAt: number | null;
  /** Epoch ms at which a delayed job is due, or a lease ends; null for others. */
  readonly until: number | null;
  /** The key it is parked under; null for others. */
  readonly key: string | null;
  readonly body: JobBody;
}

export interface ListPageRequest {
  readonly state: ListedState;
  /** 1 to 1000. */
  readonly limit: number;
  /** The previous page's cursor; null for the first. */
  readonly cursor: string | null;
  /** Parked jobs of this key alone. */
  readonly key?: string;
  /** Most bytes of bodies that are read for the page; a larger job comes on a page of its own. */
  readonly maxBytes: number;
  /**
   * Asked of each job in turn, as far as the page goes: take it, pass over it, or end the page before it. All are taken when
   * it is not given. At most `mostPassedOver` are passed over for a page.
   */
  readonly judge?: (job: ListedJob) => ListVerdict | Promise<ListVerdict>;
}

export type ListVerdict = "take" | "pass" | "full";

/** Jobs that one page may pass over: then it ends, and its cursor leads on. */
export const mostPassedOver = 5_000;

export interface ListPage {
  readonly items: readonly ListedJob[];
  /** Null after the last page. A page that passed over many jobs may be empty and lead on. */
  readonly cursor: string | null;
}

/** What a look for ids found. */
export interface FoundJobs {
  readonly jobs: readonly ListedJob[];
  /** Everything that waits was looked at; otherwise only the ends of what is too long. */
  readonly complete: boolean;
}

/**
 * What became of one ref.
 * - `done`: the job waits no more where it stood. After `run` it is ready, after `cancel` gone.
 * - `leased`: somebody holds it; nothing was changed.
 * - `not_found`: no job stands where the ref says. It was delivered, given up or moved on since it was listed.
 * - `failed`: the backend refused; the job is where it was. Asking again is safe.
 */
export type RefOutcome =
  | { readonly status: "done" | "leased"; readonly job: ListedJob }
  | { readonly status: "not_found" }
  | { readonly status: "failed"; readonly error: Error };

/**
 * Looks at what waits in a queue, and changes single jobs of it.
 *
 * What every backend that has it guarantees (test/drivers/conformance-jobs.ts):
 * - No call looks at more than a bounded part of what is there, whatever waits: a page costs its entries, a look for ids the
 *   ends of each place. Nothing is scanned as a whole.
 * - A list stands in the order in which its jobs will be leased, due or parked, as far as the backend has one order: where
 *   it takes from several places in turns, they stand one behind the other.
 * - Pages go on behind the last job shown, whatever comes and goes meanwhile: a job that stays where it is is shown once.
 *   One that moves, as a lease that is renewed does, may be shown again.
 * - `run` and `cancel` change a job in one atomic step, or not at all: a job that is leased in the same moment is either
 *   leased and left alone, or changed and never leased as it was. A job that `cancel` called `done` is never leased
 *   again. Where this process dies half way, some are done and the others as they were.
 * - A lease that has run out is none: its job is `ready`, and can be cancelled.
 */
export interface JobLists {
  /**
   * One page of the jobs in a state.
   *
   * Throws HooklineError `bad_cursor` for a cursor that no page gave, or whose place is no longer known.
   */
  page(queue: string, request: ListPageRequest): Promise<ListPage>;
  /**
   * The jobs that stand under one of these ids, or under one of their deliveries' (the id, `_`, 8 hex), and those in whose
   * bytes it stands as a member that is named `id`, or ends so: it is for the caller to read those. A job that moves while it is looked for may come
   * twice, under two refs.
   *
   * @param ids At most 100.
   */
  find(queue: string, ids: readonly string[]): Promise<FoundJobs>;
  /** The jobs that the refs name, as they stand now; null for those that are not there. */
  read(queue: string, refs: readonly string[]): Promise<(ListedJob | null)[]>;
  /** Makes delayed and parked jobs ready, ahead of others; one that is ready stays so. One outcome per ref, in order. */
  run(queue: string, refs: readonly string[]): Promise<RefOutcome[]>;
  /** Removes jobs for good. One outcome per ref, in order. */
  cancel(queue: string, refs: readonly string[]): Promise<RefOutcome[]>;
}
