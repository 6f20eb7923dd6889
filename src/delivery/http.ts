import type { Clock } from "../clock.ts";
import { classify } from "./classify.ts";
import { createDestination, type Destination } from "./destination.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Answer, Exchange } from "./exchange.ts";
import type { Outcome } from "./outcome.ts";
import type { Resolution, Resolver } from "./resolver.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { AttemptRequest, Transport } from "./transport.ts";

export interface HttpTransportOptions {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly exchange: Exchange;
}

/** What is kept per endpoint between attempts. */
interface Route {
  readonly destination: Destination;
  /** Set for IP literals, which are never looked up. */
  readonly fixed: Resolution | null;
  /** The resolution that `addresses` was made of; another object means: names were looked up anew. */
  resolution: Resolution | null;
  addresses: readonly string[];
  /** Index of the address to try first: the one that last took a connection. */
  first: number;
}

/**
 * Attempts over HTTP: one POST, one total deadline from name resolution to the answer's last byte, no
 * redirects, no proxy of the environment, at most 64 KiB of the answer read.
 *
 * A connection that cannot be made goes on with the name's next address within the same attempt, for
 * nothing was sent (RFC 8305 in spirit). Everything later ends the attempt: what the receiver may have
 * seen is not repeated without being counted.
 */
export function createHttpTransport({ clock, resolver, exchange }: HttpTransportOptions): Transport {
  const routes = new WeakMap<Endpoint, Route>();
  const routeOf = (endpoint: Endpoint): Route => {
    let route = routes.get(endpoint);
    if (route === undefined) routes.set(endpoint, (route = createRoute(endpoint)));
    return route;
  };

  const send = async (request: AttemptRequest, route: Route, signal: AbortSignal): Promise<Reply> => {
    const { destination } = route;
    const resolution =
      route.fixed ??
      resolver.known(destination.hostname) ??
      (await orAborted(resolver.resolve(destination.hostname), signal));
    if (!resolution.ok) return { fault: { kind: "dns", code: resolution.code } };
    if (route.resolution !== resolution) {
      route.resolution = resolution;
      route.addresses = resolution.addresses;
      route.first = 0;
    }
    const { addresses } = route;
    for (let tried = 0; ; tried++) {
      const index = (route.first + tried) % addresses.length;
      const address = addresses[index] ?? "";
      try {
        const { headers, body } = request;
        const answer = await exchange.post({ destination, address, headers, body, signal });
        if (tried > 0 && route.addresses === addresses) route.first = index;
        return { answer };
      } catch (error) {
        if (signal.aborted) {
          // It may be the address that is dead: the next attempt starts with another one.
          if (route.addresses === addresses) route.first = (index + 1) % addresses.length;
          throw error;
        }
        const fault = classify(error);
        if (fault.kind === "connect" && tried + 1 < addresses.length) continue;
        return { fault };
      }
    }
  };

  return {
    async attempt(request) {
      const started = clock.monotonic();
      if (request.signal.aborted) return { kind: "aborted", durationMs: 0 };
      const controller = new AbortController();
      let timedOut = false;
      // Not AbortSignal.timeout: its timers live on after the attempt (runtime-facts §12).
      const timer = setTimeout(() => {
        timedOut = true;
        controller.abort();
      }, request.timeoutMs);
      const abort = (): void => controller.abort();
      request.signal.addEventListener("abort", abort, { once: true });
      try {
        const reply = await send(request, routeOf(request.endpoint), controller.signal);
        const durationMs = clock.monotonic() - started;
        if ("answer" in reply)
          return outcomeOf(reply.answer, routeOf(request.endpoint), clock.now(), durationMs);
        const { kind, code } = reply.fault;
        return kind === "timeout" || kind === "aborted" ? { kind, durationMs } : { kind, code, durationMs };
      } catch (error) {
        const durationMs = clock.monotonic() - started;
        if (timedOut) return { kind: "timeout", durationMs };
        if (request.signal.aborted) return { kind: "aborted", durationMs };
        throw error;
      } finally {
        clearTimeout(timer);
        request.signal.removeEventListener("abort", abort);
      }
    },
    close() {
      resolver.close();
      exchange.close();
      return Promise.resolve();
    },
  };
}

type Reply = { readonly answer: Answer } | { readonly fault: ReturnType<typeof classify> };

function createRoute({ target, headers, tls }: Endpoint): Route {
  if (target.kind !== "http") throw new Error("the HTTP transport was given an endpoint without a URL");
  const destination = createDestination(target.url, headers, tls);
  const fixed: Resolution | null = destination.isAddress
    ? { ok: true, addresses: [destination.hostname] }
    : null;
  return { destination, fixed, resolution: null, addresses: [], first: 0 };
}

function outcomeOf(answer: Answer, { destination }: Route, now: number, durationMs: number): Outcome {
  const { status } = answer;
  if (status >= 200 && status <= 299) return { kind: "delivered", status, durationMs };
  if (status >= 300 && status <= 399) {
    return { kind: "redirect", status, location: originOf(answer.location, destination), durationMs };
  }
  return { kind: "http_status", status, retryAfterMs: parseRetryAfter(answer.retryAfter, now), durationMs };
}

/** Scheme and host of a Location: its path and query may hold secrets. */
function originOf(location: string | null, destination: Destination): string | null {
  if (location === null) return null;
  const scheme = destination.secure ? "https" : "http";
  const base = `${scheme}://${destination.headers[0]?.[1] ?? destination.hostname}`;
  const url = URL.parse(location, base);
  return url === null || url.host === "" ? null : `${url.protocol}//${url.host}`;
}

/** The promise's value, or a rejection as soon as the signal aborts; the promise itself goes on. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new DOMException("aborted", "AbortError"));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
