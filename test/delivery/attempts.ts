import { systemClock } from "../../src/clock.ts";
import { Cut } from "../../src/delivery/cut.ts";
import { createDeadlines } from "../../src/delivery/deadline.ts";
import { createEgress, type EgressRules } from "../../src/delivery/egress/rules.ts";
import type { Endpoint, TlsSettings } from "../../src/delivery/endpoint.ts";
import type { Exchange } from "../../src/delivery/exchange.ts";
import type { HeaderEntry } from "../../src/delivery/headers.ts";
import { createHttpTransport } from "../../src/delivery/http.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { createResolver, type Resolver } from "../../src/delivery/dns/resolver.ts";
import type { Transport } from "../../src/delivery/transport.ts";
import { testEndpoint, type EndpointChange } from "../support/endpoint.ts";

/** An HTTP endpoint for tests. */
export function httpEndpoint(url: string, more: EndpointChange = {}): Endpoint {
  return testEndpoint({ target: { kind: "http", url }, ...more });
}

/** TLS settings that trust the tests' authority. */
export function trusting(ca: string, more: Partial<TlsSettings> = {}): TlsSettings {
  return { ca, cert: null, key: null, minVersion: null, ...more };
}

/** A resolver that knows these names only. */
export function fixedResolver(names: Readonly<Record<string, readonly string[]>>): Resolver {
  const resolutions = new Map(
    Object.entries(names).map(([name, addresses]) => [name, { ok: true, addresses } as const]),
  );
  const known = (name: string) => resolutions.get(name) ?? ({ ok: false, code: "ENOTFOUND" } as const);
  return { known, resolve: (name) => Promise.resolve(known(name)), close: () => undefined };
}

/** A transport of its own over one exchange. */
export function transportOver(
  exchange: Exchange,
  resolver?: Resolver,
  more: { rules?: Partial<EgressRules>; proxy?: string; mask?: (text: string) => string } = {},
): Transport {
  return createHttpTransport({
    clock: systemClock,
    deadlines: createDeadlines(systemClock),
    resolver: resolver ?? createResolver({ clock: systemClock }),
    exchange,
    egress: createEgress({ deny: [], allow: [], deny_private: false, ports: null, ...more.rules }),
    proxy: more.proxy === undefined ? null : new URL(more.proxy),
    mask: more.mask ?? ((text) => text),
  });
}

/** One attempt with defaults that a test need not care about. */
export function attempt(
  transport: Transport,
  endpoint: Endpoint,
  more: {
    body?: string | Uint8Array;
    headers?: readonly HeaderEntry[];
    timeoutMs?: number;
    signal?: AbortSignal;
  } = {},
): Promise<Outcome> {
  const cut = new Cut();
  if (more.signal?.aborted === true) cut.cut();
  more.signal?.addEventListener("abort", () => cut.cut(), { once: true });
  return transport.attempt({
    endpoint,
    headers: more.headers ?? [["content-type", "application/json"]],
    body: more.body ?? "{}",
    timeoutMs: more.timeoutMs ?? 5000,
    cut,
  });
}
