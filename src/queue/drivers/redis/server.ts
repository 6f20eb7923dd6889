import type { Redis } from "ioredis";
import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { connectFirst, createConnection, whenReady } from "./connection.ts";
import type { ConnectionPurpose } from "./connection.ts";
import type { RedisAddress, RedisDriverOptions } from "./options.ts";

/** What a subscription tells: a message, or that messages may have been missed. */
export type SubscriptionListener = (event: { channel: string; message: string } | "missed") => void;

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
  /** Hears the channels from now on, over every reconnection. Returns how to stop. */
  subscribe(channels: readonly string[], listener: SubscriptionListener): () => void;
  /** Whether subscriptions are heard at this moment. */
  readonly isListening: boolean;
  close(): void;
}

/** How long a command waits for a connection that is being made again before it fails. */
const patienceMs = 500;

export function createRedisServer(
  options: RedisDriverOptions,
  address: RedisAddress | null,
  log: Logger,
): RedisServer {
  const label =
    address === null
      ? options.target.mode === "sentinel"
        ? options.target.masterName
        : "redis"
      : `${address.host}:${address.port}`;
  const listeners = new Map<string, Set<SubscriptionListener>>();
  const connect = (purpose: ConnectionPurpose): Redis => createConnection(options, address, purpose, log);
  const commands = connect("commands");
  let subscriber: Redis | null = null;
  let replicated: Redis | null = null;
  let listening = false;
  let warned = false;
  let closed = false;

  let fault = "";
  commands.on("error", (error: Error) => void (fault = error.message));
  commands.on("ready", () => log.debug("redis connected", { server: label }));
  commands.on("close", () => {
    if (!closed) log.debug("redis connection closed", { server: label });
  });

  const connected = async (redis: Redis, waitMs: number): Promise<void> => {
    await whenReady(redis, waitMs);
    if (redis.status === "ready") return;
    throw new DriverUnavailableError(`redis: not connected to ${label}${fault === "" ? "" : `: ${fault}`}`);
  };

  const tellAll = (): void => {
    for (const listener of new Set([...listeners.values()].flatMap((set) => [...set]))) listener("missed");
  };

  /** Subscribes by hand at every (re)connection, so that `isListening` is the truth. */
  const hear = (redis: Redis, channels: readonly string[]): void => {
    if (channels.length === 0) return;
    redis.subscribe(...channels).then(
      () => {
        listening = true;
        tellAll();
      },
      (error: unknown) => {
        if (closed || warned || redis.status !== "ready") return;
        warned = true;
        log.warn("redis refuses subscriptions; wake-ups and pauses are polled for instead, once a second", {
          server: label,
          error,
        });
      },
    );
  };

  const startSubscriber = (): Redis => {
    const redis = connect("subscriber");
    redis.options.autoResubscribe = false;
    redis.on("ready", () => hear(redis, [...listeners.keys()]));
    redis.on("close", () => void (listening = false));
    redis.on("message", (channel: string, message: string) => {
      for (const listener of listeners.get(channel) ?? []) listener({ channel, message });
    });
    // Failing is told by the error event; ioredis goes on trying.
    redis.connect().catch(() => undefined);
    return redis;
  };

  return {
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

    subscribe(channels, listener) {
      for (const channel of channels) {
        const set = listeners.get(channel) ?? new Set();
        listeners.set(channel, set.add(listener));
      }
      if (subscriber === null) subscriber = startSubscriber();
      else if (subscriber.status === "ready") hear(subscriber, channels);
      return () => {
        for (const channel of channels) {
          const set = listeners.get(channel);
          set?.delete(listener);
          if (set?.size !== 0) continue;
          listeners.delete(channel);
          if (subscriber?.status === "ready") subscriber.unsubscribe(channel).catch(() => undefined);
        }
      };
    },

    get isListening() {
      return listening;
    },

    close() {
      closed = true;
      for (const redis of [commands, subscriber, replicated]) redis?.disconnect();
    },
  };
}
