import type { Redis } from "ioredis";
import type { Clock } from "../../../clock.ts";
import { DriverUnavailableError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { longestBlockMs } from "./connection.ts";
import type { QueueKeys } from "./keys.ts";
import { createWaitTrouble } from "./wait-trouble.ts";

/**
 * The wait for producers' pushes: BLMOVE of one job from the ready list to `:claimed`.
 *
 * One push wakes one waiting process, and a process that dies with the answer on its way loses nothing: the
 * job lies in `:claimed`, which every lease takes from first. A wait that its caller gave up goes on for
 * what is left of its two seconds and is joined by the next caller, so that there is never more than one.
 */
export interface PushWait {
  /** True when a job was moved, false when the time passed; rejects when the connection failed. */
  next(ms: number): Promise<boolean>;
  /** Why waiting fails, while it does. A queue where nothing happens has no other call that Redis could refuse. */
  finding(): Finding | null;
  close(): void;
}

export interface PushWaitOptions {
  readonly queue: string;
  readonly keys: QueueKeys;
  readonly clock: Clock;
  readonly log: Logger;
  /** A fresh connection to the server that holds the queue. */
  readonly connect: () => Promise<Redis>;
  readonly requestTimeoutMs: number;
  /** The server refuses the wait for a reason that somebody must mend; and it worked. */
  readonly onBroken: (error: Error) => void;
  readonly onWorks: () => void;
  /** Told of every job moved, also of one that nobody waits for any more. */
  readonly onPush: () => void;
}

export function createPushWait(options: PushWaitOptions): PushWait {
  const { keys, requestTimeoutMs } = options;
  const trouble = createWaitTrouble(options);
  let connection: Redis | null = null;
  let pending: Promise<boolean> | null = null;
  let closed = false;

  const drop = (): void => {
    connection?.disconnect();
    connection = null;
  };

  const wait = async (ms: number): Promise<boolean> => {
    if (connection === null || connection.status !== "ready") {
      drop();
      connection = await options.connect();
      if (closed) drop();
    }
    if (connection === null) throw new DriverUnavailableError("redis: the driver is closed");
    const redis = connection;
    // The library has no timeout for this connection: its own would cut the block short and leave the
    // server moving a job for nobody. This one ends the connection, and with it the server's block.
    const watchdog = setTimeout(drop, ms + requestTimeoutMs);
    try {
      const moved = await redis.callBuffer(
        "BLMOVE",
        keys.ready,
        keys.claimed,
        "LEFT",
        "RIGHT",
        String(ms / 1000),
      );
      return moved !== null;
    } catch (error) {
      drop();
      throw error;
    } finally {
      clearTimeout(watchdog);
    }
  };

  return {
    next(ms) {
      if (pending === null) {
        // Zero would block for ever.
        pending = wait(Math.round(Math.min(Math.max(ms, 10), longestBlockMs)));
        pending.then(
          (moved) => {
            pending = null;
            trouble.over();
            if (moved) options.onPush();
          },
          (error: Error) => {
            pending = null;
            if (!closed) trouble.met(error);
          },
        );
      }
      return pending;
    },
    finding: () => trouble.finding(),
    close() {
      closed = true;
      drop();
    },
  };
}
