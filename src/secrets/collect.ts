import { unnamedWebhook } from "../config/endpoint-name.ts";
import { urlSecrets, type Secret } from "./url.ts";
import { configSchema } from "../config/schema.ts";
import { childNode, secrecyOf, type SchemaNode } from "../config/schema-tree.ts";

/**
 * Every text in a configuration that must not leave the process (contract §1.8): what the schema marks as
 * secret, and the secret parts of URLs.
 *
 * A key or a header's value that is also the name of an app, an endpoint or a queue is not in it: names
 * stand in logs and answers, and masking them would hide nothing but the logs' meaning.
 *
 * @param config Checked or not: what does not fit the schema is passed over.
 */
export function secretsOf(config: unknown): Secret[] {
  const secrets = new Set<Secret>();
  const names = namesOf(config);
  const add = (secret: string, path: readonly string[]): void => {
    const isSoft = path.at(-1) === "key" ? path.length === 3 : path.includes("headers");
    if (secret === "" || (isSoft && names.has(secret))) return;
    secrets.add(secret);
    for (const part of partsOf(secret)) secrets.add(part);
  };
  const visit = (node: SchemaNode, value: unknown, path: readonly string[], isSecret: boolean): void => {
    const secrecy = isSecret ? "value" : secrecyOf(node);
    if (typeof value === "string") {
      if (secrecy === "value") add(value, path);
      else if (secrecy !== null) for (const part of urlSecrets(value, secrecy, names)) secrets.add(part);
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const childSchema = childNode(node, key) ?? (secrecy === "value" ? node : undefined);
      // Of the client options, the region is no secret and stands in every AWS URL.
      if (childSchema !== undefined && key !== "region") {
        visit(childSchema, child, [...path, key], secrecy === "value");
      }
    }
  };
  visit(configSchema, config, [], false);
  return [...secrets];
}

/** Parts of a secret that are secrets of their own. */
function partsOf(secret: string): string[] {
  const parts: string[] = [];
  // "Bearer abc…" of an authorization header; whsec_… of a signing key; the lines of a PEM block.
  const token = /^(?:(?:Bearer|Basic|Token|ApiKey) +|whsec_|whsk_)(\S{4,})$/i.exec(secret)?.[1];
  if (token !== undefined) parts.push(token);
  if (secret.includes("-----BEGIN ")) parts.push(...(secret.match(/^[A-Za-z0-9+/=]{20,}$/gm) ?? []));
  return parts;
}

/** Ids of apps, names of webhooks, endpoints, queues and groups, and the labels `app/webhook`. */
function namesOf(config: unknown): Set<string> {
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
