import { systemClock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { Logger } from "../log.ts";
import { fetchLimit, isBun } from "../runtime.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { createEgress, type Egress } from "./egress.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Exchange } from "./exchange.ts";
import { createFetchExchange } from "./exchange-fetch.ts";
import { createNodeExchange } from "./exchange-node.ts";
import { createHttpTransport } from "./http.ts";
import { createLambdaTransport } from "./lambda.ts";
import { mapLambdaOptions } from "./lambda-options.ts";
import { createProxy } from "./proxy.ts";
import { createResolver } from "./resolver.ts";
import type { Transport } from "./transport.ts";

export interface TransportsOptions {
  readonly config: Pick<Config, "apps" | "endpoints" | "egress" | "webhooks">;
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

/**
 * Transports for the configured receivers; nothing connects before the first attempt.
 *
 * Throws ConfigError for Lambda client options that are unknown, and for a proxy address that the egress
 * rules themselves forbid.
 */
export function createTransports({ config, log }: TransportsOptions): Transports {
  const egress = createEgress(config.egress);
  const proxy = config.egress.proxy === null ? null : new URL(config.egress.proxy);
  const issues = [...lambdaIssues(config), ...proxyIssues(proxy, egress)];
  if (issues.length > 0) throw new ConfigError(issues);

  if (fetchLimit() < config.webhooks.max_in_flight) {
    log.warn("fewer attempts can be in flight than webhooks.max_in_flight says", {
      max_in_flight: config.webhooks.max_in_flight,
      limit: fetchLimit(),
      remedy: "start with BUN_CONFIG_MAX_HTTP_REQUESTS set to that number",
    });
  }
  const http = createHttpTransport({
    clock: systemClock,
    resolver: createResolver({ clock: systemClock }),
    exchange: createExchange(countTlsOrigins(config)),
    egress,
    proxy,
  });
  const lambda = createLambdaTransport({ clock: systemClock });
  return {
    of: ({ target }) => (target.kind === "http" ? http : lambda),
    async close() {
      await http.close();
      await lambda.close();
    },
  };
}

function lambdaIssues(config: Pick<Config, "apps" | "endpoints">): ConfigIssue[] {
  const receivers = [
    ...Object.entries(config.endpoints).map(([name, receiver]) => [`endpoints.${name}`, receiver] as const),
    ...config.apps.flatMap((app, i) =>
      app.webhooks.map((webhook, j) => [`apps.${i}.webhooks.${j}`, webhook] as const),
    ),
  ];
  return receivers.flatMap(([path, { lambda }]) =>
    lambda === null ? [] : mapLambdaOptions(lambda.client_options, `${path}.lambda.client_options`).issues,
  );
}

function proxyIssues(url: URL | null, egress: Egress): ConfigIssue[] {
  if (url === null) return [];
  const { hostname, isAddress } = createProxy(url);
  const rule = isAddress ? egress.check(hostname, hostname, null) : null;
  if (rule === null) return [];
  return [
    {
      path: "egress.proxy",
      source: "",
      message: `the egress rules forbid the proxy itself: ${rule}; add its address to egress.allow`,
    },
  ];
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
