import type { CamelKeys } from "../camel-keys.ts";
import type { LimitsConfig } from "../config/schema-limits.ts";
import type { RetryPolicy } from "./retry.ts";
import type { DatedKey } from "./standard-webhooks.ts";

/**
 * The receivers, compiled once at start from the configuration (delivery/directory.ts).
 */

/** Where an attempt goes. */
export type Target =
  /** A URL as it is configured, and sound. Parsed it would take many times the memory, and few are in use at a time. */
  | { readonly kind: "http"; readonly url: string }
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
  /** The name under which 0.1 stored its jobs and its mode, where that is no other's; null = none. */
  readonly formerName: string | null;
  /** `app-id/name`, or `name` for a named endpoint: for logs, metrics and dead letters. Never a URL. */
  readonly label: string;
  /** First 8 hex of SHA-256(name): the second half of a delivery's id (contract §3). */
  readonly nameHash: string;
  readonly target: Target;
  /** Event types it wants; null = all (named endpoints). */
  readonly eventTypes: ReadonlySet<string> | null;
  /** Whether a type that is not in `eventTypes` matches a pattern there, as `order.*` does; null = no patterns. */
  readonly matchesTypePattern: ((type: string) => boolean) | null;
  /** Whether an event on this channel passes the filter; null = no filter. */
  readonly acceptsChannel: ((channel: string) => boolean) | null;
  /** Configured headers, names as written. */
  readonly headers: readonly (readonly [string, string])[];
  readonly retry: RetryPolicy;
  readonly requestTimeoutMs: number;
  /** Null = the runtime's defaults. */
  readonly tls: TlsSettings | null;
  /** Proxy that its attempts go through instead of `egress.proxy`; null = that one. */
  readonly proxy: URL | null;
  readonly limits: EndpointLimits;
  /** Key and secret for x-pusher-key and x-pusher-signature; null where they are not sent. */
  readonly pusher: { readonly key: string; readonly secret: string } | null;
  /** Keys for webhook-timestamp and webhook-signature, newest first; null where they are not sent. */
  readonly standardKeys: readonly DatedKey[] | null;
}

/** What an endpoint may be sent at a time, and what its answers switch off; explained in config/schema-limits.ts. */
export type EndpointLimits = CamelKeys<LimitsConfig>;

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

/** All receivers of the configuration, and how they are looked up. */
export interface Directory {
  readonly apps: readonly App[];
  /** The named `endpoints`. */
  readonly named: readonly Endpoint[];
  /** All of them, in the order of the configuration: those of the apps, then the named ones. */
  readonly endpoints: readonly Endpoint[];
  /** How many endpoints there are; `endpoints` may have to make them. */
  readonly size: number;
  /** Every retry policy in force, each once: `webhooks.retry` first, then what receivers have of their own. */
  readonly retries: readonly RetryPolicy[];
  /** By id, else by key. */
  findApp(id: string | null, key: string | null): App | null;
  /** An app's endpoint by its name, else by its former one; with app null a named one. */
  findEndpoint(app: App | null, name: string): Endpoint | null;
}
