import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { configProblem, replyCode } from "./errors.ts";
import { hasBlockingMove, type ServerFacts } from "./facts.ts";
import type { QueueKeys } from "./keys.ts";
import { readyKey } from "./keys.ts";
import type { RedisDriverOptions } from "./options.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/**
 * Whether the server that holds a queue can block for pushes.
 *
 * Throws DriverUnavailableError when it is a replica.
 */
export function checkServer(
  facts: ServerFacts,
  label: string,
  options: RedisDriverOptions,
  log: Logger,
): { blocks: boolean } {
  if (facts.isReplica) {
    throw new DriverUnavailableError(`redis: ${label} is a replica; hookline needs the master`);
  }
  const version = options.serverVersion ?? facts.version;
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
