import type { Redis } from "ioredis";
import type { Logger } from "../../../log.ts";
import { endConnection } from "./connection.ts";

/** What a subscription tells: a message, or that messages may have been missed. */
export type SubscriptionListener = (event: { channel: string; message: string } | "missed") => void;

/** Some channels of one server that are heard until `stop`, over every reconnection. */
export interface Subscription {
  /** Whether they are heard at this moment: not while connecting, and never without the right to. */
  readonly isHeard: boolean;
  stop(): void;
}

/** All subscriptions of one server, over one connection that is made at first use. */
export interface Subscriptions {
  /** The listener is told `missed` whenever hearing begins, first or anew. */
  subscribe(channels: readonly string[], listener: SubscriptionListener): Subscription;
  /** The server is in doubt: connects anew, because a connection that only listens does not notice. */
  reconnect(): void;
  close(): void;
}

interface Entry {
  readonly channels: readonly string[];
  readonly listener: SubscriptionListener;
  isHeard: boolean;
}

/** @param connect Makes the connection, not yet connected. */
export function createSubscriptions(connect: () => Redis, label: string, log: Logger): Subscriptions {
  const entries = new Set<Entry>();
  let subscriber: Redis | null = null;
  let warned = false;
  let closed = false;

  /** By hand at every (re)connection, and each by itself: one that is refused does not silence the others. */
  const hear = (redis: Redis, entry: Entry): void => {
    redis.subscribe(...entry.channels).then(
      () => {
        if (!entries.has(entry)) return;
        entry.isHeard = true;
        entry.listener("missed");
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

  const start = (): Redis => {
    const redis = connect();
    redis.options.autoResubscribe = false;
    redis.on("ready", () => {
      for (const entry of entries) hear(redis, entry);
    });
    redis.on("close", () => {
      for (const entry of entries) entry.isHeard = false;
    });
    redis.on("message", (channel: string, message: string) => {
      for (const entry of entries) if (entry.channels.includes(channel)) entry.listener({ channel, message });
    });
    // Failing is told by the error event; ioredis goes on trying.
    redis.connect().catch(() => undefined);
    return redis;
  };

  return {
    subscribe(channels, listener) {
      const entry: Entry = { channels, listener, isHeard: false };
      entries.add(entry);
      if (subscriber === null) subscriber = start();
      else if (subscriber.status === "ready") hear(subscriber, entry);
      return {
        get isHeard() {
          return entry.isHeard;
        },
        stop() {
          entry.isHeard = false;
          entries.delete(entry);
          const used = new Set([...entries].flatMap((other) => other.channels));
          const unused = channels.filter((channel) => !used.has(channel));
          if (unused.length === 0 || subscriber?.status !== "ready") return;
          subscriber.unsubscribe(...unused).catch(() => undefined);
        },
      };
    },

    reconnect() {
      // One that is connecting finds out by itself.
      if (!closed && subscriber?.status === "ready") subscriber.disconnect(true);
    },

    close() {
      closed = true;
      if (subscriber !== null) endConnection(subscriber);
    },
  };
}
