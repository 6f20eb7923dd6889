import { SqsError } from "./sqs-model-errors.ts";

/** Failures that a test orders. All are off at start; each stays until it is changed. */
export interface ModelFaults {
  /** Actions refused, by name as in `DeleteMessage`; a batch action asks for its single one's permission. */
  readonly denied: Set<string>;
  /** Answer 503 to everything. */
  outage: boolean;
  /** A gateway in between answers 502 and HTML. */
  gateway: boolean;
  /** Answer RequestThrottled to so many requests from now on. */
  throttle: number;
  /** Milliseconds added before each answer. */
  latencyMs: number;
  /** Credentials are no longer accepted. */
  expiredToken: boolean;
  /** Access keys that are no longer accepted, and the code that says so. */
  readonly refusedKeys: Map<string, string>;
  /**
   * Fails single entries of batches: return a code to fail the entry, null to let it through.
   * `SenderFault` is true for codes that do not start with "Internal" or "Service".
   */
  failEntry: ((action: string, entry: { Id: string } & Record<string, unknown>) => string | null) | null;
  /** Receives are answered at once, also those that wait: for the end of a test. */
  noWaiting: boolean;
  /** Does the work, then answers 500: the caller cannot know. One request of this action each. */
  readonly loseAnswer: Set<string>;
}

export function createFaults(): ModelFaults {
  return {
    denied: new Set(),
    outage: false,
    gateway: false,
    throttle: 0,
    latencyMs: 0,
    expiredToken: false,
    refusedKeys: new Map(),
    failEntry: null,
    noWaiting: false,
    loseAnswer: new Set(),
  };
}

/** Throws what the ordered failures say to this request. */
export function applyFaults(faults: ModelFaults, action: string, authorization: string): void {
  if (faults.outage)
    throw new SqsError("ServiceUnavailable", "Service is unavailable.", "ServiceUnavailable", 503);
  if (faults.expiredToken) {
    throw new SqsError(
      "ExpiredTokenException",
      "The security token included in the request is expired",
      "ExpiredToken",
      403,
    );
  }
  const refusal = faults.refusedKeys.get(/Credential=([^/]+)/.exec(authorization)?.[1] ?? "");
  if (refusal !== undefined) {
    throw new SqsError(refusal, "The security token included in the request is invalid", refusal, 403);
  }
  if (faults.throttle > 0) {
    faults.throttle -= 1;
    // CommonErrors: RequestThrottled / ThrottlingException, 400.
    throw new SqsError("RequestThrottled", "Request is throttled.", "RequestThrottled");
  }
  // sqs-api-permissions-reference: permissions of the batch actions are those of the single ones.
  const permission = action.replace(/Batch$/, "");
  if (faults.denied.has(permission)) {
    throw new SqsError(
      "AccessDeniedException",
      `User: arn:aws:iam::123456789012:user/test is not authorized to perform: sqs:${permission.toLowerCase()} because no identity-based policy allows the sqs:${permission.toLowerCase()} action`,
      "AccessDenied",
      403,
    );
  }
}

/** The result of one batch entry that was ordered to fail; null when it was not. */
export function failedEntry(
  faults: ModelFaults,
  action: string,
  entry: { Id: string } & Record<string, unknown>,
) {
  const code = faults.failEntry?.(action, entry) ?? null;
  if (code === null) return null;
  return {
    Id: entry.Id,
    Code: code,
    SenderFault: !/^(Internal|Service)/.test(code),
    Message: "ordered by the test",
  };
}
