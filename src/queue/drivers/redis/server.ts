import type { Redis } from "ioredis";
import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { connectFirst, createConnection, endConnection, whenReady } from "./connection.ts";
import type { ConnectionPurpose } from "./connection.ts";
import type { RedisAddress, RedisDriverOptions } from "./options.ts";
import { createSubscriptions } from "./subscriptions.ts";
import type { Subscription, SubscriptionListener } from "./subscriptions.ts";

/** One Redis server (or the master that Sentinels name) and hookline's connections to it. */
export interface RedisServer {
  /** `host:port`, or the master's name. */
  readonly label: string;
  /** Connects; throws as connectFirst does. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * The connection for commands; waits a moment for one that is being made again, and throws
   * DriverUnavailableError with what went wrong last when there is none.
   */
  commands(): Promise<Redis>;
  /** As `commands`, for enqueues that wait for replicas; made at first use. */
  replicated(): Promise<Redis>;
  /** A new connection for blocking waits; the caller closes it. */
  blocking(): Promise<Redis>;
  /** Hears the channels from now on, over every reconnection. */
  subscribe(channels: readonly string[], listener: SubscriptionListener): Subscription;
  close(): void;
}

/** How long a command waits for a connection that is being made again before it fails. */
const patienceMs = 500;

export function createRedisServer(
  options: RedisDriverOptions,
  address: RedisAddress | null,
  log: Logger,
  onConnected: (server: RedisServer) => void,
): RedisServer {
  const label =
    address === null
      ? options.target.mode === "sentinel"
        ? options.target.masterName
        : "redis"
      : `${address.host}:${address.port}`;
  const connect = (purpose: ConnectionPurpose): Redis => createConnection(options, address, purpose, log);
  const commands = connect("commands");
  const subscriptions = createSubscriptions(() => connect("subscriber"), label, log);
  let replicated: Redis | null = null;
  let closed = false;

  let fault = "";
  commands.on("error", (error: Error) => void (fault = error.message));
  commands.on("ready", () => {
    log.debug("redis connected", { server: label });
    if (!closed) onConnected(server);
  });
  commands.on("close", () => {
    if (closed) return;
    log.debug("redis connection closed", { server: label });
    subscriptions.reconnect();
  });

  const connected = async (redis: Redis, waitMs: number): Promise<void> => {
    await whenReady(redis, waitMs);
    if (redis.status === "ready") return;
    throw new DriverUnavailableError(`redis: not connected to ${label}${fault === "" ? "" : `: ${fault}`}`);
  };

  const server: RedisServer = {
    label,
    open: (signal) => connectFirst(commands, options, signal),

    async commands() {
      if (commands.status !== "ready") await connected(commands, patienceMs);
      return commands;
    },

    async replicated() {
      if (replicated === null) {
        replicated = connect("replicated");
        replicated.connect().catch(() => undefined);
      }
      await connected(replicated, options.requestTimeoutMs);
      return replicated;
    },

    async blocking() {
      const redis = connect("blocking");
      await redis.connect();
      return redis;
    },

    subscribe: (channels, listener) => subscriptions.subscribe(channels, listener),

    close() {
      closed = true;
      subscriptions.close();
      for (const redis of [commands, replicated]) if (redis !== null) endConnection(redis);
    },
  };
  return server;
}
