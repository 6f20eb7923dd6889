import { Buffer } from "node:buffer";
import type * as Sdk from "@aws-sdk/client-lambda";
import { findOthers, readFilesAnew, refusesCredentials } from "../aws-credentials.ts";
import type { Clock } from "../clock.ts";
import type { JobBody } from "../jobs/job.ts";
import { classify, codeOf } from "./classify.ts";
import { orCut } from "./cut.ts";
import type { Deadlines } from "./deadline.ts";
import type { Endpoint, Target } from "./endpoint.ts";
import type { HeaderEntry } from "./headers.ts";
import { mapLambdaOptions } from "./lambda-options.ts";
import type { Verdict } from "./outcome.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { Transport } from "./transport.ts";

/** Invokes functions; keeps a client for each endpoint. */
export interface LambdaTransport extends Transport {
  /** Lets go of the endpoint's client, once no attempt of it is in flight: it has been replaced or removed. */
  forget(endpoint: Endpoint): void;
}

type LambdaTarget = Extract<Target, { readonly kind: "lambda" }>;

/**
 * Attempts that invoke a Lambda function: `RequestResponse`, whose end is the delivery, or `Event`, whose
 * acceptance is.
 *
 * The event is `{"payload": …, "headers": {…}}` with the headers an HTTP receiver would get, signatures
 * among them. Outcomes are those of HTTP: the Invoke API's status, and `function_error` when the function
 * itself failed. The SDK is loaded at the first attempt, because it would double the time to start; its
 * own retries are off, because attempts are counted here.
 */
export function createLambdaTransport({
  clock,
  deadlines,
}: {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}): LambdaTransport {
  const clients = new Map<Endpoint, Sdk.LambdaClient>();
  const inFlight = new Map<Endpoint, number>();
  /** Replaced or removed; their clients go with the last attempt. */
  const leaving = new WeakSet<Endpoint>();
  let sdk: Promise<typeof Sdk> | null = null;

  const clientOf = (
    endpoint: Endpoint,
    target: LambdaTarget,
    { LambdaClient }: typeof Sdk,
  ): Sdk.LambdaClient => {
    let client = clients.get(endpoint);
    if (client === undefined) {
      const { settings } = mapLambdaOptions(target.clientOptions, "");
      // The SDK's 50 sockets would be a limit of its own; lanes and max_in_flight are the limits here.
      const agent = { keepAlive: true, maxSockets: 4096 };
      client = new LambdaClient({
        region: target.region,
        ...settings,
        ...readFilesAnew,
        maxAttempts: 1,
        requestHandler: { httpAgent: agent, httpsAgent: agent },
      });
      clients.set(endpoint, client);
    }
    return client;
  };

  const letGo = (endpoint: Endpoint): void => {
    clients.get(endpoint)?.destroy();
    clients.delete(endpoint);
  };
  const ended = (endpoint: Endpoint): void => {
    const left = (inFlight.get(endpoint) ?? 1) - 1;
    if (left > 0) inFlight.set(endpoint, left);
    else inFlight.delete(endpoint);
    if (left === 0 && leaving.has(endpoint)) letGo(endpoint);
  };

  return {
    forget(endpoint) {
      leaving.add(endpoint);
      if (!inFlight.has(endpoint)) letGo(endpoint);
    },
    attempt(request) {
      const { endpoint, cut } = request;
      const { target } = endpoint;
      if (target.kind !== "lambda") {
        throw new Error("the Lambda transport was given an endpoint without a function");
      }
      inFlight.set(endpoint, (inFlight.get(endpoint) ?? 0) + 1);
      const outcome = deadlines.run(request, async () => {
        sdk ??= import("@aws-sdk/client-lambda");
        const loaded = await orCut(sdk, cut);
        const command = new loaded.InvokeCommand({
          FunctionName: target.functionName,
          InvocationType: target.async ? "Event" : "RequestResponse",
          Payload: lambdaEvent(request.headers, request.body),
        });
        try {
          const client = clientOf(endpoint, target, loaded);
          // Raced, for looking up credentials does not listen to its signal.
          const invoke = () => orCut(client.send(command, { abortSignal: cut.signal }), cut);
          const answer = await invoke().catch(async (error: unknown) => {
            // Refused before the function was called: with other credentials it is the same attempt.
            if (cut.isCut || !refusesCredentials((error as SdkError).name ?? "")) throw error;
            if (!(await orCut(findOthers(client.config.credentials), cut))) throw error;
            return await invoke();
          });
          if (answer.FunctionError !== undefined)
            return { kind: "function_error", code: codeOf(answer.FunctionError) };
          const status = answer.StatusCode ?? answer.$metadata.httpStatusCode ?? 0;
          if (status >= 200 && status <= 299) return { kind: "delivered", status };
          return { kind: "http_status", status, retryAfterMs: null };
        } catch (error) {
          if (cut.isCut) throw error;
          return verdictOf(error, clock.now());
        }
      });
      return outcome.finally(() => ended(endpoint));
    },
    close() {
      for (const client of clients.values()) client.destroy();
      clients.clear();
      return Promise.resolve();
    },
  };
}

/** What the SDK adds to the errors it throws. */
interface SdkError {
  readonly name?: string;
  readonly retryAfterSeconds?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

function verdictOf(error: unknown, now: number): Verdict {
  const { name, retryAfterSeconds, $metadata, $response } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  // It says something of our credentials or clock, not of the delivery: tried again, so that jobs outlive an expired token.
  if (name !== undefined && refusesCredentials(name)) return { kind: "protocol", code: name };
  if (status === undefined || status < 300) return classify(error);
  // The Invoke API does not redirect; were a proxy to, it is no answer of the function's.
  if (status <= 399) return { kind: "redirect", status, location: null };
  const retryAfter = retryAfterSeconds ?? $response?.headers?.["retry-after"];
  return { kind: "http_status", status, retryAfterMs: parseRetryAfter(retryAfter, now) };
}

/**
 * The invocation's event. JSON stands in it as it is, byte for byte; other text as a JSON string; bytes
 * in base64, marked with `"isBase64Encoded": true` as AWS itself does.
 */
export function lambdaEvent(headers: readonly HeaderEntry[], body: JobBody): Uint8Array {
  const head = JSON.stringify(
    Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  );
  if (typeof body !== "string") {
    const encoded = Buffer.from(body).toString("base64");
    return Buffer.from(`{"payload":"${encoded}","isBase64Encoded":true,"headers":${head}}`);
  }
  return Buffer.from(`{"payload":${isJson(body) ? body : JSON.stringify(body)},"headers":${head}}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
