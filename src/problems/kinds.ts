export type Severity = "error" | "warning" | "note";

/** What all problems of one kind have in common. */
export interface Kind {
  readonly severity: Severity;
  /** What `object` names. /health is open to anyone: it shows queues by name, and of endpoints only how many. */
  readonly object: "process" | "backend" | "queue" | "endpoint" | "loop";
  /** One sentence that a person can act on. */
  readonly remedy: string;
}

/**
 * Every kind of problem, the one table behind /health, metrics, the log and the API.
 *
 * An error or a warning makes /health say `degraded`; a note is shown there and changes nothing.
 */
export const problemKinds = {
  backend_unreachable: {
    severity: "error",
    object: "queue",
    remedy: "see that the backend runs and that this machine reaches it; hookline goes on by itself",
  },
  backend_refuses_writes: {
    severity: "error",
    object: "queue",
    remedy: "look at what the backend says: memory, disk, replicas or rights; hookline goes on by itself",
  },
  queue_broken: {
    severity: "error",
    object: "queue",
    remedy:
      "a key of this queue has the wrong type, or the backend's user lacks a right: mend it; hookline tries again by itself",
  },
  not_durable: {
    severity: "warning",
    object: "backend",
    remedy: "switch the backend's persistence on (Redis: appendonly yes)",
  },
  backend_settings: {
    severity: "warning",
    object: "backend",
    remedy: "change the setting that the detail names",
  },
  dead_letters_fill: {
    severity: "warning",
    object: "queue",
    remedy: "mend the endpoints with most dead letters, then redrive or remove them",
  },
  undrained_jobs: {
    severity: "warning",
    object: "queue",
    remedy:
      "jobs lie where nothing drains them: set queue.redis.prefix or the producers' driver, as the detail says",
  },
  unsettled_deliveries: {
    severity: "warning",
    object: "queue",
    remedy: "the backend does not delete what was delivered; see its permissions and state",
  },
  breaker_open: {
    severity: "warning",
    object: "endpoint",
    remedy: "the receiver fails: look at its last attempts; deliveries go on by themselves when it answers",
  },
  endpoint_disabled: {
    severity: "warning",
    object: "endpoint",
    remedy: "enable it when the receiver is back, then redrive its dead letters",
  },
  endpoint_paused: { severity: "note", object: "endpoint", remedy: "resume it" },
  queue_paused: { severity: "note", object: "queue", remedy: "resume it" },
  loop_restarting: {
    severity: "warning",
    object: "loop",
    remedy: "see the loop's last error in GET /v1/workers",
  },
} as const satisfies Record<string, Kind>;

export type ProblemKind = keyof typeof problemKinds;
