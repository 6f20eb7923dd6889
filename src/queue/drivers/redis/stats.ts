import type { ParkedJobs, QueueStats } from "../../driver.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptReply } from "./evaluate.ts";

/** Reads statsScript's answer; null for what a broken key does not tell. */
export function readStats(values: readonly ScriptReply[]): QueueStats {
  const [waiting, due, delayed, expired, leased, parked, dead, paused, oldest = -1, now = 0] = values
    .slice(1)
    .map(Number);
  return {
    ready: sum(waiting, due, expired),
    delayed: less(delayed, due),
    leased: less(leased, expired),
    parked: sum(parked),
    dead: sum(dead),
    oldestReadyAgeMs: oldest < 0 ? null : Math.max(0, now - oldest),
    paused: paused === 1,
  };
}

/** Reads parkedScript's answer. */
export function readParkedJobs([, ...values]: readonly ScriptReply[]): ParkedJobs[] {
  return Array.from({ length: values.length / 3 }, (_, index) => {
    const [key, count, oldest] = values.slice(3 * index, 3 * index + 3);
    return { key: replyText(key), count: Number(count), oldestEnqueuedAt: Number(oldest) || null };
  });
}

/** -1 stands for a count that is not known. */
const unknown = -1;

function sum(...counts: readonly (number | undefined)[]): number | null {
  let total = 0;
  for (const count of counts) {
    if (count === undefined || count === unknown) return null;
    total += count;
  }
  return total;
}

function less(count: number | undefined, part: number | undefined): number | null {
  const [whole, some] = [sum(count), sum(part)];
  return whole === null || some === null ? null : whole - some;
}
