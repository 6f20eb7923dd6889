import { isDeepStrictEqual } from "node:util";
import { camelKeys } from "../camel-keys.ts";
import { formerNames } from "../config/endpoint-name.ts";
import type { AppConfig, Config, EndpointConfig, WebhookConfig } from "../config/schema.ts";
import { limitsOf, type LimitsConfig } from "../config/schema-limits.ts";
import { mergeRetry, standardScheduleMs, type RetryConfig } from "../config/schema-retry.ts";
import { endpointNameHash } from "../jobs/id.ts";
import type { App, Directory, Endpoint, EndpointLimits, Target, TlsSettings } from "./endpoint.ts";
import { compileFilter, compileTypePatterns } from "./filter.ts";
import type { RetryPolicy } from "./retry.ts";
import { parseSigningKey, type SigningKey } from "./signing-keys.ts";
import { orderKeys } from "./standard-webhooks.ts";
import type { DatedKey } from "./standard-webhooks.ts";

/** The parts of the configuration that say who the receivers are. */
export type DirectoryConfig = Pick<Config, "apps" | "endpoints" | "webhooks" | "queue">;

/** What the receivers of one directory have in common. */
interface Common {
  readonly defaults: ReceiverDefaults;
  /** The same limits and policies are one object: of thousands of receivers most have the defaults. */
  readonly limits: (config: LimitsConfig) => EndpointLimits;
  readonly retry: (config: RetryConfig) => RetryPolicy;
  readonly types: (types: readonly string[]) => EventTypes;
  readonly accept: (forms: AppConfig["accept"]) => App["accept"];
  readonly nameHash: (name: string) => string;
}

type EventTypes = Pick<Endpoint, "eventTypes" | "matchesTypePattern">;

/** What receivers fall back to where their own settings say nothing. */
interface ReceiverDefaults {
  readonly retry: RetryConfig;
  readonly requestTimeoutMs: number;
  /** Region of Lambda functions. */
  readonly region: string;
}

/** Makes receivers from checked settings: names resolved, ids, keys and names unique, patterns and keys valid. */
export interface ReceiverCompiler {
  /**
   * One that the previous directory has of the same settings, as the same object, so that nothing is planned, looked
   * up or connected again for it; else a new one.
   */
  app(settings: AppConfig): App;
  /** A named endpoint; taken over as an app is. */
  named(name: string, settings: EndpointConfig): Endpoint;
  /** A directory of these, whichever compiler made them. Costs time for each endpoint, and compiles none. */
  assemble(apps: readonly App[], named: readonly Endpoint[]): Directory;
}

/** All receivers of a checked configuration, compiled: filters, retry policies and keys are worked out once, here. */
export function createDirectory(config: DirectoryConfig, previous: Directory | null = null): Directory {
  const compiler = createReceiverCompiler(config, previous);
  return compiler.assemble(
    config.apps.map((app) => compiler.app(app)),
    Object.entries(config.endpoints).map(([name, receiver]) => compiler.named(name, receiver)),
  );
}

/** What an app or a named endpoint was compiled from. */
const origins = new WeakMap<
  App | Endpoint,
  { readonly settings: AppConfig | EndpointConfig; readonly defaults: ReceiverDefaults }
>();

/** The policies of a directory's receivers, by their settings. */
interface Policies {
  readonly limits: Map<string, EndpointLimits>;
  readonly retry: Map<string, RetryPolicy>;
}
const policiesOf = new WeakMap<Directory, Policies>();

/** @param previous The directory that the next one replaces; null = none. */
export function createReceiverCompiler(
  { webhooks, queue }: DirectoryConfig,
  previous: Directory | null,
): ReceiverCompiler {
  const defaults: ReceiverDefaults = {
    retry: webhooks.retry,
    requestTimeoutMs: webhooks.request_timeout_ms,
    region: queue.sqs.region,
  };
  const known = previous === null ? undefined : policiesOf.get(previous);
  const policies: Policies = { limits: new Map(known?.limits), retry: new Map(known?.retry) };
  const common: Common = {
    defaults,
    limits: once(policies.limits, camelKeys<LimitsConfig>),
    retry: once(policies.retry, compileRetry),
    types: once(new Map(), (types) => ({
      eventTypes: new Set(types),
      matchesTypePattern: compileTypePatterns(types),
    })),
    accept: once(new Map(), (forms) => new Set(forms)),
    nameHash: once(new Map(), endpointNameHash),
  };
  const isSame = (found: App | Endpoint, settings: AppConfig | EndpointConfig): boolean =>
    isDeepStrictEqual(origins.get(found), { settings, defaults });
  const made = <Made extends App | Endpoint>(one: Made, settings: AppConfig | EndpointConfig): Made => {
    origins.set(one, { settings, defaults });
    return one;
  };
  return {
    app(settings) {
      const found = previous?.findApp(settings.id, null) ?? null;
      if (found !== null && isSame(found, settings)) return found;
      return made(compileApp(settings, common), settings);
    },
    named(name, settings) {
      const found = previous?.findEndpoint(null, name) ?? null;
      if (found !== null && isSame(found, settings)) return found;
      return made(compileNamed(name, settings, common), settings);
    },
    assemble(apps, named) {
      const directory = assembleDirectory(apps, named, common.retry(defaults.retry));
      keepUsed(policies.retry, new Set(directory.retries));
      keepUsed(policies.limits, new Set(directory.endpoints.map(({ limits }) => limits)));
      policiesOf.set(directory, policies);
      return directory;
    },
  };
}

function assembleDirectory(apps: readonly App[], named: readonly Endpoint[], common: RetryPolicy): Directory {
  const byId = new Map(apps.map((app) => [app.id, app]));
  const byKey = new Map(apps.map((app) => [app.key, app]));
  const byName = new Map(named.map((endpoint) => [endpoint.name, endpoint]));
  const endpoints = [...apps.flatMap((app) => app.endpoints), ...named];
  return {
    apps,
    named,
    endpoints,
    size: endpoints.length,
    retries: [...new Set([common, ...endpoints.map(({ retry }) => retry)])],
    findApp: (id, key) =>
      (id === null ? undefined : byId.get(id)) ?? (key === null ? undefined : byKey.get(key)) ?? null,
    findEndpoint: (app, name) => (app === null ? byName.get(name) : namesIn(app).get(name)) ?? null,
  };
}

/** Compiles equal settings to one object, which `known` then holds. */
function once<From, To>(known: Map<string, To>, compile: (from: From) => To): (from: From) => To {
  // Receivers without settings of their own bring the very same object, one after another.
  let last: { readonly from: From; readonly made: To } | null = null;
  return (from) => {
    if (last?.from === from) return last.made;
    const key = JSON.stringify(from);
    let made = known.get(key);
    if (made === undefined) known.set(key, (made = compile(from)));
    last = { from, made };
    return made;
  };
}

function keepUsed<T>(known: Map<string, T>, used: ReadonlySet<T>): void {
  for (const [key, value] of known) if (!used.has(value)) known.delete(key);
}

/** Made at first use: of many apps few are asked for an endpoint by its name. */
const namesOfApps = new WeakMap<App, ReadonlyMap<string, Endpoint>>();

function namesIn(app: App): ReadonlyMap<string, Endpoint> {
  let names = namesOfApps.get(app);
  if (names === undefined) namesOfApps.set(app, (names = indexByName(app.endpoints)));
  return names;
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
  let formers: readonly (string | null)[] | null = null;
  // Made when it is asked for: it is the hash of a URL, and mostly nobody asks.
  const formerNameAt = (index: number): string | null =>
    (formers ??= formerNames(app.webhooks))[index] ?? null;
  return {
    id: app.id,
    key: app.key,
    secret: app.secret,
    previousSecrets: app.previous_secrets,
    accept: common.accept(app.accept),
    endpoints: app.webhooks.map((webhook, index) =>
      compileWebhook(webhook, app, () => formerNameAt(index), common),
    ),
  };
}

function compileWebhook(
  webhook: WebhookConfig,
  app: AppConfig,
  formerName: () => string | null,
  common: Common,
): Endpoint {
  const { name, event_types: types, filter, signing } = webhook;
  return {
    ...compileReceiver(name, `${app.id}/${name}`, webhook, common),
    get formerName() {
      return formerName();
    },
    ...common.types(types),
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
  const { defaults } = common;
  return {
    name,
    label,
    nameHash: common.nameHash(name),
    target: compileTarget(receiver, defaults.region),
    headers: Object.entries(receiver.headers),
    retry: common.retry(mergeRetry(defaults.retry, receiver.retry)),
    requestTimeoutMs: receiver.request_timeout_ms ?? defaults.requestTimeoutMs,
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
  if (lambda === null) return { kind: "http", url: url ?? "" };
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
  return orderKeys(configured.map(({ key, not_after }) => datedKey(key, not_after)));
}

/** Parsed when it is first asked for: of many receivers few are in use at a time. */
function datedKey(text: string, notAfter: string | null): DatedKey {
  let parsed: SigningKey | string = "";
  return {
    get key() {
      if (parsed === "") parsed = parseSigningKey(text);
      if (typeof parsed !== "string") return parsed;
      throw new Error(`a signing key that the configuration's check let pass: ${parsed}`);
    },
    notAfter: notAfter === null ? null : Date.parse(notAfter),
  };
}
