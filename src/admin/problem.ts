import { HooklineError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";

/**
 * The one place that maps errors to HTTP: application/problem+json (RFC 9457).
 */

/** Status and title by error code. A code that is missing here is a bug and answers 500. */
const problems = {
  bad_http: [400, "The request is not HTTP"],
  bad_request_target: [400, "The request target cannot be read"],
  bad_query: [400, "A query parameter is wrong"],
  bad_cursor: [400, "The cursor cannot be read"],
  empty_body: [400, "The body is empty"],
  invalid_utf8: [400, "The body is not UTF-8"],
  invalid_json: [400, "The body is not JSON"],
  invalid_body: [422, "The body has the wrong shape"],
  invalid_idempotency_key: [400, "Idempotency-Key is wrong"],
  body_incomplete: [400, "The body is incomplete"],
  unauthorized: [401, "A token is required"],
  foreign_origin: [403, "Requests from other origins are refused"],
  forbidden: [403, "The token does not allow this"],
  token_not_configured: [403, "This needs a configured token"],
  crash_not_allowed: [403, "Rehearsed faults are switched off"],
  not_found: [404, "There is no such resource"],
  unknown_queue: [404, "There is no such queue"],
  unknown_worker: [404, "There is no such worker"],
  unknown_job: [404, "There is no such job"],
  unknown_dead_letter: [404, "There is no such dead letter"],
  unknown_delivery: [404, "There is no such delivery"],
  unknown_operation: [404, "There is no such operation"],
  history_off: [404, "Deliveries are not remembered"],
  unknown_endpoint: [404, "There is no such endpoint"],
  no_such_app: [404, "There is no such app"],
  method_not_allowed: [405, "The method is not allowed here"],
  request_timeout: [408, "The request did not arrive in time"],
  body_timeout: [408, "The body did not arrive in time"],
  defined_in_file: [409, "The configuration defines this"],
  body_not_kept: [410, "The delivery's body is not kept"],
  empty_filter: [400, "The filter is empty"],
  list_first: [409, "The backend finds no dead letter by its id: list them first"],
  id_conflict: [409, "The id belongs to another job"],
  idempotency_conflict: [409, "The key was used with another body"],
  worker_not_running: [409, "The worker is not running"],
  too_many_operations: [409, "Too many operations run"],
  endpoint_disabled: [409, "The endpoint is disabled"],
  precondition_failed: [412, "It has been changed since"],
  body_too_large: [413, "The body is too large"],
  too_many_jobs: [413, "Too many jobs in one request"],
  payload_too_large: [413, "The job is too large for the backend"],
  unsupported_media_type: [415, "The body must be application/json"],
  masked_value: [422, "A masked secret was sent back"],
  invalid_settings: [422, "The settings are wrong"],
  encryption_key_missing: [422, "No encryption key is configured"],
  malformed: [422, "The job has no known form"],
  unknown_app: [422, "The job's app is not configured"],
  bad_signature: [422, "The job's signature does not match"],
  no_route: [422, "No route of the queue takes the message"],
  not_wanted: [422, "The endpoint wants none of the job's events"],
  format_not_accepted: [422, "The app does not take this form of job"],
  other_app: [422, "The target belongs to another app"],
  no_event_queue: [422, "No queue takes events"],
  unsupported_by_driver: [422, "The driver cannot do this"],
  config_refused: [422, "The configuration is refused"],
  headers_too_large: [431, "The headers are too large"],
  stored_unreadable: [503, "What is stored cannot be read here"],
  internal: [500, "Internal error"],
  history_unavailable: [503, "The history cannot be read"],
  storage_full: [503, "The disk has no room"],
  queue_full: [503, "The queue is full"],
  driver_unavailable: [503, "The backend does not answer"],
  draining: [503, "The process is shutting down"],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

/** The code of an error that the API can answer with. */
export type ProblemCode = keyof typeof problems;

/** The status that a code usually has, and its title. */
export function problemOf(code: ProblemCode): { readonly status: number; readonly title: string } {
  const [status, title] = problems[code];
  return { status, title };
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}

export interface ProblemDeps {
  /** Replaces every secret in a text. */
  readonly mask: (text: string) => string;
  readonly log: Logger;
}

/** What an error may tell a client: code and text. Anything unexpected is logged and becomes `internal`. */
export function publicError(deps: ProblemDeps, error: unknown): { code: ProblemCode; message: string } {
  if (error instanceof HooklineError && isProblemCode(error.code)) {
    return { code: error.code, message: deps.mask(error.message) };
  }
  deps.log.error("an admin request met an unexpected error", { error });
  return { code: "internal", message: "an unexpected error; the log has the details" };
}

/**
 * The problem+json answer to an error.
 *
 * @param extra Members beside the standard ones, as the per-job results of a batch; already masked.
 */
export function problemReply(
  deps: ProblemDeps,
  error: unknown,
  extra: Readonly<Record<string, unknown>> = {},
): Reply {
  const { code, message } = publicError(deps, error);
  const own = error instanceof RequestError ? error.status : null;
  const more = error instanceof RequestError ? { ...error.extra, ...extra } : extra;
  const { status, text } = problemText(code, message, more, own);
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(status === 503 ? { "retry-after": "1" } : {}),
      ...(error instanceof RequestError ? error.headers : {}),
    },
    body: text,
  };
}

/**
 * The body of a problem, and its status.
 *
 * @param detail    Already masked, as `extra` is.
 * @param ownStatus Null for the status that the code has.
 */
export function problemText(
  code: ProblemCode,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
  ownStatus: number | null = null,
): { status: number; text: string } {
  const { status: usualStatus, title } = problemOf(code);
  const status = ownStatus ?? usualStatus;
  const body = { type: `urn:hookline:problem:${code}`, title, status, code, detail, ...extra };
  return { status, text: JSON.stringify(body) };
}
