import { camelKeys } from "../camel-keys.ts";
import { formerNames } from "../config/endpoint-name.ts";
import type { AppConfig, Config, EndpointConfig, WebhookConfig } from "../config/schema.ts";
import { limitsOf, type LimitsConfig } from "../config/schema-limits.ts";
import { mergeRetry, standardScheduleMs, type RetryConfig } from "../config/schema-retry.ts";
import { endpointNameHash } from "../jobs/id.ts";
import type { App, Directory, Endpoint, EndpointLimits, Target, TlsSettings } from "./endpoint.ts";
import { compileFilter, compileTypePatterns } from "./filter.ts";
import type { RetryPolicy } from "./retry.ts";
import { parseSigningKey } from "./signing-keys.ts";
import { orderKeys } from "./standard-webhooks.ts";
import type { DatedKey } from "./standard-webhooks.ts";

/** The parts of the configuration that say who the receivers are. */
export type DirectoryConfig = Pick<Config, "apps" | "endpoints" | "webhooks" | "queue">;

/** What the receivers of one directory have in common. */
interface Common {
  readonly config: DirectoryConfig;
  /** The same limits and policies are one object: of thousands of receivers most have the defaults. */
  readonly limits: (config: LimitsConfig) => EndpointLimits;
  readonly retry: (config: RetryConfig) => RetryPolicy;
}

/**
 * All receivers, compiled: filters, retry policies and keys are worked out once, here.
 *
 * Takes a checked configuration: names resolved, ids, keys and names unique, patterns and keys valid.
 */
export function createDirectory(config: DirectoryConfig): Directory {
  const policies = new Map<string, RetryPolicy>();
  const common: Common = {
    config,
    limits: once(new Map(), camelKeys<LimitsConfig>),
    retry: once(policies, compileRetry),
  };
  common.retry(config.webhooks.retry);
  const apps = config.apps.map((app) => compileApp(app, common));
  const named = new Map(
    Object.entries(config.endpoints).map(([name, receiver]) => [name, compileNamed(name, receiver, common)]),
  );
  const byId = new Map(apps.map((app) => [app.id, app]));
  const byKey = new Map(apps.map((app) => [app.key, app]));
  const byName = new Map(apps.map((app) => [app, indexByName(app.endpoints)]));
  return {
    apps,
    named: [...named.values()],
    endpoints: [...apps.flatMap(({ endpoints }) => endpoints), ...named.values()],
    retries: [...policies.values()],
    findApp: (id, key) =>
      (id === null ? undefined : byId.get(id)) ?? (key === null ? undefined : byKey.get(key)) ?? null,
    findEndpoint: (app, name) => (app === null ? named : byName.get(app))?.get(name) ?? null,
  };
}

/** Compiles equal settings to one object, which `known` then holds. */
function once<From, To>(known: Map<string, To>, compile: (from: From) => To): (from: From) => To {
  return (from) => {
    const key = JSON.stringify(from);
    let made = known.get(key);
    if (made === undefined) known.set(key, (made = compile(from)));
    return made;
  };
}

/** Endpoints by name and by former name; formerNames() has seen to it that none is another's. */
function indexByName(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(
    endpoints.flatMap((endpoint) => {
      const { name, formerName } = endpoint;
      return [name, ...(formerName === null ? [] : [formerName])].map((key) => [key, endpoint]);
    }),
  );
}

function compileApp(app: AppConfig, common: Common): App {
  const formers = formerNames(app.webhooks);
  return {
    id: app.id,
    key: app.key,
    secret: app.secret,
    previousSecrets: app.previous_secrets,
    accept: new Set(app.accept),
    endpoints: app.webhooks.map((webhook, index) =>
      compileWebhook(webhook, app, formers[index] ?? null, common),
    ),
  };
}

function compileWebhook(
  webhook: WebhookConfig,
  app: AppConfig,
  formerName: string | null,
  common: Common,
): Endpoint {
  const { name, event_types: types, filter, signing } = webhook;
  return {
    ...compileReceiver(name, `${app.id}/${name}`, webhook, common),
    formerName,
    eventTypes: new Set(types),
    matchesTypePattern: compileTypePatterns(types),
    acceptsChannel: compileFilter(filter),
    pusher: signing === "pusher" || signing === "both" ? { key: app.key, secret: app.secret } : null,
  };
}

function compileNamed(name: string, receiver: EndpointConfig, common: Common): Endpoint {
  return {
    ...compileReceiver(name, name, receiver, common),
    formerName: null,
    eventTypes: null,
    matchesTypePattern: null,
    acceptsChannel: null,
    pusher: null,
  };
}

/** What webhooks and named endpoints have in common. */
function compileReceiver(name: string, label: string, receiver: EndpointConfig, common: Common) {
  const { queue, webhooks } = common.config;
  return {
    name,
    label,
    nameHash: endpointNameHash(name),
    target: compileTarget(receiver, queue.sqs.region),
    headers: Object.entries(receiver.headers),
    retry: common.retry(mergeRetry(webhooks.retry, receiver.retry)),
    requestTimeoutMs: receiver.request_timeout_ms ?? webhooks.request_timeout_ms,
    tls: receiver.tls === null ? null : compileTls(receiver.tls),
    proxy: receiver.proxy === null ? null : new URL(receiver.proxy),
    limits: common.limits(limitsOf(receiver)),
    standardKeys: compileKeys(receiver),
  };
}

function compileTls({ ca, cert, key, min_version }: NonNullable<EndpointConfig["tls"]>): TlsSettings {
  return { ca, cert, key, minVersion: min_version };
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

function compileRetry({ schedule_ms: schedule, ...rest }: RetryConfig): RetryPolicy {
  return { ...camelKeys(rest), scheduleMs: schedule === "standard" ? standardScheduleMs : schedule };
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
