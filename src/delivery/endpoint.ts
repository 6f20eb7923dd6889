import type { BreakerPolicy } from "../endpoints/breaker.ts";
import type { RateLimitPolicy } from "../endpoints/rate-limit.ts";
import type { RetryPolicy } from "./retry.ts";
import type { DatedKey } from "./standard-webhooks.ts";

/**
 * The receivers, compiled once at start from the configuration (delivery/directory.ts).
 */

/** Where an attempt goes. */
export type Target =
  | { readonly kind: "http"; readonly url: URL }
  | {
      readonly kind: "lambda";
      readonly functionName: string;
      readonly region: string;
      readonly async: boolean;
      readonly clientOptions: Readonly<Record<string, unknown>>;
    };

/** TLS of the connections to one receiver; null = the runtime's default. */
export interface TlsSettings {
  /** Certificates to trust instead of the usual ones, PEM. */
  readonly ca: string | null;
  /** Client certificate and its key, PEM. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly minVersion: "TLSv1.2" | "TLSv1.3" | null;
}

/** One receiver and its settings. */
export interface Endpoint {
  /** Unique in its app, or among the named `endpoints`. */
  readonly name: string;
  /** The name under which 0.1 stored its jobs and its mode, where that is no other's; absent = none. */
  readonly formerName?: string;
  /** `app-id/name`, or `name` for a named endpoint: for logs, metrics and dead letters. Never a URL. */
  readonly label: string;
  /** First 8 hex of SHA-256(name): the second half of a delivery's id (contract §3). */
  readonly nameHash: string;
  readonly target: Target;
  /** Event types it wants; null = all (named endpoints). */
  readonly eventTypes: ReadonlySet<string> | null;
  /** Whether a type that is not in `eventTypes` matches a pattern there, as `order.*` does; absent = no patterns. */
  readonly matchesTypePattern?: (type: string) => boolean;
  /** Whether an event on this channel passes the filter; null = no filter. */
  readonly acceptsChannel: ((channel: string) => boolean) | null;
  /** Configured headers, names as written. */
  readonly headers: readonly (readonly [string, string])[];
  readonly retry: RetryPolicy;
  readonly requestTimeoutMs: number;
  /** Absent = the runtime's defaults. */
  readonly tls?: TlsSettings;
  /** Proxy that its attempts go through instead of `egress.proxy`; absent = that one. */
  readonly proxy?: URL;
  /** Its own limits; absent = defaultLimits. */
  readonly limits?: EndpointLimits;
  /** Key and secret for x-pusher-key and x-pusher-signature; null where they are not sent. */
  readonly pusher: { readonly key: string; readonly secret: string } | null;
  /** Keys for webhook-timestamp and webhook-signature, newest first; absent where they are not sent. */
  readonly standardKeys?: readonly DatedKey[];
}

/** What an endpoint may be sent at a time, and what its answers switch off. */
export interface EndpointLimits {
  /** Most attempts in flight to it; null = its fair share. */
  readonly concurrency: number | null;
  readonly rateLimit: RateLimitPolicy | null;
  readonly breaker: BreakerPolicy;
  /** What answers of 410 do besides ending their own delivery. */
  readonly onGone: "dead_letter" | "disable";
  /** Answers of 410 in a row that disable it. */
  readonly goneThreshold: number;
}

/** What the configuration's schema has as defaults. */
export const defaultLimits: EndpointLimits = {
  concurrency: null,
  rateLimit: null,
  breaker: { failureShare: 0.5, minAttempts: 20, windowMs: 60_000, openMs: 30_000 },
  onGone: "dead_letter",
  goneThreshold: 3,
};

/** Key, secret and webhooks of one application. */
export interface App {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  readonly previousSecrets: readonly string[];
  /** Forms of job this app takes. */
  readonly accept: ReadonlySet<"soketi" | "sockudo" | "native">;
  readonly endpoints: readonly Endpoint[];
}

/** Looks receivers up. */
export interface Directory {
  readonly apps: readonly App[];
  /** The named `endpoints`. */
  readonly named?: readonly Endpoint[];
  /** By id, else by key. */
  findApp(id: string | null, key: string | null): App | null;
  /** An app's endpoint by its name, else by its former one; with app null a named one. */
  findEndpoint(app: App | null, name: string): Endpoint | null;
}
