import type { Clock } from "../clock.ts";
import { classify } from "./classify.ts";
import { type Cut, orCut } from "./cut.ts";
import type { Deadlines } from "./deadline.ts";
import { createDestination, type Destination } from "./destination.ts";
import type { Egress } from "./egress/rules.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Answer, AnswerTaker, Exchange, ExchangeRequest } from "./exchange.ts";
import { shownLocation } from "./location.ts";
import type { Outcome, Verdict } from "./outcome.ts";
import { avoid, createPeer, type Peer, prefer } from "./peer.ts";
import { createProxy, type Proxy } from "./proxy.ts";
import type { Resolver } from "./dns/resolver.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { AttemptRequest, Transport } from "./transport.ts";

/** Attempts over HTTP. */
export interface HttpTransport extends Transport {
  /** Egress rules and proxy are read anew for the attempts that begin from now on. */
  reroute(): void;
}

export interface HttpTransportOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly resolver: Resolver;
  readonly exchange: Exchange;
  readonly egress: Egress;
  /** For endpoints without a proxy of their own; null = none. */
  readonly proxy: URL | null;
  /** Replaces every secret in a text: a receiver may send back what it was sent. */
  readonly mask: (text: string) => string;
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
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { deadlines, resolver, exchange } = options;
  let routes = new WeakMap<Endpoint, Route>();
  const routeOf = (endpoint: Endpoint): Route => {
    let route = routes.get(endpoint);
    if (route === undefined) routes.set(endpoint, (route = createRoute(endpoint, options)));
    return route;
  };

  const send = async (request: AttemptRequest, cut: Cut): Promise<Verdict> => {
    const route = routeOf(request.endpoint);
    const { destination, target } = route;
    const proxy = route.proxy?.settings ?? null;
    // With a proxy too: its target is held to the same rules, as far as our own lookup can tell.
    let reach = target.known() ?? (await orCut(target.ask(), cut));
    if (reach.ok && route.proxy !== null) {
      reach = route.proxy.peer.known() ?? (await orCut(route.proxy.peer.ask(), cut));
      // Not the endpoint's fault, and mended by the operator: to be tried again.
      if (!reach.ok) return { kind: "connect", code: `proxy: ${reach.code}` };
    }
    if (!reach.ok) return { kind: reach.kind, code: reach.code };
    const { addresses } = reach;
    const { headers, body } = request;
    let address = addresses[0] ?? "";
    let others: string[] | null = null;
    for (;;) {
      try {
        const answer = await exchange.post({ destination, address, proxy, headers, body, cut });
        noteAnswer(request, answer);
        if (others !== null) prefer(addresses, address);
        if (answer.status === 407 && proxy !== null) return { kind: "connect", code: "proxy: 407" };
        return verdictOf(answer, destination, options);
      } catch (error) {
        if (cut.isCut) {
          // It may be the address that is dead: the next attempt starts with another one.
          avoid(addresses, address);
          throw error;
        }
        const fault = classify(error);
        if (fault.kind !== "connect") return fault;
        others ??= addresses.filter((other) => other !== address);
        const next = others.shift();
        if (next === undefined) return fault;
        address = next;
      }
    }
  };

  return {
    reroute: () => void (routes = new WeakMap()),
    attempt(request) {
      const { cut } = request;
      const route = routeOf(request.endpoint);
      const reach = route.proxy === null ? route.target.known() : null;
      if (reach?.ok === true && !cut.isCut) {
        const quick = new QuickAttempt(request, route.destination, reach.addresses, options);
        deadlines.begin(cut, request.timeoutMs);
        if (exchange.postNow(quick, quick)) return quick.outcome;
        deadlines.end(cut);
      }
      return deadlines.run(request, () => send(request, cut));
    },
    close() {
      resolver.close();
      exchange.close();
      return Promise.resolve();
    },
  };
}

/**
 * The way of nearly every attempt: the address is known and a connection to it is open.
 *
 * It is `send` without its promises: this one object is the exchange's request, takes its answer and settles the outcome, which
 * saves four promises and the closures around them, a quarter of what an attempt costs. Whatever else an attempt may need goes the other way.
 */
class QuickAttempt implements ExchangeRequest, AnswerTaker {
  readonly destination: Destination;
  readonly address: string;
  readonly proxy = null;
  readonly headers: AttemptRequest["headers"];
  readonly body: AttemptRequest["body"];
  readonly cut: Cut;
  readonly outcome: Promise<Outcome>;
  readonly #addresses: string[];
  readonly #request: AttemptRequest;
  readonly #options: HttpTransportOptions;
  #settle: (outcome: Outcome) => void = () => undefined;

  constructor(
    request: AttemptRequest,
    destination: Destination,
    addresses: string[],
    options: HttpTransportOptions,
  ) {
    const { headers, body, cut } = request;
    this.#request = request;
    this.destination = destination;
    this.address = addresses[0] as string;
    this.headers = headers;
    this.body = body;
    this.cut = cut;
    this.#addresses = addresses;
    this.#options = options;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  answered(answer: Answer): void {
    const durationMs = this.#options.deadlines.end(this.cut);
    noteAnswer(this.#request, answer);
    const { status } = answer;
    if (status >= 200 && status <= 299) return this.#settle({ kind: "delivered", status, durationMs });
    try {
      this.#settle(Object.assign(verdictOf(answer, this.destination, this.#options), { durationMs }));
    } catch (error) {
      this.#settle({ ...classify(error), durationMs });
    }
  }

  failed(error: Error): void {
    const durationMs = this.#options.deadlines.end(this.cut);
    if (this.cut.isCut) {
      // As in `send`: the next attempt starts with another address.
      avoid(this.#addresses, this.address);
      return this.#settle({ kind: this.cut.isLate ? "timeout" : "aborted", durationMs });
    }
    // Never "connect", which would go on with the next address: the connection was there.
    this.#settle({ ...classify(error), durationMs });
  }
}

function noteAnswer({ trace }: AttemptRequest, { body }: Answer): void {
  if (trace !== undefined && trace !== null) trace.answer = body;
}

function createRoute({ target, headers, tls, proxy: own }: Endpoint, options: HttpTransportOptions): Route {
  if (target.kind !== "http") throw new Error("the HTTP transport was given an endpoint without a URL");
  const { resolver, egress } = options;
  const destination = createDestination(new URL(target.url), headers, tls);
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

function verdictOf(
  { status, retryAfter, location }: Answer,
  destination: Destination,
  { clock, mask }: HttpTransportOptions,
): Verdict {
  if (status >= 200 && status <= 299) return { kind: "delivered", status };
  if (status >= 300 && status <= 399) {
    return { kind: "redirect", status, location: shownLocation(location, destination, mask) };
  }
  const now = clock.now();
  return { kind: "http_status", status, retryAfterMs: parseRetryAfter(retryAfter, now) };
}
