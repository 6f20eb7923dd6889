import { isDeepStrictEqual } from "node:util";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { createDeadlines } from "./deadline.ts";
import { createEgress } from "./egress/rules.ts";
import type { Endpoint } from "./endpoint.ts";
import { createHttpTransport } from "./http.ts";
import { createHttp1Exchange } from "./http1/exchange.ts";
import { createLambdaTransport } from "./lambda.ts";
import { mapLambdaOptions } from "./lambda-options.ts";
import { createResolver } from "./dns/resolver.ts";
import { keptAnswerBytes } from "./trace.ts";
import type { Transport } from "./transport.ts";

type TransportConfig = Pick<Config, "apps" | "endpoints" | "egress" | "history" | "webhooks">;

export interface TransportsOptions {
  readonly config: TransportConfig;
  /** Replaces every secret in a text (secrets/mask.ts). */
  readonly mask: (text: string) => string;
}

/** The ways to receivers, one for each kind of target. */
export interface Transports {
  /** The transport that carries this endpoint's attempts. */
  of(endpoint: Endpoint): Transport;
  /** Lets go of what is kept for an endpoint that has been replaced or removed, once nothing of it is in flight. */
  forget(endpoint: Endpoint): void;
  /** Attempts that begin from now on go by this configuration, which `transportIssues` has nothing against. */
  follow(config: TransportConfig): void;
  close(): Promise<void>;
}

/**
 * Transports for the configured receivers; nothing connects before the first attempt.
 *
 * Throws ConfigError for Lambda client options that are unknown.
 */
export function createTransports({ config: first, mask }: TransportsOptions): Transports {
  let config = first;
  let egress = createEgress(config.egress);
  const issues = transportIssues(config);
  if (issues.length > 0) throw new ConfigError(issues);

  const deadlines = createDeadlines(systemClock);
  const http = createHttpTransport({
    clock: systemClock,
    deadlines,
    resolver: createResolver({ clock: systemClock }),
    exchange: createHttp1Exchange(
      () => config.webhooks.max_in_flight,
      () => (config.history.enabled ? keptAnswerBytes(config.history.response_bytes) : 0),
    ),
    get egress() {
      return egress;
    },
    get proxy() {
      return config.egress.proxy === null ? null : new URL(config.egress.proxy);
    },
    mask,
  });
  const lambda = createLambdaTransport({ clock: systemClock, deadlines });
  return {
    of: ({ target }) => (target.kind === "http" ? http : lambda),
    forget(endpoint) {
      // What HTTP keeps goes with the object.
      if (endpoint.target.kind === "lambda") lambda.forget(endpoint);
    },
    follow(next) {
      const isOther = !isDeepStrictEqual(next.egress, config.egress);
      config = next;
      if (!isOther) return;
      egress = createEgress(next.egress);
      http.reroute();
    },
    async close() {
      await http.close();
      await lambda.close();
    },
  };
}

/** What of a checked configuration no transport could carry. */
export function transportIssues(config: Pick<Config, "apps" | "endpoints">): ConfigIssue[] {
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
