import { Buffer } from "node:buffer";
import type { ListedJob, ListedState } from "../../job-lists.ts";
import { readBody, readRecord } from "./record.ts";

/** Where in Redis a job stands, as the scripts name it (keys.ts). */
const letters = {
  own: "o",
  ready: "r",
  children: "c",
  claimed: "m",
  parked: "p",
  delayed: "d",
  leases: "l",
} as const;

export type PlaceName = keyof typeof letters;

const names = new Map(Object.entries(letters).map(([name, letter]) => [letter as string, name as PlaceName]));

/** One job's place, by which the scripts find it again. */
export interface JobPlace {
  readonly place: PlaceName;
  /** The key that it is parked under, or its lease's token; else "". */
  readonly key: string;
  /** Its index in a list, its score among the delayed. */
  readonly at: string;
  /** Bytes of what is stored. */
  readonly size: number;
  /** SHA-1 of what is stored, in hex. */
  readonly sha: string;
  /** How what is stored begins, as far as a ref may tell: see `placePrefix`. */
  readonly prefix: Buffer;
}

/**
 * How a member of a sorted set begins, so that it is found among those of its score: a record's UID and the space behind it, which no other
 * record has; of bytes that are none, the first four. Never more: refs and cursors go to whoever may read, and a job's own bytes may hold
 * keys and secrets.
 */
export function placePrefix(bytes: Buffer): Buffer {
  const uid = /^[\w-]{1,60} /.exec(bytes.toString("latin1", 0, 61))?.[0];
  return Buffer.from(bytes.subarray(0, uid?.length ?? 4));
}

/** Behind all members that begin so. */
export function behindPrefix(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff)]);
}

/** A ref: the parts of a place, the last two in base64url. */
export function refOf({ place, key, at, size, sha, prefix }: JobPlace): string {
  const parts = [letters[place], at, size, sha, prefix.toString("base64url")];
  return [...parts, Buffer.from(key, "utf8").toString("base64url")].join("~");
}

/** The place that a ref names; null for a text that no list gave. */
export function readRef(ref: string): JobPlace | null {
  const [letter = "", at = "", size = "", sha = "", prefix = "", key = "", ...rest] = ref.split("~");
  const place = names.get(letter);
  if (place === undefined || rest.length > 0) return null;
  if (!isScore(at) || !/^\d{1,10}$/.test(size) || !/^[0-9a-f]{40}$/.test(sha)) return null;
  return {
    place,
    at,
    size: Number(size),
    sha,
    prefix: Buffer.from(prefix, "base64url").subarray(0, 64),
    key: Buffer.from(key, "base64url").toString("utf8"),
  };
}

/** Whether Redis takes a text as a score, which an index is too. */
export function isScore(text: string): boolean {
  return /^(?:-?\d{1,20}(?:\.\d{1,20})?(?:e[+-]?\d{1,3})?|-?inf)$/.test(text);
}

/**
 * A stored job as the interface has it.
 *
 * @param until When it is due or its lease ends, as Redis has it; "0" for other places.
 * @param now   Redis' time, epoch ms.
 */
export function listedJob(place: JobPlace, bytes: Buffer, until: string, now: number): ListedJob {
  const ref = refOf(place);
  const state = stateOf(place.place, Number(until), now);
  const key = place.place === "parked" ? place.key : null;
  if (place.place === "ready" || place.place === "claimed") {
    return {
      ref,
      state,
      key,
      id: null,
      attempts: 0,
      enqueuedAt: null,
      until: null,
      body: readBody(bytes),
    };
  }
  const { id, attempts, enqueuedAt, body } = readRecord(bytes, place.place === "leases" ? place.key : "");
  const isTimed = state === "delayed" || state === "leased";
  return {
    ref,
    state,
    key,
    id: id === "" ? null : id,
    attempts,
    enqueuedAt,
    until: isTimed ? Number(until) : null,
    body,
  };
}

function stateOf(place: PlaceName, until: number, now: number): ListedState {
  if (place === "parked") return "parked";
  if (place === "delayed") return until > now ? "delayed" : "ready";
  if (place === "leases") return until > now ? "leased" : "ready";
  return "ready";
}
