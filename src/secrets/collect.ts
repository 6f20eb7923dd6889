import { unnamedWebhook } from "../config/endpoint-name.ts";
import type { Secrecy } from "../config/kinds.ts";
import { configSchema } from "../config/schema.ts";
import { alternatives, secrecyOf, type SchemaNode } from "../config/schema-tree.ts";
import { addUrlSecrets, type Secret } from "./url.ts";

/** Where in a value secrets stand; what holds none is not in it. */
interface Place {
  readonly secrecy: Secrecy | null;
  /** It is not hidden while something is called so: names stand in logs and answers. */
  readonly isSoft: boolean;
  readonly entries: ReadonlyMap<string, Place>;
  /** Of every element of a list, and of every value of a record. */
  readonly each: Place | null;
}

const places = placeOf(configSchema, [], false);

/**
 * Every text in a configuration, or in a part of one from its top, that must not leave the process (contract §1.8): what
 * the schema marks as secret, and the secret parts of URLs. The same secret may come more than once.
 *
 * A key or a header's value is hidden unless it is also the name of an app, an endpoint or a queue: masking those would
 * hide nothing but the logs' meaning.
 *
 * @param config Checked or not: what does not fit the schema is passed over.
 */
export function secretsOf(config: unknown): Secret[] {
  const found: Secret[] = [];
  if (places !== null) collect(config, places, found);
  return found;
}

function placeOf(node: SchemaNode, path: readonly string[], isInSecret: boolean): Place | null {
  const secrecy = isInSecret ? "value" : secrecyOf(node);
  const isSoft = path.at(-1) === "key" ? path.length === 3 : path.includes("headers");
  // All that stands in a secret is one.
  if (secrecy === "value") {
    const all: { -readonly [Key in keyof Place]: Place[Key] } = {
      secrecy,
      isSoft,
      entries: new Map(),
      each: null,
    };
    all.each = all;
    return all;
  }
  const entries = new Map<string, Place>();
  let each: Place | null = null;
  for (const { type, entries: named, item, value } of alternatives(node)) {
    for (const [key, child] of Object.entries(named ?? {})) {
      const place = placeOf(child, [...path, key], false);
      if (place !== null) entries.set(key, place);
    }
    const repeated = type === "array" ? item : type === "record" ? value : undefined;
    if (repeated !== undefined) each ??= placeOf(repeated, [...path, "*"], false);
  }
  return secrecy === null && entries.size === 0 && each === null ? null : { secrecy, isSoft, entries, each };
}

function collect(value: unknown, { secrecy, isSoft, entries, each }: Place, found: Secret[]): void {
  if (typeof value === "string") {
    if (secrecy === "value") addValueSecrets(value, isSoft, found);
    else if (secrecy !== null) addUrlSecrets(value, secrecy, found);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, place] of entries) {
    const child = (value as Record<string, unknown>)[key];
    if (child !== undefined) collect(child, place, found);
  }
  if (each === null) return;
  if (Array.isArray(value)) {
    for (const child of value as unknown[]) collect(child, each, found);
    return;
  }
  for (const key of Object.keys(value)) {
    // Of the client options, the region is no secret and stands in every AWS URL.
    if (!entries.has(key) && key !== "region") {
      collect((value as Record<string, unknown>)[key], each, found);
    }
  }
}

/** "Bearer abc…" of an authorization header; whsec_… of a signing key. */
const tokenOf = /^(?:(?:Bearer|Basic|Token|ApiKey) +|whsec_|whsk_)(\S{4,})$/i;

/** A secret, and its parts that are secrets of their own. */
function addValueSecrets(secret: string, isSoft: boolean, found: Secret[]): void {
  if (secret === "") return;
  found.push(isSoft ? { secret, unlessName: secret } : secret);
  const token = tokenOf.exec(secret)?.[1];
  if (token !== undefined) found.push(isSoft ? { secret: token, unlessName: secret } : token);
  // The lines of a PEM block.
  if (!secret.includes("-----BEGIN ")) return;
  for (const line of secret.match(/^[A-Za-z0-9+/=]{20,}$/gm) ?? []) found.push(line);
}

/** Ids of apps, names of webhooks, endpoints, queues and groups, and the labels `app/webhook`, of an unchecked configuration. */
export function namesOf(config: unknown): ReadonlySet<string> {
  const { apps, endpoints, queue } = (config ?? {}) as {
    apps?: { id?: unknown; webhooks?: { name?: unknown }[] }[];
    endpoints?: object;
    queue?: { queues?: unknown; groups?: { name?: unknown }[] };
  };
  const list = <T>(value: T[] | undefined): T[] => (Array.isArray(value) ? value : []);
  const found: unknown[] = [
    ...list(apps).flatMap((app) => {
      const webhooks = list(app?.webhooks).map((webhook) => webhook?.name ?? unnamedWebhook);
      return [app?.id, ...webhooks, ...webhooks.map((name) => labelOf(app?.id, name))];
    }),
    ...list(queue?.groups).map((group) => group?.name),
    ...Object.keys(typeof endpoints === "object" && endpoints !== null ? endpoints : {}),
    ...list(queue?.queues as unknown[]).map((entry) => (entry as { name?: unknown } | null)?.name ?? entry),
  ];
  return new Set(found.filter((name) => typeof name === "string"));
}

/** As delivery/directory.ts names an app's endpoint. What is checked here may not be text yet. */
const labelOf = (id: unknown, name: unknown): string | null =>
  typeof id === "string" && typeof name === "string" ? `${id}/${name}` : null;
