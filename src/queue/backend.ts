import type * as v from "valibot";
import type { Clock } from "../clock.ts";
import type { Loose } from "../config/holes.ts";
import type { ReliabilityConfig } from "../config/schema-reliability.ts";
import type { Logger } from "../log.ts";
import type { DriverEvents, QueueDriver } from "./driver.ts";
import type { RetryBounds } from "./retry-bounds.ts";

/**
 * A backend: all that the rest of hookline knows of it while it is not in use.
 *
 * It stands in `drivers/NAME/settings.ts` and in one line of registry.ts. The configuration's schema is put together
 * from the backends, so that a backend owns its keys with their defaults, their names in the environment and what
 * contradicts them. Its driver is loaded when it is chosen: the client libraries of the others cost neither start time
 * nor memory.
 *
 * @template Config What it reads of the configuration: CommonConfig and its own sections.
 */
export interface Backend<Config extends CommonConfig> {
  /** Its section under `queue`, by the section's key. */
  readonly queue?: v.ObjectEntries;
  /** Its sections under `database`; two backends may share one. */
  readonly database?: v.ObjectEntries;
  /** Its keys of each object in `queue.queues`. */
  readonly ofEachQueue?: v.ObjectEntries;
  /** Requests over the runtime's `fetch` that it may have under way at once, where those are many; see cli/serve.ts. */
  readonly fetches?: number;
  /** Keys of `queue.reliability` that mean nothing to it, each with the reason. */
  readonly unused?: Readonly<Partial<Record<keyof ReliabilityConfig, string>>>;
  /** How its queues are consumed. */
  consuming(config: Config): Consuming;
  /** Whether one consumer takes from all queues together, so that `concurrency` counts once. */
  isOneConsumer?(config: Loose<Config>): boolean;
  /** The longest wait of a lease call that the configuration must leave room for, and what asks for it. */
  wait?(config: Loose<Config>): { readonly ms: number; readonly of: string };
  /**
   * Reports what contradicts itself where it is the backend in use. What contradicts itself in its section alone is
   * part of the section's schema (config/contradictions.ts).
   */
  contradict?(view: BackendView<Config>): void;
  /** The driver, made but not yet opened. The path of its import is a literal, or the bundler would leave it out. */
  create(config: Config, context: DriverContext): Promise<QueueDriver>;
}

/** What a backend finds contradictions in. A value that is wrong in itself is undefined. */
export interface BackendView<Config> {
  readonly config: Loose<Config>;
  /** The keys that somebody wrote into an object; empty where it was left out. */
  readonly written: (path: readonly string[]) => readonly string[];
  readonly issue: (path: readonly (string | number)[], message: string) => void;
  /** Works, but is surely not what was meant. */
  readonly warn: (message: string) => void;
}

/** What any backend may read of the checked configuration (config/schema.ts). `Queue`: with its keys of each queue. */
export interface CommonConfig<Queue extends { readonly name: string } = { readonly name: string }> {
  readonly server: { readonly max_body_bytes: number };
  readonly queue: {
    readonly queues: readonly Queue[];
    readonly consume: boolean;
    readonly reliability: ReliabilityConfig;
  };
  readonly supervisor: { readonly stall_ms: number };
  readonly apps: readonly {
    readonly id: string;
    readonly key: string;
    readonly secret: string;
    readonly accept: readonly string[];
    readonly webhooks: readonly unknown[];
  }[];
}

/** How the queues of one backend are consumed. */
export interface Consuming {
  /** Attempts in flight per queue, besides one for each endpoint that has none in flight. */
  readonly concurrency: number;
  /** How long a lease lasts unless it is renewed. */
  readonly leaseMs: number;
  /** Longest wait of one lease call. */
  readonly waitMs: number;
}

/** What of an app a driver may write into a job. */
export interface WrittenApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  /** Forms of job this app takes. */
  readonly accept: ReadonlySet<string>;
}

/** What a driver is given beside its configuration. */
export interface DriverContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  /** How far the receivers' retries reach (retryBounds); to be read anew, for receivers change while the process runs. */
  readonly retries: RetryBounds;
  /** An app that is in force now, by id, else by key. Absent: the configuration's of the start. */
  readonly findApp?: (id: string | null, key: string | null) => WrittenApp | null;
  /** Told when this process can never use the backend again, and must end with exit code 1. Absent: it is thrown. */
  readonly fail?: (error: Error) => void;
}

/** The longest wait of a lease call where everything that may end it wakes it: it only shows that the loop is alive. */
export const wokenWaitMs = ({ supervisor }: CommonConfig): number => Math.min(5_000, supervisor.stall_ms / 3);

/** `unused` of a backend that never puts back a job because this process cannot route it. */
export const noGrace = {
  unknown_grace_ms: "only the sqs driver puts back a job that it cannot route",
} as const;
