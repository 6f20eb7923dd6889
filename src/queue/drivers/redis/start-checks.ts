import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { hasBlockingMove, type ServerFacts } from "./facts.ts";
import type { RedisDriverOptions } from "./options.ts";

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
