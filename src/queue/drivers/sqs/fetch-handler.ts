/** The part of an SDK request that is sent. */
interface OutgoingRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

interface HandlerOptions {
  readonly abortSignal?: { readonly aborted: boolean } | undefined;
  readonly requestTimeout?: number | undefined;
}

/**
 * Sends the SDK's requests with `fetch`.
 *
 * The SDK's own node:http handler costs nearly twice the CPU on Bun (93 against 51 µs a message, receive and
 * delete in tens). Timeouts are ours for the same reason as everywhere: an AbortController and a timer that
 * is cleared, never AbortSignal.timeout, which keeps its memory until it would have fired.
 */
export function createFetchHandler(defaultTimeoutMs: number) {
  return {
    async handle(request: OutgoingRequest, options: HandlerOptions = {}) {
      const port = request.port === undefined ? "" : `:${request.port}`;
      const cut = new AbortController();
      const outer = options.abortSignal as AbortSignal | undefined;
      const abort = (): void => cut.abort(outer?.reason);
      if (outer?.aborted === true) abort();
      outer?.addEventListener("abort", abort, { once: true });
      const timer = setTimeout(
        () => cut.abort(timeoutError(request.hostname)),
        options.requestTimeout ?? defaultTimeoutMs,
      );
      try {
        const response = await fetch(`${request.protocol}//${request.hostname}${port}${request.path}`, {
          method: request.method,
          headers: request.headers,
          body: (request.body ?? null) as string | null,
          signal: cut.signal,
          redirect: "manual",
        });
        const body = new Uint8Array(await response.arrayBuffer());
        const headers: Record<string, string> = {};
        response.headers.forEach((value, name) => void (headers[name] = value));
        return { response: { statusCode: response.status, headers, body } };
      } catch (error) {
        // fetch rejects with the abort's own reason, so that the SDK sees our TimeoutError and tries again.
        throw cut.signal.aborted && cut.signal.reason instanceof Error ? cut.signal.reason : error;
      } finally {
        clearTimeout(timer);
        outer?.removeEventListener("abort", abort);
      }
    },
    destroy: (): void => undefined,
    updateHttpClientConfig: (): void => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

function timeoutError(host: string): Error {
  const error = new Error(`no answer from ${host} in time`);
  error.name = "TimeoutError";
  return error;
}
