import { hasStatus, labelOf } from "../history/filter.ts";
import { decodeJob } from "../jobs/decode.ts";
import { safeJobId } from "../jobs/id.ts";
import type { DecodedJob, JobEvent } from "../jobs/job.ts";
import type { DeadLetterFilter } from "../queue/dead-filter.ts";
import type { DeadLetter } from "../queue/driver.ts";
import { idsOf } from "./dead-view.ts";
import { deliveryFilterSchemas, describedTime, orNumber, outOfReach, timeOf } from "./delivery-filter.ts";
import type { AdminDeps } from "./deps.ts";
import { mayNameApp } from "./reach.ts";
import type { Caller } from "./tokens.ts";
import * as v from "valibot";

const since = describedTime("It was given up at or after");
const until = describedTime("It was given up at or before");

const { app, endpoint, event, job_id, reason, status } = deliveryFilterSchemas;

/** The filters of dead letters, as query parameters. */
export const deadFilterSchemas = {
  app,
  endpoint,
  event,
  reason,
  status,
  job_id,
  since: v.optional(since),
  until: v.optional(until),
} as const;

/** The filters as members of a body's `filter`. */
export const deadBodyFilterSchemas = {
  ...deadFilterSchemas,
  status: orNumber(v.unwrap(status)),
  since: orNumber(since),
  until: orNumber(until),
} as const;

/** The filters that a request gives. */
export type GivenDeadFilter = {
  readonly [Name in keyof typeof deadFilterSchemas]?: v.InferOutput<(typeof deadFilterSchemas)[Name]>;
};

/** Which dead letters of one queue are meant, and may be: those that the caller may see. */
export interface DeadLetterChoice {
  /** What the driver is asked for; it gives these letters and maybe more. Absent: all. */
  readonly filter?: DeadLetterFilter;
  /** Whether a letter's body decides. */
  readonly needsBody: boolean;
  /** Some letters may be among those that the driver gives and not among those that are meant. */
  readonly isNarrower: boolean;
  includes(letter: DeadLetter): boolean;
}

/** Longest id of a job whose deliveries' ids are made of it; a longer one is replaced by its hash. */
const longestPlainId = 119;

export interface ChoiceContext {
  readonly deps: Pick<AdminDeps, "clock" | "driver" | "live">;
  readonly caller: Caller;
  readonly format: "auto" | "raw";
}

/**
 * The dead letters that fit a filter and that the caller may see. Times of the kind `-15m` count from now.
 *
 * @throws RequestError `forbidden` for an app that the caller may not name.
 */
export function chooseDeadLetters(
  given: GivenDeadFilter,
  { deps, caller, format }: ChoiceContext,
): DeadLetterChoice {
  const { event: eventName, status: wantedStatus } = given;
  if (given.app !== undefined && !mayNameApp(caller, given.app)) throw outOfReach("app");
  const apps = given.app === undefined ? caller.apps : new Set([given.app]);
  const [onlyApp] = apps?.size === 1 ? apps : [];
  const now = deps.clock.now();
  const jobIds = given.job_id === undefined ? null : [given.job_id, safeJobId(given.job_id)];
  const plainId = jobIds?.[1] ?? "";
  const isIdKnown = deps.driver.capabilities.listsDeadLetters && plainId.length <= longestPlainId;
  const filter: DeadLetterFilter = {
    since: timeOf(given.since, now),
    until: timeOf(given.until, now),
    endpoint: labelOf(given),
    endpointPrefix: onlyApp === undefined || onlyApp === "-" ? undefined : `${onlyApp}/`,
    reason: given.reason,
    jobId: jobIds === null || !isIdKnown ? undefined : plainId,
  };
  const read = (letter: DeadLetter): DecodedJob | null => {
    const job = decodeJob(letter.body, { format });
    return job.kind === "malformed" ? null : job;
  };
  const appOf = (letter: DeadLetter): string | null => {
    if (letter.endpoint !== null) return appOfLabel(letter.endpoint);
    const job = read(letter);
    if (job === null) return null;
    if (job.kind !== "pusher") return (job.kind === "generic" ? job.appId : null) ?? "-";
    return job.appId ?? deps.live.directory.findApp(null, job.appKey)?.id ?? null;
  };
  const isGiven = Object.values(filter).some((value) => value !== undefined);
  const needsBody = eventName !== undefined || apps !== null || jobIds !== null;

  return {
    ...(isGiven ? { filter } : {}),
    needsBody,
    isNarrower: needsBody || wantedStatus !== undefined,
    includes(letter) {
      if (wantedStatus !== undefined && !hasStatus(statusOf(letter), wantedStatus)) return false;
      if (jobIds !== null) {
        const ids = [letter.jobId, idsOf(letter, format).jobId];
        if (!ids.some((id) => jobIds.includes(id))) return false;
      }
      if (apps !== null && !apps.has(appOf(letter) ?? "")) return false;
      return eventName === undefined || eventsOf(read(letter)).some(({ name }) => name === eventName);
    },
  };
}

/** The app of an endpoint's label; `-` for a named endpoint. */
export function appOfLabel(label: string): string {
  const slash = label.indexOf("/");
  return slash === -1 ? "-" : label.slice(0, slash);
}

/** The status that the receiver answered the last attempt with; undefined where it gave none. */
function statusOf({ reason: why, detail }: DeadLetter): number | undefined {
  const digits = /^HTTP (\d{3})\b/.exec(detail ?? "")?.[1] ?? /^http_(\d{3})$/.exec(why)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The events that a delivery consists of. */
function eventsOf(job: DecodedJob | null): readonly Pick<JobEvent, "name">[] {
  if (job === null || job.kind === "raw") return [];
  if (job.kind === "generic") return [{ name: job.type }];
  const { boundEvents, events } = job;
  if (boundEvents === null || boundEvents === "all") return events;
  return boundEvents.flatMap((place) => events[place] ?? []);
}
