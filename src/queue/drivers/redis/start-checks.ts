import type { Redis } from "ioredis";
import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { configProblem, replyCode } from "./errors.ts";
import type { QueueKeys } from "./keys.ts";
import { readyKey } from "./keys.ts";
import type { RedisDriverOptions } from "./options.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** The fields of INFO, or none where the user may not ask (NOPERM). */
async function readInfo(redis: Redis): Promise<ReadonlyMap<string, string>> {
  try {
    const lines = (await redis.info()).split("\r\n").map((line) => line.split(":", 2) as [string, string?]);
    return new Map(lines.map(([name, value]) => [name, value ?? ""]));
  } catch (error) {
    if (replyCode(error) === "NOPERM") return new Map();
    throw error;
  }
}

/** Whether this version has BLMOVE (6.2). Unknown counts as new: Valkey and its kin number from 7.2 on. */
export function hasBlockingMove(version: string | undefined): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version ?? "");
  if (match === null) return true;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 6 || (major === 6 && minor >= 2);
}

/**
 * Looks at the server that holds a queue and warns of settings that lose jobs.
 *
 * Answers whether it can block for pushes. Throws DriverUnavailableError when it is a replica.
 */
export async function checkServer(
  redis: Redis,
  label: string,
  options: RedisDriverOptions,
  log: Logger,
): Promise<{ blocks: boolean }> {
  const info = await readInfo(redis);
  if (info.get("role") === "slave") {
    throw new DriverUnavailableError(`redis: ${label} is a replica; hookline needs the master`);
  }
  const policy = info.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    log.warn(
      "redis: maxmemory-policy is not noeviction: when memory is full, Redis deletes jobs. Set it to noeviction",
      { server: label, maxmemory_policy: policy },
    );
  }
  if (info.get("aof_enabled") === "0") {
    log.warn(
      "redis: appendonly is off: what was written since the last snapshot is lost when Redis stops. Set it to yes",
      {
        server: label,
      },
    );
  }
  const version = options.serverVersion ?? info.get("redis_version");
  const blocks = hasBlockingMove(version);
  if (!blocks) {
    log.warn("redis: before 6.2 there is no BLMOVE: a pushed job may wait up to 1 s. Use 6.2 or newer", {
      server: label,
      redis_version: version,
    });
  }
  return { blocks };
}

/**
 * Looks at one queue's keys: each must be of the type hookline uses (ConfigError), and beside an empty ready
 * list the places are named where jobs of other systems lie that hookline does not read.
 */
export async function checkQueue(
  topology: Topology,
  keys: QueueKeys,
  queue: string,
  options: RedisDriverOptions,
  log: Logger,
): Promise<void> {
  const exists = (key: string): Promise<boolean> =>
    onServer(topology, keys.ready, "checking the queue", async (server) => {
      try {
        return (await (await server.commands()).exists(key)) === 1;
      } catch (error) {
        // Elsewhere in the cluster, or beyond the user's key patterns: not worth more than this look.
        if (replyCode(error) === "MOVED" || replyCode(error) === "NOPERM") return false;
        throw error;
      }
    });
  const type = await onServer(topology, keys.ready, "checking the queue", async (server) =>
    (await server.commands()).type(keys.ready),
  );
  if (type !== "list" && type !== "none") {
    throw configProblem(
      options.prefixPath,
      `the key ${keys.ready} holds a ${type}, not a list of jobs; choose another prefix or queue name`,
    );
  }
  if (type === "list") return;
  const prefix = options.prefix;
  const otherSpelling = prefix.endsWith("::") ? prefix.slice(0, -1) : `${prefix}:`;
  const bare = prefix.replace(/:+$/, "");
  const elsewhere = new Map([
    [readyKey(otherSpelling, queue), `jobs lie under the other spelling; set the prefix to ${otherSpelling}`],
  ]);
  for (const start of [prefix, `${bare}:`, `${bare}::`]) {
    elsewhere.set(
      `${start}v2:{${queue}}:wait`,
      "Sockudo v5 keeps its jobs there, which hookline does not read",
    );
  }
  for (const key of [`bull:${queue}:wait`, `:${queue}:wait`, ":client_event_webhooks:wait"]) {
    elsewhere.set(key, "BullMQ (Soketi) keeps its jobs there, which hookline does not read");
  }
  for (const [key, meaning] of elsewhere) {
    if (!(await exists(key))) continue;
    log.warn(`redis: the ready list is empty, but ${key} is not: ${meaning}`, { queue, key });
  }
}
