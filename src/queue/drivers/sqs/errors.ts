import { DriverUnavailableError, HooklineError } from "../../../errors.ts";

/** What an error of the SQS client means for us. */
export type SqsErrorKind =
  /** The credentials may not do this. */
  | "denied"
  /** No credentials, expired ones, or ones that AWS does not know. */
  | "credentials"
  | "no_queue"
  /** The receipt handle is no longer, or never was, the message's. */
  | "gone"
  /** The request itself is wrong; repeating it does not help. */
  | "refused"
  /** Throttling, 5xx, transport: for now. */
  | "unavailable";

const denied = new Set(["AccessDenied", "AccessDeniedException", "KmsAccessDenied", "UnauthorizedOperation"]);
const credentials = new Set([
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "IncompleteSignature",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidSecurity",
  "InvalidSignatureException",
  "MissingAuthenticationToken",
  "NotAuthorized",
  "OptInRequired",
  "SignatureDoesNotMatch",
  "TokenProviderError",
  "UnrecognizedClientException",
]);
const missing = new Set(["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress"]);
/** Entry codes and errors of a handle that has no power any more (standard, FIFO after its timeout). */
const stale = new Set([
  "ReceiptHandleIsInvalid",
  "MessageNotInflight",
  "AWS.SimpleQueueService.MessageNotInflight",
]);
const refused = new Set([
  "InvalidParameterValue",
  "InvalidParameterValueException",
  "InvalidMessageContents",
  "InvalidAttributeName",
  "InvalidAttributeValue",
  "MissingParameter",
  "BatchRequestTooLong",
  "AWS.SimpleQueueService.BatchRequestTooLong",
  "QueueNameExists",
  "QueueAlreadyExists",
  "UnsupportedOperation",
  "UnknownOperationException",
  "InvalidAction",
  "ValidationError",
]);

/**
 * Tells client errors apart by their code. `name` is set by the SDK as data, so minifying does not change it;
 * messages are never matched.
 */
export function classifyCode(code: string): SqsErrorKind {
  if (denied.has(code)) return "denied";
  if (credentials.has(code)) return "credentials";
  if (missing.has(code)) return "no_queue";
  if (stale.has(code)) return "gone";
  return refused.has(code) ? "refused" : "unavailable";
}

/** The error's code as SQS or the SDK gave it; for transport errors the system's (`ECONNREFUSED`). */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "unknown";
  const { name, code, Code } = error as { name?: unknown; code?: unknown; Code?: unknown };
  for (const candidate of [Code, name, code]) {
    if (typeof candidate === "string" && classifyCode(candidate) !== "unavailable") return candidate;
  }
  if (typeof code === "string") return code;
  return typeof name === "string" ? name : "unknown";
}

/** A failed call of the client, already told apart. */
export class SqsCallError extends HooklineError {
  override readonly name = "SqsCallError";
  readonly kind: SqsErrorKind;
  readonly action: string;
  readonly sqsCode: string;

  constructor(kind: SqsErrorKind, action: string, sqsCode: string, message: string, options?: ErrorOptions) {
    super("sqs_call_failed", message, options);
    this.kind = kind;
    this.action = action;
    this.sqsCode = sqsCode;
  }
}

/** Wraps what the client threw. `queue` is a queue's name, never its URL. */
export function callError(error: unknown, action: string, queue: string): SqsCallError {
  const sqsCode = codeOf(error);
  const kind = classifyCode(sqsCode);
  return new SqsCallError(kind, action, sqsCode, explain(kind, action, queue, sqsCode, error), {
    cause: error,
  });
}

function explain(kind: SqsErrorKind, action: string, queue: string, code: string, error: unknown): string {
  const permission = `sqs:${action.replace(/Batch$/, "")}`;
  const where = queue === "" ? "" : ` on queue ${queue}`;
  switch (kind) {
    case "denied":
      return `${permission}${where} is denied: ${code}; add ${permission} to the IAM policy of the credentials, or to the key policy for an encrypted queue`;
    case "credentials":
      return `SQS does not accept the credentials for ${permission}${where} (${code}): renew them, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role`;
    case "no_queue":
      return `queue ${queue} does not exist (${code}): check name, region and account, or create it`;
    default:
      return `${permission}${where} failed: ${code}${error instanceof Error && error.message !== "" ? `, ${error.message}` : ""}`;
  }
}

/** A clock that is off, which repeating does not mend. */
const clockCodes = new Set(["RequestExpired", "RequestTimeTooSkewed"]);

/** What the driver's callers see of a failed call: back off and try again. */
export function unavailable(error: unknown): DriverUnavailableError {
  if (error instanceof DriverUnavailableError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const isRefused =
    error instanceof SqsCallError && (error.kind !== "unavailable" || clockCodes.has(error.sqsCode));
  return new DriverUnavailableError(`sqs: ${message}`, {
    cause: error,
    ...(isRefused ? { refusal: error.sqsCode } : {}),
  });
}
