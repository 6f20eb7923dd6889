export type Severity = "error" | "warning" | "note";

/** What all problems of one kind have in common. */
export interface Kind {
  readonly severity: Severity;
  /** What `object` names. /health is open to anyone: it shows queues by name, and of endpoints only how many. */
  readonly object: "process" | "backend" | "queue" | "endpoint" | "loop";
  /** What is wrong, without a name or a figure, for /health. */
  readonly summary: string;
  /** One sentence that a person can act on. */
  readonly remedy: string;
}

/**
 * Every kind of problem, the one table behind /health, metrics, the log and the API.
 *
 * An error or a warning makes /health say `degraded`; a note is shown there and changes nothing. The names are
 * part of the API: they are keys of `checks` in /health and labels of `hookline_problems`.
 */
export const problemKinds = {
  backend_unreachable: {
    severity: "error",
    object: "queue",
    summary: "the backend does not answer",
    remedy: "see that the backend runs and that this machine reaches it; hookline goes on by itself",
  },
  backend_refuses_writes: {
    severity: "error",
    object: "queue",
    summary: "the backend refuses writes",
    remedy: "look at what the backend says: memory, disk, replicas or rights; hookline goes on by itself",
  },
  credentials_expired: {
    severity: "error",
    object: "queue",
    summary: "the backend does not accept the credentials any more",
    remedy:
      "renew the credentials (AWS: key, token, profile or role; Redis: user and password); hookline looks for newer ones by itself",
  },
  clock_off: {
    severity: "warning",
    object: "backend",
    summary: "this machine's clock and the backend's differ",
    remedy:
      "set the clock of the one that is wrong, and keep it right with NTP: signatures, ages and delays depend on it",
  },
  queue_broken: {
    severity: "error",
    object: "queue",
    summary: "the backend refuses what hookline does with this queue",
    remedy:
      "a key of this queue has the wrong type, or the backend's user lacks a right: mend it; hookline tries again by itself",
  },
  shared_state_broken: {
    severity: "error",
    object: "backend",
    summary: "pauses and disabled endpoints that processes share cannot be read",
    remedy:
      "the key that the detail names has the wrong type, or its server does not answer: mend it, and pause anew what is enabled now",
  },
  not_durable: {
    severity: "warning",
    object: "backend",
    summary: "the backend may lose jobs that it has confirmed",
    remedy: "switch the backend's persistence on (Redis: appendonly yes)",
  },
  snapshots_only: {
    severity: "note",
    object: "backend",
    summary: "a crash of the backend loses what came since its last snapshot",
    remedy: "switch the append-only file on (Redis: appendonly yes)",
  },
  durability_unknown: {
    severity: "note",
    object: "backend",
    summary: "it cannot be told whether the backend keeps what it has confirmed",
    remedy:
      "see with whoever runs the backend that it is persistent (Redis: appendonly yes), or grant info and config|get",
  },
  backend_settings: {
    severity: "warning",
    object: "queue",
    summary: "a setting of the backend does not fit",
    remedy: "change the setting that the detail names",
  },
  store_nearly_full: {
    severity: "warning",
    object: "queue",
    summary: "the room for jobs is nearly full",
    remedy:
      "make room, or raise the limit that the detail names: above it jobs are refused, or on memory the oldest dropped",
  },
  retention_near: {
    severity: "warning",
    object: "queue",
    summary: "the oldest dead letters are removed soon",
    remedy:
      "redrive or remove dead letters (hookline dead redrive), or raise queue.reliability.failed_retention or failed_retention_ms",
  },
  dead_letters: {
    severity: "note",
    object: "endpoint",
    summary: "jobs became dead letters in the last hour",
    remedy:
      "mend what the reason says, then redrive them: hookline dead redrive; they are listed by hookline dead ls",
  },
  dead_letters_fill: {
    severity: "warning",
    object: "queue",
    summary: "dead letters take most of the room that the backend has",
    remedy: "mend the endpoints with most dead letters, then redrive or remove them",
  },
  undrained_jobs: {
    severity: "warning",
    object: "queue",
    summary: "jobs lie where nothing drains them",
    remedy:
      "jobs lie where nothing drains them: set queue.redis.prefix or the producers' driver, as the detail says",
  },
  unsettled_deliveries: {
    severity: "warning",
    object: "queue",
    summary: "the backend keeps jobs that have been delivered",
    remedy: "the backend does not delete what was delivered; see its permissions and state",
  },
  breaker_open: {
    severity: "warning",
    object: "endpoint",
    summary: "the breaker is open, because attempts fail",
    remedy: "the receiver fails: look at its last attempts; deliveries go on by themselves when it answers",
  },
  certificate_refused: {
    severity: "warning",
    object: "endpoint",
    summary: "the receiver's certificate is refused",
    remedy:
      "have the receiver renew its certificate or send its whole chain, or set tls.ca for it where it has an authority of its own",
  },
  endpoint_disabled: {
    severity: "warning",
    object: "endpoint",
    summary: "disabled: jobs become dead letters",
    remedy: "enable it when the receiver is back, then redrive its dead letters",
  },
  endpoint_paused: {
    severity: "note",
    object: "endpoint",
    summary: "paused by an operator: jobs wait",
    remedy: "resume it",
  },
  queue_paused: {
    severity: "note",
    object: "queue",
    summary: "paused by an operator: jobs wait",
    remedy: "resume it",
  },
  queue_lagging: {
    severity: "warning",
    object: "queue",
    summary: "ready jobs have waited for long",
    remedy:
      "resume the queue if it is paused, raise its concurrency, or start more processes; a slow endpoint shows in hookline endpoints",
  },
  stored_apps_unreachable: {
    severity: "error",
    object: "process",
    summary: "the apps that the API stores cannot be read from the backend",
    remedy: "mend what the detail says; jobs for apps that are not known here are put back until then",
  },
  encryption_key_missing: {
    severity: "error",
    object: "process",
    summary: "stored apps are encrypted with a key that is not configured",
    remedy:
      "put the key of this id into server.previous_encryption_keys, and reload; jobs for these apps are put back until then",
  },
  stored_apps_unreadable: {
    severity: "error",
    object: "process",
    summary: "stored apps cannot be read",
    remedy:
      "store them again (PUT), or start the newer version that wrote them; their jobs are put back until then",
  },
  stored_apps_shadowed: {
    severity: "warning",
    object: "process",
    summary: "the configuration defines apps that are stored too",
    remedy: "take them out of the configuration, or leave it: what is stored has no effect meanwhile",
  },
  history_not_written: {
    severity: "warning",
    object: "process",
    summary: "the history on disk is not written, or not as fast as deliveries are made",
    remedy:
      "see that the disk of history.path has room and answers; above 5,000 deliveries a second set history.keep to failed; deliveries go on meanwhile",
  },
  loop_restarting: {
    severity: "warning",
    object: "loop",
    summary: "a worker loop crashed and is restarted",
    remedy: "see the loop's last error in GET /v1/workers",
  },
  process_behind: {
    severity: "warning",
    object: "queue",
    summary: "processes with a newer configuration consume the queue, and this one takes nothing of it",
    remedy: "give this process the newer configuration and reload it; GET /v1/processes shows who is behind",
  },
  config_refused: {
    severity: "warning",
    object: "process",
    summary: "the last reload of the configuration was refused; the one before is in force",
    remedy: "mend what the detail says, and reload: `hookline config check` lists all that is wrong",
  },
  config_needs_restart: {
    severity: "note",
    object: "process",
    summary: "the configuration has changes that need a restart",
    remedy: "restart the process when it suits, or put these keys back",
  },
} as const satisfies Record<string, Kind>;

export type ProblemKind = keyof typeof problemKinds;
