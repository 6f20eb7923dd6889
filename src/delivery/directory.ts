import { formerNames } from "../config/endpoint-name.ts";
import type { AppConfig, Config, EndpointConfig, WebhookConfig } from "../config/schema.ts";
import { standardScheduleMs } from "../config/schema-retry.ts";
import { endpointNameHash } from "../jobs/id.ts";
import type { App, Directory, Endpoint, EndpointLimits, Target, TlsSettings } from "./endpoint.ts";
import { compileFilter, compileTypePatterns } from "./filter.ts";
import type { RetryPolicy } from "./retry.ts";
import { parseSigningKey } from "./signing-keys.ts";
import { orderKeys } from "./standard-webhooks.ts";
import type { DatedKey } from "./standard-webhooks.ts";

/** The parts of the configuration that say who the receivers are. */
export type DirectoryConfig = Pick<Config, "apps" | "endpoints" | "webhooks" | "queue">;

/**
 * All receivers, compiled: filters, retry policies and keys are worked out once, here.
 *
 * Takes a checked configuration: names resolved, ids, keys and names unique, patterns and keys valid.
 */
export function createDirectory(config: DirectoryConfig): Directory {
  const apps = config.apps.map((app) => compileApp(app, config));
  const named = new Map(
    Object.entries(config.endpoints).map(([name, receiver]) => [
      name,
      {
        ...compileReceiver(name, name, receiver, config),
        eventTypes: null,
        acceptsChannel: null,
        pusher: null,
      } satisfies Endpoint,
    ]),
  );
  const byId = new Map(apps.map((app) => [app.id, app]));
  const byKey = new Map(apps.map((app) => [app.key, app]));
  const byName = new Map(apps.map((app) => [app, indexByName(app.endpoints)]));
  return {
    apps,
    named: [...named.values()],
    findApp: (id, key) =>
      (id === null ? undefined : byId.get(id)) ?? (key === null ? undefined : byKey.get(key)) ?? null,
    findEndpoint: (app, name) => (app === null ? named : byName.get(app))?.get(name) ?? null,
  };
}

/** Endpoints by name and by former name; formerNames() has seen to it that none is another's. */
function indexByName(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(
    endpoints.flatMap((endpoint) => {
      const { name, formerName } = endpoint;
      return [name, ...(formerName === undefined ? [] : [formerName])].map((key) => [key, endpoint]);
    }),
  );
}

function compileApp(app: AppConfig, config: DirectoryConfig): App {
  const formers = formerNames(app.webhooks);
  return {
    id: app.id,
    key: app.key,
    secret: app.secret,
    previousSecrets: app.previous_secrets,
    accept: new Set(app.accept),
    endpoints: app.webhooks.map((webhook, index) => {
      const formerName = formers[index] ?? null;
      return { ...compileWebhook(webhook, app, config), ...(formerName === null ? {} : { formerName }) };
    }),
  };
}

function compileWebhook(webhook: WebhookConfig, app: AppConfig, config: DirectoryConfig): Endpoint {
  const { name, event_types: types, filter, signing } = webhook;
  const matchesTypePattern = compileTypePatterns(types);
  return {
    ...compileReceiver(name, `${app.id}/${name}`, webhook, config),
    eventTypes: new Set(types),
    ...(matchesTypePattern === undefined ? {} : { matchesTypePattern }),
    acceptsChannel: compileFilter(filter),
    pusher: signing === "pusher" || signing === "both" ? { key: app.key, secret: app.secret } : null,
  };
}

/** What webhooks and named endpoints have in common. */
function compileReceiver(name: string, label: string, receiver: EndpointConfig, config: DirectoryConfig) {
  const standardKeys = compileKeys(receiver);
  return {
    name,
    label,
    nameHash: endpointNameHash(name),
    target: compileTarget(receiver, config.queue.sqs.region),
    headers: Object.entries(receiver.headers),
    retry: compileRetry(receiver.retry, config.webhooks.retry),
    requestTimeoutMs: receiver.request_timeout_ms ?? config.webhooks.request_timeout_ms,
    ...(receiver.tls === null ? {} : { tls: compileTls(receiver.tls) }),
    ...(receiver.proxy === null ? {} : { proxy: new URL(receiver.proxy) }),
    limits: compileLimits(receiver),
    ...(standardKeys === null ? {} : { standardKeys }),
  };
}

function compileTls({ ca, cert, key, min_version }: NonNullable<EndpointConfig["tls"]>): TlsSettings {
  return { ca, cert, key, minVersion: min_version };
}

function compileLimits({ concurrency, rate_limit: rate, breaker, ...gone }: EndpointConfig): EndpointLimits {
  return {
    concurrency,
    rateLimit: rate === null ? null : { perSecond: rate.per_second, burst: rate.burst },
    breaker: {
      failureShare: breaker.failure_share,
      minAttempts: breaker.min_attempts,
      windowMs: breaker.window_ms,
      openMs: breaker.open_ms,
    },
    onGone: gone.on_gone,
    goneThreshold: gone.gone_threshold,
  };
}

function compileTarget({ url, lambda }: EndpointConfig, defaultRegion: string): Target {
  if (lambda === null) return { kind: "http", url: new URL(url ?? "") };
  return {
    kind: "lambda",
    functionName: lambda.function_name,
    // An ARN names its region itself: arn:aws:lambda:eu-west-1:123456789012:function:name.
    region: lambda.region ?? /^arn:[^:]*:lambda:([^:]+):/.exec(lambda.function_name)?.[1] ?? defaultRegion,
    async: lambda.async,
    clientOptions: lambda.client_options,
  };
}

function compileRetry(own: EndpointConfig["retry"], shared: Config["webhooks"]["retry"]): RetryPolicy {
  // A null of the webhook's own counts: it switches off what `webhooks.retry` says.
  const schedule = own.schedule_ms === undefined ? shared.schedule_ms : own.schedule_ms;
  return {
    maxAttempts: own.max_attempts ?? shared.max_attempts,
    initialBackoffMs: own.initial_backoff_ms ?? shared.initial_backoff_ms,
    maxBackoffMs: own.max_backoff_ms ?? shared.max_backoff_ms,
    jitter: own.jitter ?? shared.jitter,
    scheduleMs: schedule === "standard" ? standardScheduleMs : schedule,
    maxAgeMs: own.max_age_ms === undefined ? shared.max_age_ms : own.max_age_ms,
    retryOn: new Set(own.retry_on ?? shared.retry_on),
    deadOn: new Set(own.dead_on ?? shared.dead_on),
  };
}

/** The keys of Standard Webhooks, newest first; null where this receiver is not signed for that way. */
function compileKeys({ signing, signing_keys: configured }: EndpointConfig): readonly DatedKey[] | null {
  if (signing !== "standard" && signing !== "both") return null;
  const keys = configured.map(({ key: text, not_after: notAfter }): DatedKey => {
    const key = parseSigningKey(text);
    if (typeof key === "string")
      throw new Error(`a signing key that the configuration's check let pass: ${key}`);
    return { key, notAfter: notAfter === null ? null : Date.parse(notAfter) };
  });
  return orderKeys(keys);
}
