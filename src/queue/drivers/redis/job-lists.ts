import { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import { mostPassedOver } from "../../job-lists.ts";
import type { ListedJob, ListPage, ListPageRequest, ListedState } from "../../job-lists.ts";
import { replyList, replyText } from "./evaluate.ts";
import { behindPrefix, isScore, type JobPlace } from "./job-place.ts";
import { parkedKeysScript } from "./list-scripts.ts";
import { readWindow, type ListMark, type Mark, type Section } from "./list-windows.ts";
import type { QueueLink } from "./queue-link.ts";

/** Entries behind which a page may go on: jobs that are cancelled meanwhile leave others to go by. */
const mostAnchors = 4;

/** Jobs read at a time where some are passed over, and at most: so many cost Redis a millisecond. */
const filteredWindow = 200;
const mostInACall = 250;

/** The parts of a list in the order in which they are shown, which is that of the lease script. */
const readySections: readonly Section[] = [
  { kind: "sorted", place: "leases", part: "past" },
  { kind: "sorted", place: "delayed", part: "past" },
  { kind: "list", place: "children", key: "" },
  { kind: "list", place: "claimed", key: "" },
  { kind: "list", place: "own", key: "" },
  { kind: "list", place: "ready", key: "" },
];

/** The keys under which jobs are parked, in the order of their texts. */
export async function parkedKeys(link: QueueLink): Promise<string[]> {
  const [, keys] = await link.call("listing jobs", parkedKeysScript, []);
  return replyList(keys)
    .map((key) => replyText(key))
    .sort();
}

async function sectionsOf(
  link: QueueLink,
  state: ListedState,
  key: string | undefined,
): Promise<readonly Section[]> {
  if (state === "ready") return readySections;
  if (state === "delayed") return [{ kind: "sorted", place: "delayed", part: "coming" }];
  if (state === "leased") return [{ kind: "sorted", place: "leases", part: "coming" }];
  const keys = key === undefined ? await parkedKeys(link) : [key];
  return keys.map((one) => ({ kind: "list", place: "parked", key: one }));
}

/** One page of the jobs of a queue that are in a state; see JobLists. */
export async function listJobs(
  link: QueueLink,
  { state, limit, cursor, key, maxBytes, judge }: ListPageRequest,
): Promise<ListPage> {
  const start = cursor === null ? null : readCursor(cursor, state);
  const sections = await sectionsOf(link, state, key);
  let at = start === null ? 0 : sections.findIndex((section) => isAtOrBehind(section, start.section));
  if (at === -1) at = sections.length;
  const isSame = start !== null && at < sections.length && isSection(sections[at]!, start.section);
  let after: Mark | null = isSame ? start.mark : null;
  const items: ListedJob[] = [];
  let bytes = 0;
  let passedOver = 0;
  /** Behind the last job that was looked at. */
  let next: string | null = null;
  for (; at < sections.length; at += 1, after = null) {
    const section = sections[at] as Section;
    const seen: JobPlace[] = [];
    for (;;) {
      // One more than is shown: a page that ends with the last job says so.
      const wanted = Math.max(limit - items.length + 1, passedOver > 0 ? filteredWindow : 0);
      const count = Math.min(wanted, mostInACall);
      const left = Math.max(1, maxBytes - bytes);
      const window = await readWindow(link, section, { after, count, maxBytes: left, most: 1_000 });
      for (const { place, job } of window.jobs) {
        const isFirst = items.length + passedOver === 0;
        const isTooMuch = bytes + place.size > maxBytes && !isFirst;
        const isFull = isTooMuch || passedOver === mostPassedOver || items.length === limit;
        const verdict = isFull ? "full" : judge === undefined ? "take" : await judge(job);
        if (verdict === "full") return { items, cursor: next };
        bytes += place.size;
        if (verdict === "take") items.push(job);
        else passedOver += 1;
        seen.push(place);
        next = writeCursor(section, markOf(seen));
      }
      if (window.isEnd || window.next === null) break;
      after = window.next;
    }
  }
  return { items, cursor: null };
}

/** Behind the last of these jobs of one section. */
function markOf(shown: readonly JobPlace[]): Mark {
  const last = shown.at(-1) as JobPlace;
  if (last.place === "delayed") return { score: last.at, prefix: behindPrefix(last.prefix) };
  if (last.place === "leases") return { score: last.at, prefix: Buffer.from(last.key).subarray(0, 64) };
  const entries = [...shown.slice(-(mostAnchors - 1)).reverse(), shown[0] as JobPlace];
  return { index: Number(last.at), entries: entries.map(({ size, sha }) => ({ size, sha })) };
}

function isSection(section: Section, name: string): boolean {
  return nameOf(section) === name;
}

/** Keys come and go, and stand in the order of their texts; the other sections are always there. */
function isAtOrBehind(section: Section, name: string): boolean {
  return isSection(section, name) || (section.place === "parked" && nameOf(section) > name);
}

function nameOf(section: Section): string {
  return section.kind === "list" ? `${section.place} ${section.key}` : section.place;
}

/** What a cursor holds: the state it is for, the section, and what stands before the next page. */
function writeCursor(section: Section, mark: Mark): string {
  const parts =
    "score" in mark
      ? [mark.score, mark.prefix.toString("base64url")]
      : [String(mark.index), ...mark.entries.map(({ size, sha }) => `${size}-${sha}`)];
  const isPast = section.kind === "sorted" && section.part === "past";
  return [
    isPast ? "ready" : section.place,
    Buffer.from(nameOf(section)).toString("base64url"),
    ...parts,
  ].join("~");
}

function readCursor(cursor: string, state: ListedState): { section: string; mark: Mark } {
  const [of = "", section = "", first = "", ...rest] = cursor.split("~");
  const name = Buffer.from(section, "base64url").toString("utf8");
  const wanted: Readonly<Record<string, ListedState>> = {
    delayed: "delayed",
    leases: "leased",
    parked: "parked",
  };
  const isSorted = name === "delayed" || name === "leases";
  if ((wanted[of] ?? "ready") !== state || !isScore(first)) throw badCursor();
  if (isSorted) {
    if (rest.length !== 1) throw badCursor();
    const prefix = Buffer.from(rest[0] as string, "base64url").subarray(0, 64);
    return { section: name, mark: { score: first, prefix } };
  }
  const entries = rest.map((entry) => /^(\d{1,10})-([0-9a-f]{40})$/.exec(entry));
  if (!/^\d{1,12}$/.test(first) || entries.length === 0 || entries.length > mostAnchors) throw badCursor();
  const mark: ListMark = {
    index: Number(first),
    entries: entries.map((match) => {
      if (match === null) throw badCursor();
      return { size: Number(match[1]), sha: match[2] as string };
    }),
  };
  return { section: name, mark };
}

function badCursor(): HooklineError {
  return new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page of this list");
}
