import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { configProblem } from "./errors.ts";
import { hasBlockingMove, type ServerFacts } from "./facts.ts";
import type { QueueKeys } from "./keys.ts";
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
 * Looks at one queue's ready list: it must be of the type hookline uses (ConfigError). Answers whether it is empty.
 */
export async function checkQueue(
  topology: Topology,
  keys: QueueKeys,
  options: RedisDriverOptions,
): Promise<{ isEmpty: boolean }> {
  const type = await onServer(topology, keys.ready, "checking the queue", async (server) =>
    (await server.commands()).type(keys.ready),
  );
  if (type !== "list" && type !== "none") {
    throw configProblem(
      options.prefixPath,
      `the key ${keys.ready} holds a ${type}, not a list of jobs; choose another prefix or queue name`,
    );
  }
  return { isEmpty: type === "none" };
}
