import type { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import type { ListedJob } from "../../job-lists.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptArgument, ScriptReply } from "./evaluate.ts";
import { listedJob, placePrefix, type JobPlace, type PlaceName } from "./job-place.ts";
import { listWindowScript, sortedWindowScript } from "./list-scripts.ts";
import type { QueueLink } from "./queue-link.ts";

/** A list, or a part of a sorted set, that is read window by window. */
export type Section =
  | { readonly kind: "list"; readonly place: Exclude<PlaceName, "delayed" | "leases">; readonly key: string }
  | {
      readonly kind: "sorted";
      readonly place: "delayed" | "leases";
      readonly part: "past" | "coming" | "all";
    };

/** An entry of a list behind which a window begins: the first of them that is still there. */
export interface ListMark {
  /** The index of the first of them when it was seen. */
  readonly index: number;
  readonly entries: readonly { readonly size: number; readonly sha: string }[];
}

/** A member of a sorted set behind which a window begins. */
export interface SortedMark {
  readonly score: string;
  readonly prefix: Buffer;
}

export type Mark = ListMark | SortedMark;

export interface WindowRequest {
  /** Null: from `from` on. */
  readonly after: Mark | null;
  /** Index or rank; 0 is the front. */
  readonly from?: number;
  readonly count: number;
  readonly maxBytes: number;
  /** Most entries that are looked at. */
  readonly most: number;
  /** Ids that are looked for; none: every job is given. */
  readonly ids?: readonly string[];
}

export interface Window {
  readonly jobs: readonly { readonly place: JobPlace; readonly job: ListedJob }[];
  /** There is nothing behind it. */
  readonly isEnd: boolean;
  /** Behind the last entry that was looked at; null where none was. */
  readonly next: Mark | null;
  /** Entries in the section, and how many were looked at. */
  readonly size: number;
  readonly looked: number;
}

/** A list that lost more jobs than this since its mark was made is not searched for it. */
const longestSearch = 100_000;

/**
 * Reads one window of a section. A mark that is far from where it stood is searched for in several calls, so that none takes long.
 *
 * @throws HooklineError `bad_cursor` for a mark that is too far away.
 */
export async function readWindow(link: QueueLink, section: Section, request: WindowRequest): Promise<Window> {
  return section.kind === "list" ? readList(link, section, request) : readSorted(link, section, request);
}

async function readList(
  link: QueueLink,
  { place, key }: Extract<Section, { kind: "list" }>,
  { after, from = 0, count, maxBytes, most, ids = [] }: WindowRequest,
): Promise<Window> {
  const mark = after as ListMark | null;
  const entries = mark?.entries ?? [];
  const anchors = entries.flatMap(({ size, sha }) => [size, sha]);
  let searchFrom = mark?.index ?? -1;
  for (;;) {
    const head: ScriptArgument[] = [place, key, count, maxBytes, most, from, searchFrom, entries.length];
    const values = await link.call("listing jobs", listWindowScript, [...head, ...anchors, ...ids]);
    const [, status, size, goOnFrom, index, lastSize, lastSha, looked] = values;
    if (replyText(status) === "far") {
      searchFrom = Number(goOnFrom);
      if ((mark?.index ?? 0) - searchFrom > longestSearch) throw tooFar();
      continue;
    }
    const jobs: { place: JobPlace; job: ListedJob }[] = [];
    for (let at = 8; at < values.length; at += 3) {
      const [position, sha, bytes] = values.slice(at, at + 3) as [number, Buffer, Buffer];
      jobs.push(placed({ place, key, at: String(position) }, sha, bytes, "0", 0));
    }
    const last = { size: Number(lastSize), sha: replyText(lastSha) };
    return {
      jobs,
      isEnd: replyText(status) === "end",
      next: Number(index) === -1 ? null : { index: Number(index), entries: [last] },
      size: Number(size),
      looked: Number(looked),
    };
  }
}

async function readSorted(
  link: QueueLink,
  { place, part }: Extract<Section, { kind: "sorted" }>,
  { after, from = 0, count, maxBytes, most, ids = [] }: WindowRequest,
): Promise<Window> {
  const mark = after as SortedMark | null;
  const behind: ScriptArgument[] = [mark?.score ?? "", mark?.prefix ?? ""];
  const args: ScriptArgument[] = [place, part, count, maxBytes, most, from, ...behind, ...ids];
  const values = await link.call("listing jobs", sortedWindowScript, args);
  const [, status, size, score, prefix, looked] = values;
  const jobs: { place: JobPlace; job: ListedJob }[] = [];
  const now = Number(values[6]);
  for (let at = 7; at < values.length; at += 4) {
    const [until, sha, member, stored] = values.slice(at, at + 4) as [Buffer, Buffer, Buffer, Buffer];
    const isLease = place === "leases";
    const at0 = { place, key: isLease ? member.toString("utf8") : "", at: until.toString("latin1") };
    jobs.push(placed(at0, sha, isLease ? stored : member, at0.at, now));
  }
  return {
    jobs,
    isEnd: replyText(status) === "end",
    next: replyText(score) === "" ? null : { score: replyText(score), prefix: prefix as Buffer },
    size: Number(size),
    looked: Number(looked),
  };
}

function placed(
  where: Pick<JobPlace, "place" | "key" | "at">,
  sha: ScriptReply,
  bytes: Buffer,
  until: string,
  now: number,
): { place: JobPlace; job: ListedJob } {
  const prefix = placePrefix(bytes);
  const place: JobPlace = { ...where, size: bytes.length, sha: replyText(sha), prefix };
  return { place, job: listedJob(place, bytes, until, now) };
}

function tooFar(): HooklineError {
  return new HooklineError(
    "bad_cursor",
    `cursor: more than ${longestSearch} jobs were taken since that page was read; begin again without it`,
  );
}
