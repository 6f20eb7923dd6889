import type { Clock } from "../clock.ts";
import { classify, type Fault } from "./classify.ts";
import { createDestination, type Destination } from "./destination.ts";
import type { Egress } from "./egress.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Answer, Exchange } from "./exchange.ts";
import type { Outcome } from "./outcome.ts";
import { avoid, createPeer, type Peer, prefer } from "./peer.ts";
import { createProxy, type Proxy } from "./proxy.ts";
import type { Resolver } from "./resolver.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { AttemptRequest, Transport } from "./transport.ts";

export interface HttpTransportOptions {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly exchange: Exchange;
  readonly egress: Egress;
  /** For endpoints without a proxy of their own; null = none. */
  readonly proxy: URL | null;
}

/** What is kept per endpoint between attempts. */
interface Route {
  readonly destination: Destination;
  /** The destination's host. */
  readonly target: Peer;
  readonly proxy: { readonly settings: Proxy; readonly peer: Peer } | null;
}

/**
 * Attempts over HTTP: one POST, one total deadline from name resolution to the answer's last byte, no
 * redirects, no proxy of the environment, at most 64 KiB of the answer read, nothing sent to an address
 * that the egress rules forbid.
 *
 * A connection that cannot be made goes on with the name's next address within the same attempt, for
 * nothing was sent (RFC 8305 in spirit). Everything later ends the attempt: what the receiver may have
 * seen is not repeated without being counted.
 */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  const { clock, resolver, exchange } = options;
  const routes = new WeakMap<Endpoint, Route>();
  const routeOf = (endpoint: Endpoint): Route => {
    let route = routes.get(endpoint);
    if (route === undefined) routes.set(endpoint, (route = createRoute(endpoint, options)));
    return route;
  };

  const send = async (request: AttemptRequest, route: Route, signal: AbortSignal): Promise<Reply> => {
    const { destination, target } = route;
    const proxy = route.proxy?.settings ?? null;
    // With a proxy too: its target is held to the same rules, as far as our own lookup can tell.
    let reach = target.known() ?? (await orAborted(target.ask(), signal));
    if (reach.ok && route.proxy !== null) {
      reach = route.proxy.peer.known() ?? (await orAborted(route.proxy.peer.ask(), signal));
      if (!reach.ok) return { fault: { kind: "connect", code: `proxy: ${reach.code}` } };
    }
    if (!reach.ok) return { fault: { kind: reach.kind, code: reach.code } };
    const { addresses } = reach;
    const { headers, body } = request;
    let address = addresses[0] ?? "";
    let others: string[] | null = null;
    for (;;) {
      try {
        const answer = await exchange.post({ destination, address, proxy, headers, body, signal });
        if (others !== null) prefer(addresses, address);
        if (answer.status === 407 && proxy !== null) {
          return { fault: { kind: "connect", code: "proxy: 407" } };
        }
        return { answer };
      } catch (error) {
        if (signal.aborted) {
          // It may be the address that is dead: the next attempt starts with another one.
          avoid(addresses, address);
          throw error;
        }
        const fault = classify(error);
        if (fault.kind !== "connect") return { fault };
        others ??= addresses.filter((other) => other !== address);
        const next = others.shift();
        if (next === undefined) return { fault };
        address = next;
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

type Reply =
  | { readonly answer: Answer }
  | { readonly fault: Fault | { readonly kind: "blocked"; readonly code: string } };

function createRoute({ target, headers, tls, proxy: own }: Endpoint, options: HttpTransportOptions): Route {
  if (target.kind !== "http") throw new Error("the HTTP transport was given an endpoint without a URL");
  const { resolver, egress } = options;
  const destination = createDestination(target.url, headers, tls);
  const proxyUrl = own ?? options.proxy;
  const settings = proxyUrl === null ? null : createProxy(proxyUrl);
  return {
    destination,
    target: createPeer({ ...destination, resolver, egress }),
    proxy:
      settings === null
        ? null
        : { settings, peer: createPeer({ ...settings, port: null, resolver, egress }) },
  };
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
