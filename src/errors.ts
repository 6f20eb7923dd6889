/**
 * The exceptions hookline throws on purpose. Everything else that is thrown is a bug and crashes the
 * worker loop it happened in. A receiver's failure is never an exception: it is an Outcome.
 */

/** One thing that is wrong in the configuration. */
export interface ConfigIssue {
  /** Dotted path of the key, as in `queue.redis.concurrency`; empty for the file as a whole. */
  readonly path: string;
  /** Where the value came from, as in `env QUEUE_REDIS_CONCURRENCY`, `file hookline.json`, `flag --set`, `default`. */
  readonly source: string;
  /** What was expected and what was given, secrets already masked. */
  readonly message: string;
}

/** The configuration cannot be used; carries every issue found, so that one start shows them all. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];
  /** What is surely not meant, though no error: often the reason for one. */
  readonly warnings: readonly string[];

  constructor(issues: readonly ConfigIssue[], warnings: readonly string[] = []) {
    super(issues.map(formatConfigIssue).join("\n"));
    this.issues = issues;
    this.warnings = warnings;
  }
}

/** `path (source): message`, without the empty parts. */
export function formatConfigIssue(issue: ConfigIssue): string {
  const where = [issue.path, issue.source === "" ? "" : `(${issue.source})`]
    .filter((part) => part !== "")
    .join(" ");
  return where === "" ? issue.message : `${where}: ${issue.message}`;
}

/** An error with a stable machine-readable code, mapped to HTTP by admin/problem.ts alone. */
export class HooklineError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The backend cannot be reached or refuses for now. Loops back off and try again; HTTP answers 503. */
export class DriverUnavailableError extends HooklineError {
  override readonly name = "DriverUnavailableError";
  /**
   * The backend's own code where it answers and refuses, as READONLY or AccessDenied; null where it does not
   * answer. /health shows it: no names, no secrets.
   */
  readonly refusal: string | null;
  constructor(message: string, options?: ErrorOptions & { readonly refusal?: string }) {
    super("driver_unavailable", message, options);
    this.refusal = options?.refusal ?? null;
  }
}

/**
 * The backend answers, and refuses what this one queue needs for a reason that somebody must mend: a key of another type,
 * a right that is missing. Tried again like any other; the other queues go on.
 */
export class QueueBrokenError extends DriverUnavailableError {}

/** The queue holds as much as it may (`when_full: "reject"`, Redis maxmemory). HTTP answers 503. */
export class QueueFullError extends HooklineError {
  override readonly name = "QueueFullError";
  constructor(message: string, options?: ErrorOptions) {
    super("queue_full", message, options);
  }
}

/** The disk of the file driver has no room (`min_free_mb`, `max_bytes`, or none at all). HTTP answers 503. */
export class StorageFullError extends HooklineError {
  override readonly name = "StorageFullError";
  constructor(message: string, options?: ErrorOptions) {
    super("storage_full", message, options);
  }
}

/** The job is larger than the backend takes. HTTP answers 413. */
export class PayloadTooLargeError extends HooklineError {
  override readonly name = "PayloadTooLargeError";
  constructor(message: string, options?: ErrorOptions) {
    super("payload_too_large", message, options);
  }
}

/** The driver cannot do what was asked; never a silent no-op. HTTP answers 422. */
export class UnsupportedByDriverError extends HooklineError {
  override readonly name = "UnsupportedByDriverError";
  constructor(message: string, options?: ErrorOptions) {
    super("unsupported_by_driver", message, options);
  }
}

/** A child crashed more often than `supervisor.max_restarts` in `within_ms`. The process exits 1. */
export class RestartIntensityError extends HooklineError {
  override readonly name = "RestartIntensityError";
  readonly childId: string;
  constructor(childId: string, message: string, options?: ErrorOptions) {
    super("restart_intensity", message, options);
    this.childId = childId;
  }
}

/** The command line cannot be understood; main.ts prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
