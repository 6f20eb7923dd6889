import type { ConfigIssue } from "../errors.ts";
import { ConfigError } from "../errors.ts";
import { sha256Hex } from "../jobs/id.ts";
import type { App, Directory, Endpoint, Target } from "./endpoint.ts";
import type { ChannelFilter } from "./filter.ts";
import { compileFilter, compileTypePatterns } from "./filter.ts";
import type { RetryPolicy } from "./retry.ts";

/** The part of the configuration the directory is made from (config/schema.ts); `Config` fits it. */
export interface DirectoryConfig {
  readonly webhooks: {
    readonly request_timeout_ms: number;
    readonly retry: RetryConfig & Required<Pick<RetryConfig, "max_attempts">>;
  };
  readonly apps: readonly AppConfig[];
  readonly endpoints: Readonly<Record<string, ReceiverConfig>>;
}

/** One app as configured. */
export interface AppConfig {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  readonly previous_secrets?: readonly string[] | undefined;
  readonly accept?: readonly ("soketi" | "sockudo" | "native")[] | undefined;
  readonly webhooks?: readonly WebhookConfig[] | undefined;
}

/** A webhook of an app. */
export interface WebhookConfig extends ReceiverConfig {
  readonly name?: string | null | undefined;
  readonly event_types?: readonly string[] | undefined;
  readonly filter?: ChannelFilter | null | undefined;
}

/** A receiver: what webhooks and named endpoints have in common. */
export interface ReceiverConfig {
  readonly url?: string | null | undefined;
  readonly lambda_function?: string | null | undefined;
  readonly lambda?: LambdaConfig | null | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly retry?: RetryConfig | null | undefined;
  readonly request_timeout_ms?: number | null | undefined;
}

/** A function to be invoked; Soketi's configuration names it in `lambda_function` beside this. */
export interface LambdaConfig {
  readonly function_name?: string | null | undefined;
  readonly region?: string | null | undefined;
  readonly async?: boolean | null | undefined;
  readonly client_options?: Readonly<Record<string, unknown>> | undefined;
}

/** When to try again; what a webhook leaves out is `webhooks.retry`'s. */
export interface RetryConfig {
  readonly max_attempts?: number | null | undefined;
  readonly initial_backoff_ms?: number | null | undefined;
  readonly max_backoff_ms?: number | null | undefined;
  readonly jitter?: number | null | undefined;
  readonly schedule_ms?: readonly number[] | null | undefined;
  readonly max_age_ms?: number | null | undefined;
  readonly retry_on?: readonly number[] | null | undefined;
  readonly dead_on?: readonly number[] | null | undefined;
}

/**
 * All receivers, compiled: names, filters and retry policies are worked out once, here.
 *
 * @throws ConfigError with every issue: a receiver without URL and function, a bad URL or pattern, a
 *   duplicate id, key or name. A configuration that config/load.ts accepted has none of them.
 */
export function createDirectory(config: DirectoryConfig): Directory {
  const issues: ConfigIssue[] = [];
  const apps = config.apps.map((app, index) => compileApp(app, `apps[${index}]`, config, issues));
  const named = new Map<string, Endpoint>();
  for (const [name, receiver] of Object.entries(config.endpoints)) {
    const endpoint = compileEndpoint(receiver, {
      name,
      app: null,
      path: `endpoints.${name}`,
      config,
      issues,
    });
    if (endpoint !== null) named.set(name, endpoint);
  }
  const byId = index(apps, "id", issues);
  const byKey = index(apps, "key", issues);
  if (issues.length > 0) throw new ConfigError(issues);
  const byName = new Map(apps.map((app) => [app, new Map(app.endpoints.map((e) => [e.name, e]))]));
  return {
    apps,
    findApp: (id, key) =>
      (id === null ? undefined : byId.get(id)) ?? (key === null ? undefined : byKey.get(key)) ?? null,
    findEndpoint: (app, name) => (app === null ? named : byName.get(app))?.get(name) ?? null,
  };
}

/**
 * The name of a webhook that has none: host (or function) + `-` + 6 hex of the SHA-256 of the URL (or of the
 * function as written). It holds nothing of the URL's user info, path or query, which may be secret.
 */
export function defaultEndpointName(target: Target, written: string): string {
  const host = target.kind === "http" ? target.url.hostname : functionShortName(target.functionName);
  return `${host}-${sha256Hex(written).slice(0, 6)}`;
}

function compileApp(app: AppConfig, path: string, config: DirectoryConfig, issues: ConfigIssue[]): App {
  const endpoints: Endpoint[] = [];
  const names = new Set<string>();
  for (const [at, webhook] of (app.webhooks ?? []).entries()) {
    const where = `${path}.webhooks[${at}]`;
    const name = webhook.name ?? null;
    const endpoint = compileEndpoint(webhook, { name, app, path: where, config, issues });
    if (endpoint === null) continue;
    if (names.has(endpoint.name)) {
      issues.push(issue(where, `another webhook of app ${app.id} is named ${endpoint.name}: give it a name`));
    }
    names.add(endpoint.name);
    endpoints.push(endpoint);
  }
  return {
    id: app.id,
    key: app.key,
    secret: app.secret,
    previousSecrets: app.previous_secrets ?? [],
    accept: new Set(app.accept ?? ["soketi", "sockudo", "native"]),
    endpoints,
  };
}

interface EndpointContext {
  /** Null: the default name. */
  readonly name: string | null;
  /** Null: a named endpoint. */
  readonly app: AppConfig | null;
  readonly path: string;
  readonly config: DirectoryConfig;
  readonly issues: ConfigIssue[];
}

function compileEndpoint(webhook: WebhookConfig, context: EndpointContext): Endpoint | null {
  const { app, path, config, issues } = context;
  const written = webhook.url ?? webhook.lambda?.function_name ?? webhook.lambda_function ?? "";
  const target = compileTarget(webhook, path, issues);
  const acceptsChannel = compileChannels(webhook.filter, path, issues);
  if (target === null) return null;
  const name = context.name ?? defaultEndpointName(target, written);
  const types = app === null ? null : (webhook.event_types ?? []);
  const matchesTypePattern = types === null ? undefined : compileTypePatterns(types);
  return {
    name,
    label: app === null ? name : `${app.id}/${name}`,
    nameHash: sha256Hex(name).slice(0, 8),
    target,
    eventTypes: types === null ? null : new Set(types),
    ...(matchesTypePattern === undefined ? {} : { matchesTypePattern }),
    acceptsChannel,
    headers: Object.entries(webhook.headers ?? {}),
    retry: compileRetry(webhook.retry ?? {}, config.webhooks.retry),
    requestTimeoutMs: webhook.request_timeout_ms ?? config.webhooks.request_timeout_ms,
    pusher: app === null ? null : { key: app.key, secret: app.secret },
  };
}

function compileTarget(webhook: WebhookConfig, path: string, issues: ConfigIssue[]): Target | null {
  const functionName = webhook.lambda?.function_name ?? webhook.lambda_function ?? null;
  if (isGiven(webhook.url) && functionName === null) {
    const url = URL.parse(webhook.url);
    if (url !== null && /^https?:$/.test(url.protocol)) return { kind: "http", url };
    issues.push(issue(`${path}.url`, "expected an http or https URL"));
    return null;
  }
  if (functionName === null || isGiven(webhook.url)) {
    issues.push(issue(path, "expected either url, or lambda with function_name"));
    return null;
  }
  const { region, async, client_options: clientOptions } = webhook.lambda ?? {};
  return {
    kind: "lambda",
    functionName,
    region: region ?? arnRegion(functionName) ?? "us-east-1",
    async: async ?? false,
    clientOptions: clientOptions ?? {},
  };
}

function compileChannels(
  filter: ChannelFilter | null | undefined,
  path: string,
  issues: ConfigIssue[],
): Endpoint["acceptsChannel"] {
  try {
    return compileFilter(filter);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    issues.push(issue(`${path}.filter.channel_pattern`, `not a regular expression: ${why}`));
    return null;
  }
}

function compileRetry(own: RetryConfig, shared: RetryConfig): RetryPolicy {
  const retryOn = own.retry_on ?? shared.retry_on;
  const deadOn = own.dead_on ?? shared.dead_on;
  return {
    maxAttempts: own.max_attempts ?? shared.max_attempts ?? 12,
    initialBackoffMs: own.initial_backoff_ms ?? shared.initial_backoff_ms ?? 1000,
    maxBackoffMs: own.max_backoff_ms ?? shared.max_backoff_ms ?? 3_600_000,
    jitter: own.jitter ?? shared.jitter ?? 0.2,
    scheduleMs: own.schedule_ms ?? shared.schedule_ms ?? null,
    maxAgeMs: own.max_age_ms ?? shared.max_age_ms ?? null,
    ...(retryOn === undefined || retryOn === null ? {} : { retryOn: new Set(retryOn) }),
    ...(deadOn === undefined || deadOn === null ? {} : { deadOn: new Set(deadOn) }),
  };
}

function index(apps: readonly App[], by: "id" | "key", issues: ConfigIssue[]): Map<string, App> {
  const map = new Map<string, App>();
  for (const [at, app] of apps.entries()) {
    // The value itself is not repeated: a key is half of a credential.
    if (map.has(app[by])) issues.push(issue(`apps[${at}].${by}`, `another app has the same ${by}`));
    else map.set(app[by], app);
  }
  return map;
}

/** `arn:aws:lambda:eu-west-1:123456789012:function:name:alias` → `name`; anything else as it is. */
function functionShortName(name: string): string {
  const parts = name.split(":");
  return parts[0] === "arn" ? (parts[6] ?? name) : (parts[0] ?? name);
}

function arnRegion(name: string): string | null {
  const parts = name.split(":");
  return parts[0] === "arn" && isGiven(parts[3]) ? parts[3] : null;
}

function issue(path: string, message: string): ConfigIssue {
  return { path, source: "", message };
}

function isGiven(value: string | null | undefined): value is string {
  return value !== undefined && value !== null && value !== "";
}
