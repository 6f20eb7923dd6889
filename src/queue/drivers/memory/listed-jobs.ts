import type { Clock } from "../../../clock.ts";
import { createPacer } from "../../../pacer.ts";
import type {
  FoundJobs,
  ListedJob,
  ListedState,
  ListPage,
  ListPageRequest,
  RefOutcome,
} from "../../job-lists.ts";
import type { StoredBody } from "./body-store.ts";
import type { JobEntry } from "./job-entry.ts";
import type { Keeper } from "./keeper.ts";
import type { Leases } from "./leases.ts";
import { createListedPages, type Seen } from "./listed-pages.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";

/** The waiting jobs of one queue, one by one; see JobLists. */
export interface ListedJobs {
  page(request: ListPageRequest): Promise<ListPage>;
  find(ids: readonly string[]): Promise<FoundJobs>;
  read(refs: readonly string[]): Promise<(ListedJob | null)[]>;
  run(refs: readonly string[]): Promise<RefOutcome[]>;
  cancel(refs: readonly string[]): Promise<RefOutcome[]>;
}

export interface ListedJobsOptions {
  readonly waiting: WaitingJobs;
  readonly leases: Leases;
  readonly keeper: Keeper;
  readonly clock: Clock;
  /** Stands in each cursor: it names the queue and this process, whose times are its own. */
  readonly run: string;
  /** Stands before each ref; `run`, where the queue does not outlive the process. */
  readonly mark: string;
  /** At either end of each place so many jobs are looked at for an id. */
  readonly mostLookedAt: number;
  /** Makes ready what is due, and reclaims leases that ended; to be called before anything is looked at. */
  readonly promote: () => void;
  /** Puts a job that was taken out where a lease call takes it first. */
  readonly makeReady: (entry: JobEntry) => void;
  /** Tells those who wait that there may be jobs. */
  readonly wake: () => void;
}

/** Jobs whose ids are read in one step of a look for ids. */
const idsAtATime = 2_000;

export function createListedJobs(options: ListedJobsOptions): ListedJobs {
  const { waiting, leases, keeper, clock, mark } = options;

  const refOf = ({ order }: JobEntry): string => `${mark}-${order}`;
  const orderOf = (ref: string): number => {
    const order = ref.startsWith(`${mark}-`) ? ref.slice(mark.length + 1) : "";
    return /^\d{1,15}$/.test(order) ? Number(order) : -1;
  };
  const epoch = (deadline: number): number => Math.round(clock.now() + deadline - clock.monotonic());

  const describe = ({ entry, state, key }: Seen, { id, body }: StoredBody): ListedJob => {
    const { attempts, deadline, enqueuedAt } = entry;
    const until = state === "delayed" || state === "leased" ? epoch(deadline) : null;
    return { ref: refOf(entry), state, id, attempts, enqueuedAt, until, key, body };
  };

  /** Those that are still there, as they stand now; read in one step. */
  const load = async (seen: readonly Seen[]): Promise<(ListedJob | null)[]> => {
    const stored = await keeper.look(seen.map(({ entry }) => entry));
    return seen.map((one, index) => {
      const body = stored[index];
      return body === null || body === undefined ? null : describe(one, body);
    });
  };

  /** Where the jobs of these orders stand. */
  const locate = (orders: ReadonlySet<number>): Map<number, Seen> => {
    const found = new Map<number, Seen>();
    const note = (entries: Iterable<JobEntry>, state: ListedState, key: string | null = null): void => {
      for (const entry of entries) if (orders.has(entry.order)) found.set(entry.order, { entry, state, key });
    };
    const isAll = (): boolean => found.size === orders.size;
    note(leases.values(), "leased");
    for (const [key, line] of waiting.parkedLines()) note(line.pick(orders, false), "parked", key);
    for (const line of waiting.lines()) if (!isAll()) note(line.pick(orders, false), "ready");
    for (const heap of waiting.heaps()) if (!isAll()) note(heap.pick(orders, false), "delayed");
    return found;
  };

  /**
   * All jobs, but of a place that holds more than twice as many only so many at either end: then "cut" is among the parts. Each place is gone
   * through from its back, because what leaves at its front meanwhile moves the others up; the leases come last, where such jobs are.
   */
  function* lookedAt(most: number): Generator<readonly JobEntry[] | "cut"> {
    for (const place of [...waiting.lines(), ...waiting.parkedLines().values(), ...waiting.heaps()]) {
      const isCut = place.size > 2 * most;
      if (isCut) yield "cut";
      const ends = isCut ? [place.size - most, 0] : [0];
      let high = place.size;
      for (const end of ends) {
        if (end === 0 && isCut) high = most;
        for (; high > end; high -= idsAtATime) {
          const low = Math.max(end, high - idsAtATime);
          yield place.slice(low, high - low);
        }
      }
    }
    yield [...leases.values()];
  }

  const ordersOf = (refs: readonly string[]): Set<number> =>
    new Set(refs.map(orderOf).filter((one) => one >= 0));

  const read = async (refs: readonly string[]): Promise<(ListedJob | null)[]> => {
    options.promote();
    const found = locate(ordersOf(refs));
    const jobs = await load([...found.values()]);
    const byRef = new Map(jobs.flatMap((job) => (job === null ? [] : [[job.ref, job] as const])));
    return refs.map((ref) => byRef.get(ref) ?? null);
  };

  return {
    read,

    page: createListedPages({
      ...options,
      sizeOf: (entry) => keeper.bodySize(entry),
      load,
    }),

    async find(ids) {
      options.promote();
      const most = options.mostLookedAt;
      const wanted = createIdTest(ids);
      const refs: string[] = [];
      const test = (entries: readonly JobEntry[], found: readonly string[]): void => {
        for (const [index, id] of found.entries())
          if (wanted(id)) refs.push(refOf(entries[index] as JobEntry));
      };
      const pace = createPacer();
      let complete = true;
      for (const part of lookedAt(most)) {
        if (part === "cut") {
          complete = false;
          continue;
        }
        // In the step in which they were found: an entry may be gone in the next.
        const found = keeper.lookAtIds(part);
        test(part, found instanceof Promise ? await found : found);
        await pace();
      }
      const jobs = await read(refs);
      return { jobs: jobs.filter((job) => job !== null), complete };
    },

    run: (refs) => change(refs, options.makeReady, (state) => state === "ready"),
    cancel: (refs) =>
      change(
        refs,
        (entry) => keeper.ended(entry),
        () => false,
      ),
  };

  /**
   * Reads the jobs; then takes out those that still wait, in one step, and does to each what is to be done.
   *
   * @param isDone Whether there is nothing to do in a state.
   */
  async function change(
    refs: readonly string[],
    apply: (entry: JobEntry) => void,
    isDone: (state: ListedState) => boolean,
  ): Promise<RefOutcome[]> {
    const jobs = await read(refs);
    options.promote();
    const byRef = new Map(jobs.flatMap((job) => (job === null ? [] : [[job.ref, job] as const])));
    const now = locate(ordersOf([...byRef.keys()]));
    const outcomes = new Map<string, RefOutcome>();
    const orders = new Set<number>();
    for (const [order, { entry, state }] of now) {
      const job = byRef.get(refOf(entry));
      if (job === undefined) continue;
      outcomes.set(job.ref, { status: state === "leased" ? "leased" : "done", job });
      if (state !== "leased" && !isDone(state)) orders.add(order);
    }
    for (const entry of waiting.takeOut(orders)) apply(entry);
    options.wake();
    return refs.map((ref) => outcomes.get(ref) ?? { status: "not_found" });
  }
}

/** Whether a stored id is one of these, or that of a delivery of theirs: the id, `_`, 8 hex. */
export function createIdTest(ids: readonly string[]): (stored: string) => boolean {
  const wanted = new Set(ids);
  return (stored) => wanted.has(stored) || (stored.at(-9) === "_" && wanted.has(stored.slice(0, -9)));
}
