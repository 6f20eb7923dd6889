import { refusesCredentials, type CredentialsProvider } from "../../../aws-credentials.ts";
import { shortened } from "../../../bounded-text.ts";
import { sleep } from "../../../wait.ts";
import { classifyCode, codeOf } from "./errors.ts";
import { createSigner } from "./sigv4.ts";

/** An answer of SQS that is an error; `name` is its code. */
class SqsAnswerError extends Error {
  /** Epoch ms of the answer's Date header; NaN without one. */
  readonly serverTime: number;

  constructor(code: string, message: string, serverTime: number) {
    super(message);
    this.name = code;
    this.serverTime = serverTime;
  }
}

export interface DirectOptions {
  readonly region: string;
  /** Null = each queue's own host, as AWS's client does it. */
  readonly endpointUrl: string | null;
  /** From AWS's client, which finds and renews them. */
  readonly credentials: CredentialsProvider;
  readonly maxAttempts: number;
  readonly timeoutMs: number;
}

/** Sends one action to SQS. Rejects with an error whose `name` or `code` classifyCode knows. */
export interface DirectCaller {
  call<T>(action: string, queueUrl: string, input: object, options?: CallOptions): Promise<T>;
  /** Cuts the long polls under way, and only them. */
  cutPolls(): void;
}

export interface CallOptions {
  /** Added to the timeout: how long SQS itself may wait. */
  readonly waitMs?: number;
}

/** Codes of a clock that is off; the answer's Date says by how much. */
const skewCodes = new Set([
  "RequestTimeTooSkewed",
  "RequestExpired",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
  "AuthFailure",
]);
const minSkewMs = 240_000;

/**
 * The calls that move messages, in AWS JSON 1.0 over `fetch`.
 *
 * AWS's own client costs 45 µs of CPU a message for receive and delete in tens, this a quarter of it; at
 * several thousand messages a second that is a third of all there is. Everything else goes through the client,
 * credentials included. What it does for such a call is done here too: the queue's URL is the endpoint,
 * throttling, 5xx and transport errors are repeated with growing, jittered pauses, a clock that is off is
 * corrected by the server's. Credentials that AWS refuses are looked for again, once a call.
 */
export function createDirectCaller(options: DirectOptions): DirectCaller {
  const sign = createSigner(options.region);
  const origins = new Map<string, { url: string; host: string }>();
  let polls = new AbortController();
  let skewMs = 0;

  const originOf = (queueUrl: string): { url: string; host: string } => {
    let origin = origins.get(queueUrl);
    if (origin === undefined) {
      const { origin: text, host } = new URL(options.endpointUrl ?? queueUrl);
      origins.set(queueUrl, (origin = { url: `${text}/`, host }));
    }
    return origin;
  };

  const once = async <T>(
    action: string,
    queueUrl: string,
    body: string,
    waitMs: number | undefined,
    forceRefresh: boolean,
  ): Promise<T> => {
    const credentials = await (forceRefresh
      ? options.credentials({ forceRefresh: true })
      : options.credentials());
    const { url, host } = originOf(queueUrl);
    const headers = sign({ host, target: `AmazonSQS.${action}`, body }, credentials, Date.now() + skewMs);
    // Errors with the codes that people know (AWS.SimpleQueueService.NonExistentQueue).
    headers["x-amzn-query-mode"] = "true";
    const cut = new AbortController();
    const timer = setTimeout(() => cut.abort(timeoutError(host)), options.timeoutMs + (waitMs ?? 0));
    const poll = waitMs === undefined ? null : polls.signal;
    const abort = (): void => cut.abort(poll?.reason);
    poll?.addEventListener("abort", abort, { once: true });
    try {
      const init: RequestInit & { proxy: false } = {
        method: "POST",
        headers,
        body,
        signal: cut.signal,
        redirect: "manual",
        // As AWS's client: Bun's fetch would follow HTTP_PROXY, to an emulator on this machine, too.
        proxy: false,
      };
      const response = await fetch(url, init);
      if (response.ok) return (await response.json()) as T;
      throw await answerError(response);
    } catch (error) {
      throw cut.signal.aborted && cut.signal.reason instanceof Error ? cut.signal.reason : error;
    } finally {
      clearTimeout(timer);
      poll?.removeEventListener("abort", abort);
    }
  };

  return {
    async call<T>(action: string, queueUrl: string, input: object, { waitMs }: CallOptions = {}): Promise<T> {
      const body = JSON.stringify(input);
      let forceRefresh = false;
      let hasRefreshed = false;
      const { signal } = polls;
      for (let attempt = 1; ;) {
        try {
          return await once<T>(action, queueUrl, body, waitMs, forceRefresh);
        } catch (error) {
          if (waitMs !== undefined && signal.aborted) throw error;
          const code = codeOf(error);
          const corrected = correctSkew(error, code);
          forceRefresh = !corrected && !hasRefreshed && refusesCredentials(code);
          // It counts as no repetition: where none is configured, the old ones would be used for ever.
          if (forceRefresh) {
            hasRefreshed = true;
            continue;
          }
          if (attempt >= options.maxAttempts) throw error;
          attempt += 1;
          if (!corrected) {
            if (classifyCode(code) !== "unavailable") throw error;
            await sleep(pauseMs(attempt - 1, code));
          }
        }
      }
    },
    cutPolls() {
      polls.abort(new Error("cut off: the driver closes"));
      polls = new AbortController();
    },
  };

  function correctSkew(error: unknown, code: string): boolean {
    if (!(error instanceof SqsAnswerError) || !skewCodes.has(code)) return false;
    const offset = error.serverTime - Date.now();
    if (Number.isNaN(offset) || Math.abs(offset - skewMs) < minSkewMs) return false;
    skewMs = offset;
    return true;
  }
}

/** Full jitter below a doubling bound, as AWS's client has it; a throttled call waits longer. */
function pauseMs(attempt: number, code: string): number {
  const isThrottled = /Throttl|LimitExceeded|SlowDown|TooManyRequests/.test(code);
  return Math.random() * (isThrottled ? 500 : 100) * 2 ** attempt;
}

async function answerError(response: Response): Promise<SqsAnswerError> {
  const text = await response.text();
  const serverTime = Date.parse(response.headers.get("date") ?? "");
  const [queryCode] = (response.headers.get("x-amzn-query-error") ?? "").split(";");
  let type = "";
  let message = "";
  try {
    const body = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const shape = body["__type"];
    if (typeof shape === "string") type = shape.split("#").pop() ?? "";
    const said = body["message"] ?? body["Message"];
    if (typeof said === "string") message = said;
  } catch {
    // A gateway's page; the status is all it says.
  }
  const code = shortened(queryCode || type || `HTTP ${response.status}`, 100);
  return new SqsAnswerError(code, shortened(message || `HTTP ${response.status}`, 500), serverTime);
}

function timeoutError(host: string): Error {
  const error = new Error(`no answer from ${host} in time`);
  error.name = "TimeoutError";
  return error;
}
