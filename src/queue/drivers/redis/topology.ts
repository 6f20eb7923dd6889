import { DriverUnavailableError, QueueBrokenError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { replyCode, translateError } from "./errors.ts";
import type { RedisDriverOptions } from "./options.ts";
import { createRedisServer } from "./server.ts";
import type { RedisServer } from "./server.ts";
import { createCluster } from "./cluster.ts";

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
  close(): void;
}

export function createTopology(options: RedisDriverOptions, log: Logger): Topology {
  if (options.target.mode === "cluster") return createCluster(options, options.target.seeds, log);
  const address = options.target.mode === "single" ? options.target.address : null;
  let server = createRedisServer(options, address, log);
  return {
    async open(_, signal) {
      try {
        await server.open(signal);
      } catch (error) {
        // A client that was disconnected on purpose stays so: the next try needs a new one.
        server.close();
        server = createRedisServer(options, address, log);
        throw error;
      }
    },
    serverOf: () => Promise.resolve(server),
    moved: () => undefined,
    suspect: () => undefined,
    close: () => server.close(),
  };
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
