import { Buffer } from "node:buffer";
import type { JobBody } from "../jobs/job.ts";
import type { Cut } from "./cut.ts";
import type { Endpoint } from "./endpoint.ts";
import { deliveryHeaders, type HeaderEntry } from "./headers.ts";
import type { Outcome } from "./outcome.ts";
import { signatureHeaders } from "./signature-headers.ts";
import type { AttemptTrace } from "./trace.ts";
import type { Transport } from "./transport.ts";

/** What one exchange with an endpoint sends. */
export interface SignedRequest {
  readonly endpoint: Endpoint;
  /** The `webhook-id`. */
  readonly deliveryId: string;
  /** Exactly what is signed and sent. */
  readonly body: JobBody;
  /** Epoch ms of this attempt: the signature's timestamp. */
  readonly nowMs: number;
  readonly cut: Cut;
  /** Where to note what is sent; absent or null: nowhere. */
  readonly trace?: AttemptTrace | null;
  /** The trace of the job; undefined: none. */
  readonly traceparent?: string | undefined;
  /** A raw message's own content type and headers. */
  readonly details?: readonly HeaderEntry[] & { readonly contentType: string };
}

/**
 * Signs a body for an endpoint and sends it once, as every attempt and every test delivery is sent.
 *
 * Never rejects but for a bug. Comes to `blocked`, without sending anything, when every key of the endpoint has
 * reached its end: nothing may be sent that the receiver would have to take unsigned.
 */
export function sendSigned(transport: Transport, request: SignedRequest): Promise<Outcome> {
  const { endpoint, deliveryId, nowMs, details } = request;
  const body = wireForm(request.body);
  const signature = signatureHeaders(endpoint, { deliveryId, body, nowMs });
  if (signature === null) {
    return Promise.resolve({ kind: "blocked", code: "no_signing_key", durationMs: 0 });
  }
  const parts = { deliveryId, signature, traceparent: request.traceparent };
  const headers = deliveryHeaders(
    endpoint,
    details === undefined ? parts : { ...parts, details, contentType: details.contentType },
  );
  const trace = request.trace ?? null;
  if (trace !== null) trace.headers = headers;
  return transport.attempt({
    endpoint,
    headers,
    body,
    timeoutMs: endpoint.requestTimeoutMs,
    cut: request.cut,
    trace,
  });
}

const encoder = new TextEncoder();

/**
 * What is signed, by each scheme, and sent: a text that is not ASCII as its bytes, so that it is encoded once and not by each
 * of those that need them.
 */
function wireForm(body: JobBody): JobBody {
  return typeof body === "string" && Buffer.byteLength(body) !== body.length ? encoder.encode(body) : body;
}
