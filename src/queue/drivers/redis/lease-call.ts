import { randomBytes } from "node:crypto";
import type { Buffer } from "node:buffer";
import type { Lease } from "../../driver.ts";
import { replyList, replyText } from "./evaluate.ts";
import type { ScriptArgument, ScriptReply } from "./evaluate.ts";
import { maxBatch } from "./limits.ts";
import { readBody, readRecord } from "./record.ts";

/** What one call asks for; see leaseScript. */
export interface LeaseRequest {
  readonly max: number;
  readonly leaseMs: number;
  readonly parkedMax: number;
  readonly register: boolean;
  readonly registered: boolean;
  /** True: `keys` are the closed ones, ask for all others; false: ask for `keys`. */
  readonly scan: boolean;
  readonly keys: readonly string[];
}

/** What one call found. */
export interface LeaseAnswer {
  readonly leases: Lease[];
  readonly reclaimed: number;
  /** Until the next delayed job is due or lease ends; null = none, or not asked because the call was full. */
  readonly nextMs: number | null;
  readonly paused: boolean;
  /** Processes of a newer rank live: this one gets nothing. */
  readonly behind: boolean;
  /** There may be more than was asked for. */
  readonly full: boolean;
  readonly registered: boolean;
  /** Open parked keys that hold more. */
  readonly parkedKeys: readonly string[];
}

/**
 * Makes the arguments of call after call.
 *
 * Each has a uid of its own, from which tokens are made: 12 random characters per process, the call's
 * number, the item's. Random and not counted in Redis, because a replica that takes over may have missed
 * the last counts, and a token given twice would let one process settle another's job. Digits are padded so
 * that released jobs of one process sort in the order they were leased.
 */
export function createLeaseArguments(process: string) {
  const nonce = randomName();
  let number = 0;
  /** @param rank This process'; 0 = none. */
  return (request: LeaseRequest, rank: number): { uid: string; args: ScriptArgument[] } => {
    number += 1;
    const uid = `${nonce}-${number.toString(36).padStart(7, "0")}-`;
    const args: ScriptArgument[] = [request.max, request.leaseMs, uid, process];
    args.push(request.register ? 1 : 0, request.registered ? 1 : 0, number % 2 === 0 ? "own" : "ready");
    args.push(request.parkedMax, request.scan ? "all" : "some", rank, ...request.keys);
    return { uid, args };
  };
}

/** Twelve random characters, for names that no other process may choose. */
export function randomName(): string {
  return randomBytes(9).toString("hex").slice(0, 12);
}

/** "0001", "0002" and so on, as the script writes them. */
const numbers = Array.from({ length: maxBatch }, (_, index) => String(index + 1).padStart(4, "0"));

/** Items of leaseScript's answer stand behind its failure, head and keys. */
const firstItem = 3;

/** Reads leaseScript's answer. */
export function readLeaseAnswer(values: readonly ScriptReply[], uid: string, queue: string): LeaseAnswer {
  const [records = 0, reclaimed = 0, nextMs = -1, paused, full, registered, behind] = replyText(values[1])
    .split(" ")
    .map(Number);
  const leases: Lease[] = [];
  for (let index = 0; index < values.length - firstItem; index += 1) {
    const bytes = values[index + firstItem] as Buffer | null;
    // It stayed where it was.
    if (bytes === null) continue;
    const token = uid + (numbers[index] as string);
    if (index >= records) {
      const job = { id: token, body: readBody(bytes), attempts: 0, enqueuedAt: null, message: null };
      leases.push({ queue, token, job });
    } else {
      const { id, body, attempts, enqueuedAt } = readRecord(bytes, token);
      leases.push({ queue, token, job: { id, body, attempts, enqueuedAt, message: null } });
    }
  }
  return {
    leases,
    reclaimed,
    nextMs: nextMs < 0 ? null : nextMs,
    paused: paused === 1,
    behind: behind === 1,
    full: full === 1,
    registered: registered === 1,
    parkedKeys: replyList(values[2]).map((key) => replyText(key)),
  };
}
