import { systemClock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { Logger } from "../log.ts";
import { isBun } from "../runtime.ts";
import { createEgress } from "./egress.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Exchange } from "./exchange.ts";
import { createFetchExchange } from "./exchange-fetch.ts";
import { createNodeExchange } from "./exchange-node.ts";
import { createHttpTransport } from "./http.ts";
import { createResolver } from "./resolver.ts";
import type { Transport } from "./transport.ts";

export interface TransportsOptions {
  readonly config: Pick<Config, "apps" | "endpoints" | "egress">;
  readonly log: Logger;
}

/** The ways to receivers, one for each kind of target. */
export interface Transports {
  /** The transport that carries this endpoint's attempts. */
  of(endpoint: Endpoint): Transport;
  close(): Promise<void>;
}

/**
 * Bun keeps 64 idle connections per process; with more TLS receivers in turn than that, every attempt
 * costs a handshake, and node:https is nine times as fast (runtime-facts §1). Some are left for retries.
 */
const maxFetchTlsOrigins = 56;

/** Transports for the configured receivers; nothing connects before the first attempt. */
export function createTransports({ config }: TransportsOptions): Transports {
  const resolver = createResolver({ clock: systemClock });
  const http = createHttpTransport({
    clock: systemClock,
    resolver,
    exchange: createExchange(countTlsOrigins(config)),
    egress: createEgress(config.egress),
    proxy: config.egress.proxy === null ? null : new URL(config.egress.proxy),
  });
  return {
    of: () => http,
    close: () => http.close(),
  };
}

/** The runtime's best exchange for so many TLS receivers. */
function createExchange(tlsOrigins: number): Exchange {
  if (!isBun) return createNodeExchange();
  const plain = createFetchExchange();
  if (tlsOrigins <= maxFetchTlsOrigins) return plain;
  const secure = createNodeExchange();
  return {
    post: (request) => (request.destination.secure && request.proxy === null ? secure : plain).post(request),
    close() {
      plain.close();
      secure.close();
    },
  };
}

function countTlsOrigins(config: Pick<Config, "apps" | "endpoints">): number {
  const receivers = [...Object.values(config.endpoints), ...config.apps.flatMap((app) => app.webhooks)];
  const origins = new Set<string>();
  for (const { url } of receivers) {
    if (url?.startsWith("https:") === true) origins.add(new URL(url).origin);
  }
  return origins.size;
}
