import { bodyBytes } from "../../../jobs/body.ts";
import { mostPassedOver } from "../../job-lists.ts";
import type { ListedJob, ListedState, ListPage, ListPageRequest } from "../../job-lists.ts";
import type { JobEntry } from "./job-entry.ts";
import type { JobLine } from "./job-line.ts";
import type { Leases } from "./leases.ts";
import { mostAnchors, placeBehind, readCursor, writeCursor, type CursorMark } from "./list-cursor.ts";
import { nearestBehind, type TimePlace } from "./nearest.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";

/** A job where it stands. */
export interface Seen {
  readonly entry: JobEntry;
  readonly state: ListedState;
  /** The key it is parked under; null for others. */
  readonly key: string | null;
}

export interface ListedPagesOptions {
  readonly waiting: WaitingJobs;
  readonly leases: Leases;
  /** Stands in each cursor: it names the queue and this process, whose times are its own. */
  readonly run: string;
  /** Makes ready what is due, and reclaims leases that ended; to be called before anything is looked at. */
  readonly promote: () => void;
  /** Bytes of a job's body; to be asked for in the step in which the job was found. */
  readonly sizeOf: (entry: JobEntry) => number;
  /** Those that are still there, as they stand now; read in the step of the call. */
  readonly load: (seen: readonly Seen[]) => Promise<readonly (ListedJob | null)[]>;
}

/** A job of a page, and the cursor that goes on behind it. */
interface Marked {
  readonly seen: Seen;
  readonly cursor: string;
}

/** Jobs looked at in one step where some are passed over, and the bytes that are read in one. */
const readAtATime = 2_000;
const bytesAtATime = 2_000_000;

/** The pages of a queue in this process: JobLists.page. */
export function createListedPages(
  options: ListedPagesOptions,
): (request: ListPageRequest) => Promise<ListPage> {
  const { waiting, leases, run } = options;

  /** Up to `count` jobs of a state behind a mark, each with the mark that a page goes on behind it with. */
  const pageOf = (
    { state, cursor, key }: Pick<ListPageRequest, "state" | "cursor" | "key">,
    count: number,
  ): Marked[] => {
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
        marked.push({ seen: { entry, state, key: state === "parked" ? name : null }, cursor: cursorBehind });
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
        seen: { entry, state, key: null },
        cursor: writeCursor(run, state, { name: "", place: entry.deadline, orders: [entry.order] }),
      }));
  };

  /** The first of them, as many as are to be read in one step. */
  const firstOf = (marked: readonly Marked[], bytesLeft: number): readonly Marked[] => {
    let bytes = 0;
    const end = marked.findIndex(({ seen }, index) => {
      bytes += options.sizeOf(seen.entry);
      return index > 0 && bytes > Math.min(bytesLeft, bytesAtATime);
    });
    return end === -1 ? marked : marked.slice(0, end);
  };

  return async ({ limit, maxBytes, judge, ...request }) => {
    const items: ListedJob[] = [];
    let bytes = 0;
    let passedOver = 0;
    /** Behind the last job that was looked at. */
    let { cursor } = request;
    for (;;) {
      options.promote();
      // One more than is shown: a page that ends with the last job says so.
      const count = Math.max(limit - items.length + 1, passedOver > 0 ? readAtATime : 0);
      const found = pageOf({ ...request, cursor }, count);
      const marked = firstOf(found, maxBytes - bytes);
      const jobs = await options.load(marked.map(({ seen }) => seen));
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
      if (found.length < count && marked.length === found.length) return { items, cursor: null };
    }
  };
}

function leasedBehind(entries: readonly JobEntry[], after: TimePlace | null, count: number): JobEntry[] {
  const columns = {
    size: entries.length,
    deadlineAt: (index: number) => (entries[index] as JobEntry).deadline,
    orderAt: (index: number) => (entries[index] as JobEntry).order,
  };
  return nearestBehind(columns, after, count).map((index) => entries[index] as JobEntry);
}

/** In the order of their first members. */
function byText([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
