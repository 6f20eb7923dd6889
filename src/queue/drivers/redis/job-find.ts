import type { Buffer } from "node:buffer";
import type { DeadLetter } from "../../driver.ts";
import type { FoundJobs, ListedJob } from "../../job-lists.ts";
import { idOfName, nameOfId, readDeadLetter } from "./dead-record.ts";
import { replyList, replyText } from "./evaluate.ts";
import { parkedKeys } from "./job-lists.ts";
import { listedJob, placePrefix } from "./job-place.ts";
import { deadFindScript, parkedFindScript } from "./list-scripts.ts";
import { readWindow, type Mark, type Section, type WindowRequest } from "./list-windows.ts";
import type { QueueLink } from "./queue-link.ts";

/** So many entries at either end of a place are looked at; of parked jobs so many in all. */
const mostAtAnEnd = 10_000;
/** And so many in one call, which takes Redis a millisecond or two. */
const mostInACall = 1_000;
const mostFound = 200;
const mostBytes = 4_000_000;

/** The lists from which jobs are leased. */
const lines: readonly Section[] = [
  { kind: "list", place: "ready", key: "" },
  { kind: "list", place: "own", key: "" },
  { kind: "list", place: "children", key: "" },
  { kind: "list", place: "claimed", key: "" },
];
const delayed: Section = { kind: "sorted", place: "delayed", part: "all" };
const leases: Section = { kind: "sorted", place: "leases", part: "all" };

/**
 * Looks for jobs by their ids; see JobLists. Nothing is known of where an id stands, so that the ends of each place are
 * looked at.
 */
export async function findJobs(link: QueueLink, ids: readonly string[]): Promise<FoundJobs> {
  const found = new Map<string, ListedJob>();
  const add = (jobs: readonly ListedJob[]): void => {
    for (const job of jobs) found.set(job.ref, job);
  };

  /** Looks at `most` entries from an index or rank on; whether that was all. */
  const lookFrom = async (
    section: Section,
    from: number,
    most: number,
  ): Promise<{ isAll: boolean; size: number }> => {
    let after: Mark | null = null;
    let left = most;
    let size = 0;
    while (left > 0 && found.size < mostFound) {
      const request: WindowRequest = {
        after,
        from,
        ids,
        count: mostFound,
        maxBytes: mostBytes,
        most: Math.min(left, mostInACall),
      };
      const window = await readWindow(link, section, request);
      add(window.jobs.map(({ job }) => job));
      ({ size } = window);
      if (window.isEnd || window.next === null) return { isAll: true, size };
      after = window.next;
      left -= window.looked;
    }
    return { isAll: false, size };
  };

  /** Looks at both ends of each section; whether that was all. */
  const look = async (sections: readonly Section[]): Promise<boolean> => {
    let isAll = true;
    for (const section of sections) {
      const front = await lookFrom(section, 0, mostAtAnEnd);
      if (front.isAll) continue;
      const restAt = Math.max(mostAtAnEnd, front.size - mostAtAnEnd);
      const rest = await lookFrom(section, restAt, mostAtAnEnd);
      isAll &&= rest.isAll && restAt === mostAtAnEnd;
    }
    return isAll;
  };

  const lookAtParked = async (): Promise<boolean> => {
    const { jobs, large, isAll } = await findParked(link, ids);
    add(jobs);
    const areLargeAll = await look(large.map((key) => ({ kind: "list", place: "parked", key })));
    return isAll && areLargeAll;
  };

  // Jobs go from the lists and from what is parked to the leases, and from there back: those places are looked at again
  // when nothing was found, so that a job which moved meanwhile is met.
  let complete = await look(lines);
  complete = (await lookAtParked()) && complete;
  complete = (await look([delayed, leases])) && complete;
  if (found.size === 0) {
    complete = (await look([delayed])) && complete;
    complete = (await lookAtParked()) && complete;
  }
  return { jobs: [...found.values()], complete: complete && found.size < mostFound };
}

/** The jobs of these ids that are parked; `large`: keys that hold too many to be looked at here. */
async function findParked(
  link: QueueLink,
  ids: readonly string[],
): Promise<{ jobs: readonly ListedJob[]; large: readonly string[]; isAll: boolean }> {
  let keys = await parkedKeys(link);
  const jobs: ListedJob[] = [];
  const large: string[] = [];
  let left = mostAtAnEnd;
  while (keys.length > 0 && left > 0) {
    const some = keys.slice(0, 500);
    const args = [mostFound, mostBytes, mostInACall, some.length, ...some, ...ids];
    const [, done, looked, tooLarge, ...values] = await link.call("listing jobs", parkedFindScript, args);
    large.push(...replyList(tooLarge).map((key) => replyText(key)));
    for (let at = 0; at < values.length; at += 4) {
      const [key, index, sha, bytes] = values.slice(at, at + 4) as [Buffer, number, Buffer, Buffer];
      const place = {
        place: "parked",
        key: key.toString("utf8"),
        at: String(index),
        size: bytes.length,
        sha: replyText(sha),
        prefix: placePrefix(bytes),
      } as const;
      jobs.push(listedJob(place, bytes, "0", 0));
    }
    left -= Number(looked);
    keys = keys.slice(Number(done));
  }
  return { jobs, large, isAll: keys.length === 0 };
}

/** Dead letters by their ids; see QueueDriver. */
export async function findDeadLetters(link: QueueLink, ids: readonly string[]): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let names = ids.map(nameOfId);
  while (names.length > 0 && letters.length < mostFound) {
    const args = [mostBytes, ...names.slice(0, 1_000)];
    const [, looked, ...values] = await link.call("listing dead letters", deadFindScript, args);
    for (let at = 0; at < values.length; at += 2) {
      const [name, content] = values.slice(at, at + 2) as [Buffer, Buffer];
      letters.push(readDeadLetter(idOfName(name), content));
    }
    names = names.slice(Math.max(1, Number(looked)));
  }
  return letters;
}
