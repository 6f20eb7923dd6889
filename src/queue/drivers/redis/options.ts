import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { DriverEvents, NewJob } from "../../driver.ts";

/** When a queue's dead letters are looked after. */
export interface DeadLooks {
  /** From the start to the first look; random, so that a fleet does not look all at once. */
  readonly firstMs: number;
  readonly everyMs: number;
  /** A complete count that is wrong is not begun anew sooner: whoever makes it wrong may go on. */
  readonly recountMs: number;
}

/** A Redis server's address. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** How to reach Redis. */
export type RedisTarget =
  | { readonly mode: "single"; readonly address: RedisAddress }
  | {
      readonly mode: "sentinel";
      readonly sentinels: readonly RedisAddress[];
      /** Name of the master that the Sentinels watch. */
      readonly masterName: string;
      readonly sentinelPassword: string | null;
    }
  /** Any node is enough to find the others. */
  | { readonly mode: "cluster"; readonly seeds: readonly RedisAddress[] };

/** All that the redis and redis-cluster drivers need to know. */
export interface RedisDriverOptions {
  readonly name: "redis" | "redis-cluster";
  readonly target: RedisTarget;
  readonly username: string | null;
  readonly password: string | null;
  /** Database number; 0 on a cluster. */
  readonly db: number;
  /** TLS settings as Node's `tls.connect` takes them; null = no TLS. */
  readonly tls: ConnectionOptions | null;
  readonly prefix: string;
  /** Every queue that may be named in a call. */
  readonly queues: readonly string[];
  /** Longest wait for the answer to one command; a connection that is silent for as long is dropped. */
  readonly requestTimeoutMs: number;
  /** In which time idle queues are looked beside for jobs that nothing drains (foreign-jobs.ts); null = never. */
  readonly lookForOthersMs: number | null;
  /** Dead letters kept per queue. */
  readonly deadLetterRetention: number;
  /** How long a dead letter is kept. */
  readonly deadLetterRetentionMs: number;
  /** When dead letters are looked after; absent = as dead-keeper.ts says. */
  readonly deadLooks?: Partial<DeadLooks>;
  readonly deduplicationTtlMs: number;
  /** Replicas that must have a job before enqueue answers (WAIT); 0 = none. */
  readonly waitReplicas: number;
  /**
   * `write_for_sockudo`: the job in Sockudo's full form, for the producers' list, or null for a job that has
   * none and stays on hookline's own. Null = hookline's own list for all.
   */
  readonly encodeForSockudo: ((job: NewJob) => string | null) | null;
  /** What the configuration calls the connection, for messages, as in `queue.redis.url_override`. */
  readonly configPath: string;
  /** What the configuration calls the prefix. */
  readonly prefixPath: string;
  /** The server's version, where a proxy or an ACL hides INFO; absent = ask it. */
  readonly serverVersion?: string;
}

/** What the driver is given from outside. */
export interface RedisDriverContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
}
