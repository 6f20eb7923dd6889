import type { JobBody } from "../jobs/job.ts";
import type { Cut } from "./cut.ts";
import type { Destination } from "./destination.ts";
import type { HeaderEntry } from "./headers.ts";
import type { Proxy } from "./proxy.ts";

/** One HTTP exchange with one address (http1/exchange.ts). */
export interface Exchange {
  /**
   * POSTs and reads the answer to its end, or 64 KiB of it.
   *
   * Connects to `address` and to nothing else: no proxy from the environment, no redirect, no name
   * lookup. TLS names and verifies the destination's host. Never sends a request twice. Rejects with the
   * runtime's own error (classify.ts), and at once when `cut` is cut.
   *
   * With a proxy, `address` is the proxy's and the proxy is told the destination's name: TLS through a
   * CONNECT tunnel, plain HTTP by absolute URL (which carries Host faithfully only with the name). The
   * proxy then looks the name up itself.
   */
  post(request: ExchangeRequest): Promise<Answer>;
  /**
   * The same over a connection that is open already, without a promise: the waiter gets the answer, or the error that
   * `post` rejects with. False when no connection is open: then nothing was done, and the waiter hears nothing.
   */
  postNow(request: ExchangeRequest, waiter: AnswerTaker): boolean;
  /** Closes idle connections. */
  close(): void;
}

export interface ExchangeRequest {
  readonly destination: Destination;
  /** IPv4 or IPv6 without brackets: the destination's, or the proxy's. */
  readonly address: string;
  readonly proxy: Proxy | null;
  readonly headers: readonly HeaderEntry[];
  readonly body: JobBody;
  readonly cut: Cut;
}

/** Who takes an answer; one of the two is called, once. */
export interface AnswerTaker {
  answered(answer: Answer): void;
  failed(error: Error): void;
}

/** What matters of an answer. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly location: string | null;
  /** The beginning of its body, as many bytes of it as the exchange was made to keep; null where none are kept. */
  readonly body: string | null;
}

/** Bytes of an answer that are read for the sake of reusing the connection; the rest is cut off. */
export const maxAnswerBytes = 65_536;
