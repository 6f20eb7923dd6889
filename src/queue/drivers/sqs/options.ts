/** Settings of the sqs driver, as the registry reads them from the configuration. Times in the unit their name says. */
export interface SqsOptions {
  readonly region: string;
  /** Null = AWS itself. */
  readonly endpointUrl: string | null;
  /** To the client; SDK v2 names are mapped, see client-options.ts. */
  readonly clientOptions: Readonly<Record<string, unknown>>;
  /** Consumed queues; `url` is one of its own (a URL or an ARN), null = by the rules below. */
  readonly queues: readonly { readonly name: string; readonly url: string | null }[];
  /** One URL or ARN for all queues without their own; null = by name. */
  readonly queueUrl: string | null;
  /** URL = prefix + name (+ `.fifo` once); null = asked by name. */
  readonly queueUrlPrefix: string | null;
  /** The lease of receives and of what waits in this process. */
  readonly visibilityTimeoutSeconds: number;
  /** 1 to 10 a receive. */
  readonly maxMessages: number;
  /** Longest poll; also bounded by what a lease call waits and by `shutdownTimeoutMs`. */
  readonly waitTimeSeconds: number;
  readonly pollingWaitTimeMs: number;
  readonly fifo: boolean;
  /** Template of the message group id, see ids.ts. */
  readonly messageGroupId: string;
  readonly deduplication: "id" | "content";
  readonly fifoOnFailure: "block" | "dead";
  readonly groupRateLimit: { readonly perSecond: number } | null;
  readonly autoCreate: boolean;
  /** False: enqueue only, so that permissions to receive and delete are not asked for. */
  readonly consume: boolean;
  /** Sum of the longest retry schedule: what a message must be able to live through. */
  readonly retryScheduleMs: number;
  /** The longest delay of any schedule after attempt 1, 2, …, with its jitter; the last one repeats. */
  readonly retryDelaysMs: readonly number[];
  /** A job that has been failing for longer is given up whatever its count says; by default 1.5 × the schedule. */
  readonly maxAgeMs: number | null;
  /** How long after it was sent a job goes back that this process cannot route; see grace.ts. */
  readonly unknownGraceMs: number;
  /** Largest max_attempts configured; only compared with a RedrivePolicy. */
  readonly maxAttempts: number;
  readonly shutdownTimeoutMs: number;
  readonly deduplicationTtlMs: number;
  /** What the configuration says that works, but is surely not meant: logged at start, and degraded. */
  readonly notes: readonly string[];
}
