import type { Clock } from "../../../clock.ts";
import { bodyBytes } from "../../../jobs/body.ts";
import { mostPassedOver } from "../../job-lists.ts";
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
import type { JobLine } from "./job-line.ts";
import type { Keeper } from "./keeper.ts";
import type { Leases } from "./leases.ts";
import { mostAnchors, placeBehind, readCursor, writeCursor, type CursorMark } from "./list-cursor.ts";
import { nearestBehind, type TimePlace } from "./nearest.ts";
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

/** A job where it stands; `until` is epoch ms. */
interface Seen {
  readonly entry: JobEntry;
  readonly state: ListedState;
  readonly until: number | null;
  readonly key: string | null;
}

/** Jobs read in one step of a look for ids. */
const readAtATime = 500;

export function createListedJobs(options: ListedJobsOptions): ListedJobs {
  const { waiting, leases, keeper, clock, mark, run } = options;

  const refOf = ({ order }: JobEntry): string => `${mark}-${order}`;
  const orderOf = (ref: string): number => {
    const order = ref.startsWith(`${mark}-`) ? ref.slice(mark.length + 1) : "";
    return /^\d{1,15}$/.test(order) ? Number(order) : -1;
  };
  const epoch = (deadline: number): number => Math.round(clock.now() + deadline - clock.monotonic());
  const at = (entry: JobEntry, state: ListedState, key: string | null = null): Seen => ({
    entry,
    state,
    key,
    until: state === "delayed" || state === "leased" ? epoch(entry.deadline) : null,
  });

  const describe = ({ entry, state, until, key }: Seen, { id, body }: StoredBody): ListedJob => {
    const { attempts, enqueuedAt } = entry;
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
      for (const entry of entries) if (orders.has(entry.order)) found.set(entry.order, at(entry, state, key));
    };
    note(leases.values(), "leased");
    for (const line of waiting.lines()) note(line.pick(orders, false), "ready");
    for (const [key, line] of waiting.parkedLines()) note(line.pick(orders, false), "parked", key);
    for (const heap of waiting.heaps()) note(heap.pick(orders, false), "delayed");
    return found;
  };

  const ordersOf = (refs: readonly string[]): Set<number> =>
    new Set(refs.map(orderOf).filter((one) => one >= 0));

  const read = async (refs: readonly string[]): Promise<(ListedJob | null)[]> => {
    options.promote();
    const found = locate(ordersOf(refs));
    const jobs = await load([...found.values()]);
    const byRef = new Map(jobs.flatMap((job) => (job === null ? [] : [[job.ref, job] as const])));
    return refs.map((ref) => byRef.get(ref) ?? null);
  };

  /** Up to `count` jobs of a state behind a mark, each with the mark that a page goes on behind it with. */
  const pageOf = ({ state, cursor, key }: ListPageRequest, count: number): Marked[] => {
    const after = cursor === null ? null : readCursor(cursor, run, state);
    if (state === "delayed" || state === "leased") return timedPage(state, after, count);
    const lines: [string, JobLine][] =
      state === "ready"
        ? waiting.lines().map((line, index) => [String(index), line])
        : [...waiting.parkedLines()].filter(([one]) => key === undefined || key === one).sort(byText);
    const marked: Marked[] = [];
    for (const [name, line] of lines) {
      if (marked.length === count) break;
      if (after !== null && name < after.name) continue;
      const from = after !== null && after.name === name ? placeBehind(line, after) : 0;
      const shown: number[] = [];
      for (const [index, entry] of line.slice(from, count - marked.length).entries()) {
        shown.push(entry.order);
        const orders = [...shown.slice(1 - mostAnchors).reverse(), shown[0] as number];
        const cursorBehind = writeCursor(run, state, { name, place: from + index, orders });
        marked.push({ seen: at(entry, state, state === "parked" ? name : null), cursor: cursorBehind });
      }
    }
    return marked;
  };

  const timedPage = (state: "delayed" | "leased", after: CursorMark | null, count: number): Marked[] => {
    const behind: TimePlace | null =
      after === null ? null : { deadline: after.place, order: after.orders[0] ?? 0 };
    const entries =
      state === "delayed"
        ? waiting.heaps().flatMap((heap) => heap.behind(behind, count))
        : leasedBehind([...leases.values()], behind, count);
    return entries
      .sort((a, b) => a.deadline - b.deadline || a.order - b.order)
      .slice(0, count)
      .map((entry) => ({
        seen: at(entry, state),
        cursor: writeCursor(run, state, { name: "", place: entry.deadline, orders: [entry.order] }),
      }));
  };

  return {
    read,

    async page(request) {
      const { limit, maxBytes, judge } = request;
      const items: ListedJob[] = [];
      let bytes = 0;
      let passedOver = 0;
      /** Behind the last job that was looked at. */
      let { cursor } = request;
      for (;;) {
        options.promote();
        // One more than is shown: a page that ends with the last job says so.
        const count = Math.max(limit - items.length + 1, passedOver > 0 ? readAtATime : 0);
        const marked = pageOf({ ...request, cursor }, count);
        const jobs = await load(marked.map(({ seen }) => seen));
        for (const [index, job] of jobs.entries()) {
          if (job !== null) {
            const size = bodyBytes(job.body);
            const isTooMuch = bytes + size > maxBytes && items.length + passedOver > 0;
            const isFull = isTooMuch || passedOver === mostPassedOver || items.length === limit;
            const verdict = isFull ? "full" : judge === undefined ? "take" : await judge(job);
            if (verdict === "full") return { items, cursor };
            bytes += size;
            if (verdict === "take") items.push(job);
            else passedOver += 1;
          }
          ({ cursor } = marked[index] as Marked);
        }
        if (marked.length < count) return { items, cursor: null };
      }
    },

    async find(ids) {
      options.promote();
      const most = options.mostLookedAt;
      let complete = true;
      const entries: JobEntry[] = [...leases.values()];
      for (const place of [...waiting.lines(), ...waiting.parkedLines().values(), ...waiting.heaps()]) {
        if (place.size <= 2 * most) entries.push(...place.slice(0, place.size));
        else {
          complete = false;
          entries.push(...place.slice(0, most), ...place.slice(place.size - most, most));
        }
      }
      const wanted = createIdTest(ids);
      const refs: string[] = [];
      // In one step where ids are at hand: an entry may be gone in the next.
      let left: readonly JobEntry[] = entries;
      while (left.length > 0) {
        const some = left.slice(0, readAtATime);
        left = left.slice(readAtATime);
        const stored = keeper.lookAtIds(some);
        const found = stored instanceof Promise ? await stored : stored;
        for (const [index, id] of found.entries()) if (wanted(id)) refs.push(refOf(some[index] as JobEntry));
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

/** A job of a page, and the cursor that goes on behind it. */
interface Marked {
  readonly seen: Seen;
  readonly cursor: string;
}

function leasedBehind(entries: readonly JobEntry[], after: TimePlace | null, count: number): JobEntry[] {
  const columns = {
    size: entries.length,
    deadlineAt: (index: number) => (entries[index] as JobEntry).deadline,
    orderAt: (index: number) => (entries[index] as JobEntry).order,
  };
  return nearestBehind(columns, after, count).map((index) => entries[index] as JobEntry);
}

/** Whether a stored id is one of these, or that of a delivery of theirs: the id, `_`, 8 hex. */
export function createIdTest(ids: readonly string[]): (stored: string) => boolean {
  const wanted = new Set(ids);
  return (stored) => wanted.has(stored) || (stored.at(-9) === "_" && wanted.has(stored.slice(0, -9)));
}

/** In the order of their first members. */
function byText([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
