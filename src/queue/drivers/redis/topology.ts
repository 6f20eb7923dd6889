import type { Redis } from "ioredis";
import { DriverUnavailableError, QueueBrokenError, type ConfigError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { replyCode, translateError } from "./errors.ts";
import { isClusterReply } from "./mismatch.ts";
import type { RedisServer } from "./server.ts";

/** Which server holds a key. */
export interface Topology {
  /** Connects to what holds these keys; throws ConfigError or DriverUnavailableError. */
  open(keys: readonly string[], signal: AbortSignal): Promise<void>;
  /** The server that holds the key, as far as is known. Throws DriverUnavailableError when none does. */
  serverOf(key: string): Promise<RedisServer>;
  /** The server said that the key is elsewhere (MOVED): where the next call finds it. */
  moved(key: string, error: Error): void;
  /** The server failed: look for the key again before the next call. */
  suspect(key: string): void;
  /** A server answered as only a cluster's node does, and this is none; gives the error for the caller. */
  answeredAsCluster?(): Error;
  /** The servers that are in use now. */
  servers(): readonly RedisServer[];
  /** Labels of all masters, also of those that hold none of our keys. */
  masters(): readonly string[];
  /** Runs commands on one of them. Errors come out as the client library gives them. */
  onMaster<T>(label: string, use: (redis: Redis) => Promise<T>): Promise<T>;
  /** Runs commands on the master that holds any key, ours or not, as far as is known. */
  onHolder<T>(key: string, use: (redis: Redis) => Promise<T>): Promise<T>;
  close(): void;
}

/** What a topology is given from its driver. */
export interface TopologyContext {
  readonly log: Logger;
  /** A server's connection for commands is there, first or anew. */
  readonly onConnected: (server: RedisServer) => void;
  /**
   * What an operator must change was found; gives the error for the caller. While the driver opens that is the problem
   * itself. Later a process that can never work again (`isMismatch`) ends, and all else is waited for.
   */
  readonly blame: (problem: ConfigError, isMismatch: boolean) => Error;
}

/**
 * Runs `use` on the server that holds the key, and once more elsewhere when that one answers MOVED
 * (which it does before it has done anything). Errors come out translated.
 */
export async function onServer<T>(
  topology: Topology,
  key: string,
  what: string,
  use: (server: RedisServer) => Promise<T>,
): Promise<T> {
  for (let redirected = false; ; redirected = true) {
    try {
      return await use(await topology.serverOf(key));
    } catch (error) {
      if (topology.answeredAsCluster !== undefined && isClusterReply(error)) {
        throw topology.answeredAsCluster();
      }
      if (replyCode(error) === "MOVED") {
        topology.moved(key, error as Error);
        if (!redirected) continue;
      }
      const translated = translateError(error, what);
      // The right server answered, where it refuses what the queue needs.
      const isElsewhere =
        translated instanceof DriverUnavailableError && !(translated instanceof QueueBrokenError);
      if (isElsewhere) topology.suspect(key);
      throw translated;
    }
  }
}
