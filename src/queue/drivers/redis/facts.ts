import type { Redis } from "ioredis";
import { replyCode } from "./errors.ts";

/** What a server says of itself; null is what it, or a proxy or an ACL before it, does not tell. */
export interface ServerFacts {
  readonly mode: "standalone" | "cluster" | "sentinel" | null;
  readonly isReplica: boolean;
  readonly version: string | null;
  /** maxmemory-policy. */
  readonly policy: string | null;
  /** appendonly. */
  readonly keepsLog: boolean | null;
  /** There are save points, at which snapshots are made. */
  readonly makesSnapshots: boolean | null;
  /** used_memory, and maxmemory where there is one. */
  readonly usedMemory: number | null;
  readonly maxMemory: number | null;
  /** Epoch ms by its clock when it answered. */
  readonly timeMs: number | null;
}

/**
 * Asks INFO, and CONFIG GET save where there is no append-only file. A managed service or the user's rights may
 * refuse either; any other error is thrown.
 */
export async function readFacts(redis: Redis): Promise<ServerFacts> {
  const info = parseInfo((await unlessRefused(() => redis.info())) ?? "");
  const keepsLog = flagOf(info.get("aof_enabled"));
  return {
    mode: modeOf(info),
    isReplica: info.get("role") === "slave",
    version: info.get("redis_version") ?? null,
    policy: info.get("maxmemory_policy") ?? null,
    keepsLog,
    usedMemory: numberOf(info.get("used_memory")),
    maxMemory: numberOf(info.get("maxmemory")),
    timeMs: timeOf(info),
    makesSnapshots: keepsLog === false ? await readSnapshots(redis) : null,
  };
}

async function readSnapshots(redis: Redis): Promise<boolean | null> {
  const reply = await unlessRefused(() => redis.config("GET", "save"));
  if (!Array.isArray(reply) || typeof reply[1] !== "string") return null;
  return reply[1] !== "";
}

/** The answer, or null where the command is refused: NOPERM, or ERR for one that a service took away. */
async function unlessRefused<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    const code = replyCode(error);
    if (code === "NOPERM" || code === "ERR") return null;
    throw error;
  }
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\r\n").map((line) => line.split(":", 2) as [string, string?]);
  return new Map(lines.map(([name, value]) => [name, value ?? ""]));
}

function modeOf(info: ReadonlyMap<string, string>): ServerFacts["mode"] {
  if (info.get("cluster_enabled") === "1") return "cluster";
  const mode = info.get("redis_mode") ?? info.get("server_mode");
  return mode === "standalone" || mode === "cluster" || mode === "sentinel" ? mode : null;
}

/** Null for 0 too: a maxmemory of 0 is none. */
function numberOf(text: string | undefined): number | null {
  return Number(text) || null;
}

function timeOf(info: ReadonlyMap<string, string>): number | null {
  const micros = numberOf(info.get("server_time_usec"));
  return micros === null ? null : micros / 1000;
}

function flagOf(text: string | undefined): boolean | null {
  return text === undefined ? null : text === "1";
}

/** Whether this version has BLMOVE (6.2). Unknown counts as new: Valkey and its kin number from 7.2 on. */
export function hasBlockingMove(version: string | null): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version ?? "");
  if (match === null) return true;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 6 || (major === 6 && minor >= 2);
}
